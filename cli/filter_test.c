#include "cli/filter.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

/* The steps as one line: "section=video essential=true NOT AND". */
static const char *said(struct arena *arena, const struct filter *filter)
{
    struct text text = text_new(arena);

    for (size_t i = 0; i < filter->n_steps; i++) {
        const Weft__Search__V1__FilterStep *step = filter->steps[i];
        const char *const words[] = { "?", "AND", "OR", "NOT", "=", " in", "", " exists" };
        text_add(&text, "%s%s%s", i > 0 ? " " : "", step->field, words[step->operator_]);
        if (step->min_bound_case == WEFT__SEARCH__V1__FILTER_STEP__MIN_BOUND_MIN) {
            text_add(&text, ">=%g", step->min);
        }
        if (step->max_bound_case == WEFT__SEARCH__V1__FILTER_STEP__MAX_BOUND_MAX) {
            text_add(&text, "<=%g", step->max);
        }
        for (size_t j = 0; j < step->n_values; j++) {
            const Weft__Search__V1__FilterValue *value = step->values[j];
            if (value->value_case == WEFT__SEARCH__V1__FILTER_VALUE__VALUE_NUMBER) {
                text_add(&text, ":%g", value->number);
            } else if (value->value_case == WEFT__SEARCH__V1__FILTER_VALUE__VALUE_FLAG) {
                text_add(&text, ":%s", value->flag ? "yes" : "no");
            } else {
                text_add(&text, ":'%s'", value->text);
            }
        }
    }
    return text_string(&text);
}

static void steps_come_in_postfix_order(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *want;
    } cases[] = {
        { "", "" },
        { "section = video", "section=:'video'" },
        { "section=video and not essential=true", "section=:'video' essential=:yes NOT AND" },
        { "a=1 or b=2 and c=3", "a=:1 b=:2 c=:3 AND OR" },
        { "(a=1 or b=2) and c=3", "a=:1 b=:2 OR c=:3 AND" },
        { "a in (x, \"y z\", 3)", "a in:'x':'y z':3" },
        { "size >= 10 and size <= 2.5e3", "size>=10 size<=2500 AND" },
        { "homepage exists", "homepage exists" },
        { "a = \"1\"", "a=:'1'" },
        { "not not a = non-free/games", "a=:'non-free/games' NOT NOT" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct filter filter = { 0 };
        assert_status(filter_parse(arena, cases[i].text, &filter), STATUS_OK);
        assert_string_equal(said(arena, &filter), cases[i].want);
        arena_free(arena);
    }
}

static void what_makes_no_sense_is_named(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *want;
    } cases[] = {
        { "section", "ends where 'exists' should be" },
        { "section = ", "ends where a value should be" },
        { "section = (", "has '(' where a value should be" },
        { "a=1 b=2", "has 'b' where 'and' or 'or' should be" },
        { "(a=1", "ends where ')' should be" },
        { "a in (1,", "ends where a value should be" },
        { "a >= b", "compares 'a' with what is no number" },
        { "\"a", "has no closing quote" },
        { "and", "ends where 'exists' should be" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct filter filter = { 0 };
        status s = filter_parse(arena, cases[i].text, &filter);
        if (s.code != STATUS_INVALID_ARGUMENT || strstr(s.message, cases[i].want) == NULL) {
            fail_msg("'%s': got '%s', want '%s'", cases[i].text, s.message, cases[i].want);
        }
        arena_free(arena);
    }
}

static const char *repeated(struct arena *arena, const char *piece, int n, const char *end)
{
    struct text text = text_new(arena);

    for (int i = 0; i < n; i++) {
        text_add(&text, "%s", piece);
    }
    text_add(&text, "%s", end);
    return text_string(&text);
}

static void what_is_too_long_or_too_deep_is_refused(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct filter filter;

    assert_status(
        filter_parse(arena, repeated(arena, "not ", FILTER_MAX_DEPTH - 1, "a=1"), &filter),
        STATUS_OK);
    assert_status(filter_parse(arena, repeated(arena, "not ", FILTER_MAX_DEPTH, "a=1"), &filter),
                  STATUS_INVALID_ARGUMENT);
    assert_status(filter_parse(arena, repeated(arena, "(", 1000000, ""), &filter),
                  STATUS_INVALID_ARGUMENT);
    /* n tests and n - 1 ands. */
    assert_status(filter_parse(arena, repeated(arena, "a=1 and ", 31, "a=1"), &filter), STATUS_OK);
    assert_status(filter_parse(arena, repeated(arena, "a=1 and ", 32, "a=1"), &filter),
                  STATUS_INVALID_ARGUMENT);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_come_in_postfix_order),
        cmocka_unit_test(what_makes_no_sense_is_named),
        cmocka_unit_test(what_is_too_long_or_too_deep_is_refused),
    };

    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
