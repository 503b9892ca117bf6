#include "cli/output.h"

#include "libs/testing/assert_status.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    FILE *out;
    FILE *errors;
    char *said;
    char *complaint;
    size_t said_size;
    size_t complaint_size;
    struct output *output;
};

static struct fixture *fixture_new(enum output_format format, bool colour)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    f->out = open_memstream(&f->said, &f->said_size);
    f->errors = open_memstream(&f->complaint, &f->complaint_size);
    assert_true(f->out != NULL && f->errors != NULL);
    f->output = output_new(&(struct output_options){
        .out = f->out,
        .errors = f->errors,
        .format = format,
        .colour = colour,
    });
    return f;
}

/* What was said, and then what was complained about. */
static const char *finish(struct fixture *f)
{
    output_free(f->output);
    (void)fclose(f->out);
    (void)fclose(f->errors);
    const char *all = arena_printf(f->arena, "%s|%s", f->said, f->complaint);
    free(f->said);
    free(f->complaint);
    return all;
}

static void fixture_free(struct fixture *f)
{
    arena_free(f->arena);
    free(f);
}

static void say_two_rows(struct fixture *f)
{
    output_row(f->output, FIELDS(field_text("name", "tenant"), field_number("ready_ms", 7),
                                 field_only(FIELD_JSON_ONLY, field_bool("well", true))));
    output_row(f->output, FIELDS(field_text("name", NULL), field_number("ready_ms", 1200),
                                 field_only(FIELD_JSON_ONLY, field_bool("well", false))));
}

static void rows_are_a_table_for_people(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(OUTPUT_TABLE, false);

    say_two_rows(f);
    assert_string_equal(finish(f), "NAME    READY MS\n"
                                   "tenant         7\n"
                                   "-           1200\n|");
    fixture_free(f);
}

static void rows_are_objects_for_programs(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(OUTPUT_JSON, false);

    say_two_rows(f);
    output_say(f->output, TONE_GOOD, "not for programs");
    assert_string_equal(finish(f), "{\"name\":\"tenant\",\"ready_ms\":7,\"well\":true}\n"
                                   "{\"name\":null,\"ready_ms\":1200,\"well\":false}\n|");
    fixture_free(f);
}

static void columns_are_as_wide_as_their_characters(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(OUTPUT_TABLE, false);

    output_row(f->output, FIELDS(field_text("a", "Zo\xc3\xab"), field_text("b", "x")));
    output_row(f->output, FIELDS(field_text("a", "Zoe"), field_text("b", "y")));
    assert_string_equal(finish(f), "A    B\nZo\xc3\xab  x\nZoe  y\n|");
    fixture_free(f);
}

static void what_others_wrote_cannot_command_the_terminal(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(OUTPUT_TABLE, true);

    output_row(f->output, FIELDS(field_text("a", "\x1b[2Jgone\n\xc2\x9b\xff")));
    output_say(f->output, TONE_PLAIN, "method=%s", "\x1b]0;title\x07");
    output_error(f->output, status_error(f->arena, STATUS_NOT_FOUND, "no '\x1b'"), "look");
    const char *all = finish(f);
    assert_non_null(strstr(all, "?[2Jgone ??\n"));
    assert_non_null(strstr(all, "no '?' (NOT_FOUND)\n  next: look\n"));
    assert_non_null(strstr(all, "method=?]0;title?"));
    fixture_free(f);
}

static void colours_are_only_where_they_are_wanted(void **state)
{
    (void)state;
    struct fixture *plain = fixture_new(OUTPUT_TABLE, false);
    struct fixture *coloured = fixture_new(OUTPUT_TABLE, true);

    output_say(plain->output, TONE_GOOD, "fine");
    output_say(coloured->output, TONE_GOOD, "fine");
    assert_string_equal(finish(plain), "fine\n|");
    assert_string_equal(finish(coloured), "\x1b[32mfine\x1b[0m\n|");
    fixture_free(plain);
    fixture_free(coloured);
}

static void an_error_is_an_object_too(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(OUTPUT_JSON, false);

    output_error(f->output, status_error(f->arena, STATUS_UNAVAILABLE, "it is \"down\""), NULL);
    assert_string_equal(
        finish(f), "|{\"error\":{\"code\":\"UNAVAILABLE\",\"message\":\"it is \\\"down\\\"\"}}\n");
    fixture_free(f);
}

static void times_are_rfc_3339_for_programs(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(OUTPUT_JSON, false);

    output_row(f->output,
               FIELDS(field_time(f->arena, "at", 1234567890123), field_time(f->arena, "never", 0)));
    assert_string_equal(finish(f), "{\"at\":\"2009-02-13T23:31:30.123Z\",\"never\":null}\n|");
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_a_table_for_people),
        cmocka_unit_test(rows_are_objects_for_programs),
        cmocka_unit_test(columns_are_as_wide_as_their_characters),
        cmocka_unit_test(what_others_wrote_cannot_command_the_terminal),
        cmocka_unit_test(colours_are_only_where_they_are_wanted),
        cmocka_unit_test(an_error_is_an_object_too),
        cmocka_unit_test(times_are_rfc_3339_for_programs),
    };

    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
