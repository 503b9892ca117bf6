#include "cli/verbs.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <stdio.h>
#include <string.h>

static const struct verb *const tables[] = {
#define X(table) table,
    VERB_TABLES(X)
#undef X
};

enum { N_TABLES = sizeof tables / sizeof tables[0] };

static const char *name_of(struct arena *arena, const struct verb *verb)
{
    return arena_printf(arena, "%s %s", verb->area != NULL ? verb->area : "", verb->name);
}

static void every_verb_is_named_once_and_explained(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const char *names[256];
    size_t n = 0;

    for (size_t i = 0; i < N_TABLES; i++) {
        for (const struct verb *verb = tables[i]; verb->name != NULL; verb++) {
            const char *name = name_of(arena, verb);
            assert_true(verb->usage != NULL && verb->summary != NULL && verb->summary[0] != '\0');
            for (size_t j = 0; j < n; j++) {
                assert_string_not_equal(names[j], name);
            }
            assert_true(n < 256);
            names[n++] = name;
        }
    }
    assert_true(n > 40);
    arena_free(arena);
}

/* No mesh is there: what is wrong on the command line is said before anything is done or asked. */
static void every_verb_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    char unknown[] = "--no-such-option";
    char *words[] = { unknown };
    FILE *nowhere = fopen("/dev/null", "we");

    assert_non_null(nowhere);
    for (size_t i = 0; i < N_TABLES; i++) {
        for (const struct verb *verb = tables[i]; verb->name != NULL; verb++) {
            struct arena *arena = arena_new();
            const char *home = temp_folder(arena);
            struct invocation invocation = {
                .arena = arena,
                .arguments = arguments_new(arena, 1, words),
                .output = output_new(&(struct output_options){ .out = nowhere, .errors = nowhere }),
                .root = home,
                .programs = home,
                .command = verb->name,
            };
            status s = verb->run(&invocation);
            if (s.code != STATUS_INVALID_ARGUMENT) {
                fail_msg("%s: %s (%s)", name_of(arena, verb), status_code_name(s.code), s.message);
            }
            output_free(invocation.output);
            arena_free(arena);
        }
    }
    (void)fclose(nowhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_is_named_once_and_explained),
        cmocka_unit_test(every_verb_refuses_what_it_does_not_know),
    };

    return cmocka_run_group_tests_name("verbs", tests, NULL, NULL);
}
