#include "cli/supervisor/plan.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static void a_plan_is_read_whole(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct plan plan;

    assert_status(plan_parse(arena,
                             bytes_of("{\"runtime\":\"/run/x\",\"programs\":[{\"name\":\"tenant\","
                                      "\"stage\":2,\"program\":\"/bin/t\",\"folder\":\"/t\","
                                      "\"uid\":61004,\"environment\":{\"A\":\"1\",\"B\":\"\"},"
                                      "\"opens\":\"/run/x/agent.sock\"}]}"),
                             &plan),
                  STATUS_OK);
    assert_string_equal(plan.runtime, "/run/x");
    assert_int_equal(plan.n_programs, 1);
    const struct program *program = &plan.programs[0];
    assert_string_equal(program->name, "tenant");
    assert_string_equal(program->path, "/bin/t");
    assert_string_equal(program->folder, "/t");
    assert_string_equal(program->opens, "/run/x/agent.sock");
    assert_int_equal(program->uid, 61004);
    assert_int_equal(program->stage, 2);
    assert_string_equal(program->environment[0], "A=1");
    assert_string_equal(program->environment[1], "B=");
    assert_null(program->environment[2]);
    arena_free(arena);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    const struct {
        const char *json;
        const char *want;
    } cases[] = {
        { "", "plan: line 1" },
        { "{}", "plan: it needs runtime" },
        { "{\"runtime\":\"run\",\"programs\":[]}", "plan: it needs runtime" },
        { "{\"runtime\":\"/r\",\"programs\":[1]}", "programs[0]: a field is missing" },
        { "{\"runtime\":\"/r\",\"programs\":[{\"name\":\"../x\",\"stage\":0,\"program\":\"/p\","
          "\"folder\":\"/f\",\"uid\":0,\"environment\":{}}]}",
          "programs[0]: its name" },
        { "{\"runtime\":\"/r\",\"programs\":[{\"name\":\"x\",\"stage\":0,\"program\":\"p\","
          "\"folder\":\"/f\",\"uid\":0,\"environment\":{}}]}",
          "absolute paths" },
        { "{\"runtime\":\"/r\",\"programs\":[{\"name\":\"x\",\"stage\":-1,\"program\":\"/p\","
          "\"folder\":\"/f\",\"uid\":0,\"environment\":{}}]}",
          "not negative" },
        { "{\"runtime\":\"/r\",\"programs\":[{\"name\":\"x\",\"stage\":0,\"program\":\"/p\","
          "\"folder\":\"/f\",\"uid\":0,\"environment\":{\"A\":1}}]}",
          "texts alone" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct plan plan;
        status s = plan_parse(arena, bytes_of(cases[i].json), &plan);
        if (s.code != STATUS_INVALID_ARGUMENT || strstr(s.message, cases[i].want) == NULL) {
            fail_msg("%s: got '%s', want '%s'", cases[i].json, s.message, cases[i].want);
        }
        arena_free(arena);
    }
}

static void too_many_programs_are_refused(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct text json = text_new(arena);
    struct plan plan;

    text_add(&json, "{\"runtime\":\"/r\",\"programs\":[1");
    for (int i = 0; i < PLAN_MAX_PROGRAMS; i++) {
        text_add(&json, ",1");
    }
    text_add(&json, "]}");
    status s = plan_parse(arena, text_bytes(&json), &plan);
    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.message, "plan: 65 programs, more than 64");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_read_whole),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(too_many_programs_are_refused),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
