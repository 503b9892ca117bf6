#include "services/search/search_filter.h"

#include "libs/base/status_details.h"
#include "libs/testing/assert_status.h"

#include <math.h>
#include <string.h>

/* What a filter finds is the oracle's business (search_oracle_test); this is what it refuses. */

static const struct schema_field fields[] = {
    { .name = "title", .kind = FIELD_TEXT, .weight = 1 },
    { .name = "tags", .kind = FIELD_KEYWORD },
    { .name = "size", .kind = FIELD_NUMBER },
    { .name = "free", .kind = FIELD_BOOL },
};
static const struct search_schema schema = { .fields = fields, .n_fields = 4 };
static const struct filter_value keyword = { .kind = FIELD_KEYWORD };
static const struct filter_value number = { .kind = FIELD_NUMBER };

#define ON_TAGS .field = "tags", .values = &keyword, .n_values = 1
#define EXISTS                                 \
    {                                          \
        .kind = FILTER_EXISTS, .field = "tags" \
    }

static void filters_are_checked_step_by_step(void **state)
{
    static const struct {
        struct filter_step steps[4];
        size_t n_steps;
        const char *wrong; /* NULL: it is good */
    } cases[] = {
        { .n_steps = 0 },
        { { EXISTS }, 1, NULL },
        { { { .kind = FILTER_EQUAL, ON_TAGS }, { .kind = FILTER_NOT } }, 2, NULL },
        { { EXISTS, EXISTS, { .kind = FILTER_OR }, { .kind = FILTER_NOT } }, 4, NULL },
        { { { .kind = FILTER_RANGE, .field = "size", .min = 1, .max = 1 } }, 1, NULL },
        { { { .kind = FILTER_EXISTS, .field = "title" } }, 1, NULL },
        { { { .kind = FILTER_NOT } }, 1, "filter[0].operator" },
        { { EXISTS, { .kind = FILTER_AND } }, 2, "filter[1].operator" },
        { { { .kind = (enum filter_operator)0 } }, 1, "filter[0].operator" },
        { { { .kind = (enum filter_operator)8 } }, 1, "filter[0].operator" },
        { { EXISTS, EXISTS }, 2, "filter" },
        { { { .kind = FILTER_EXISTS, .field = "colour" } }, 1, "filter[0].field" },
        { { { .kind = FILTER_EQUAL, .field = "title", .values = &keyword, .n_values = 1 } },
          1,
          "filter[0].field" },
        { { { .kind = FILTER_EQUAL, .field = "tags", .values = &number, .n_values = 1 } },
          1,
          "filter[0].values" },
        { { { .kind = FILTER_EQUAL, .field = "tags" } }, 1, "filter[0].values" },
        { { { .kind = FILTER_IN, .field = "tags" } }, 1, "filter[0].values" },
        { { { .kind = FILTER_RANGE, .field = "tags", .max = 1 } }, 1, "filter[0].field" },
        { { { .kind = FILTER_RANGE, .field = "size", .min = 2, .max = 1 } }, 1, "filter[0].field" },
        { { { .kind = FILTER_RANGE, .field = "size", .min = NAN, .max = 1 } },
          1,
          "filter[0].field" },
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct search_filter filter = { cases[i].steps, cases[i].n_steps };
        status s = search_filter_check(&filter, &schema, arena);
        const char *wrong = status_is_ok(s) ? "nothing" : s.details->field.field;
        if (strcmp(wrong, cases[i].wrong == NULL ? "nothing" : cases[i].wrong) != 0) {
            fail_msg("case %zu: got %s (%s)", i, wrong, s.message);
        }
    }
    arena_free(arena);
}

static void filters_have_limits(void **state)
{
    struct arena *arena = arena_new();
    struct filter_step steps[MAX_FILTER_STEPS + 1];
    struct filter_value *values =
        ARENA_NEW_ARRAY(arena, struct filter_value, MAX_FILTER_VALUES + 1);
    struct search_filter filter = { .steps = steps, .n_steps = MAX_FILTER_STEPS };

    (void)state;
    for (size_t i = 0; i <= MAX_FILTER_VALUES; i++) {
        values[i].kind = FIELD_KEYWORD;
    }
    steps[0] = (struct filter_step){
        .kind = FILTER_IN, .field = "tags", .values = values, .n_values = MAX_FILTER_VALUES
    };
    for (size_t i = 1; i <= MAX_FILTER_STEPS; i++) {
        steps[i] = (struct filter_step){ .kind = FILTER_NOT };
    }
    assert_status(search_filter_check(&filter, &schema, arena), STATUS_OK);
    filter.n_steps++;
    assert_status(search_filter_check(&filter, &schema, arena), STATUS_INVALID_ARGUMENT);
    filter.n_steps = 1;
    steps[0].n_values++;
    assert_status(search_filter_check(&filter, &schema, arena), STATUS_INVALID_ARGUMENT);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_checked_step_by_step),
        cmocka_unit_test(filters_have_limits),
    };

    return cmocka_run_group_tests_name("search_filter", tests, NULL, NULL);
}
