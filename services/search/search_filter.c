#include "services/search/search_filter.h"

#include "libs/base/status_details.h"
#include "services/search/cursor.h"

#include <string.h>

/* ---- What is allowed ---- */

static size_t operands_of(enum filter_operator kind)
{
    return kind == FILTER_NOT ? 1 : kind == FILTER_AND || kind == FILTER_OR ? 2 : 0;
}

static bool is_operator(enum filter_operator kind)
{
    return kind >= FILTER_AND && kind <= FILTER_EXISTS;
}

static status bad_step(struct arena *arena, size_t i, const char *part, const char *wrong)
{
    return status_bad_field(arena, arena_printf(arena, "filter[%zu].%s", i, part), "%s", wrong);
}

static status check_values(struct arena *arena, size_t i, const struct filter_step *step,
                           enum field_kind kind)
{
    if (step->n_values == 0 || (step->kind == FILTER_EQUAL && step->n_values != 1)) {
        return bad_step(arena, i, "values", "are one for EQUAL, at least one for IN");
    }
    for (size_t v = 0; v < step->n_values; v++) {
        if (step->values[v].kind != kind) {
            return bad_step(arena, i, "values", "are not of the field's kind");
        }
    }
    return status_ok();
}

static status check_test(struct arena *arena, size_t i, const struct filter_step *step,
                         const struct search_schema *schema)
{
    const struct schema_field *field = search_schema_find(schema, step->field);

    if (field == NULL) {
        return bad_step(arena, i, "field", "is not one of the collection's");
    }
    if (step->kind == FILTER_EXISTS) {
        return status_ok();
    }
    if (step->kind == FILTER_RANGE) {
        bool is_range = field->kind == FIELD_NUMBER && step->min <= step->max; /* and no NaN */
        return is_range ? status_ok()
                        : bad_step(arena, i, "field", "has no numbers, or min is beyond max");
    }
    if (field->kind == FIELD_TEXT) {
        return bad_step(arena, i, "field", "is text: it is searched, not filtered by");
    }
    return check_values(arena, i, step, field->kind);
}

status search_filter_check(const struct search_filter *filter, const struct search_schema *schema,
                           struct arena *arena)
{
    size_t depth = 0;
    size_t n_values = 0;

    if (filter->n_steps > MAX_FILTER_STEPS) {
        return status_bad_field(arena, "filter", "has %zu steps, more than %d", filter->n_steps,
                                MAX_FILTER_STEPS);
    }
    for (size_t i = 0; i < filter->n_steps; i++) {
        const struct filter_step *step = &filter->steps[i];
        size_t operands = is_operator(step->kind) ? operands_of(step->kind) : SIZE_MAX;
        if (operands > depth) {
            return bad_step(arena, i, "operator", "is none, or has too few operands before it");
        }
        if (operands == 0) {
            TRY(check_test(arena, i, step, schema));
        }
        depth += 1 - operands;
        n_values += step->n_values;
    }
    if (filter->n_steps > 0 && depth != 1) {
        return status_bad_field(arena, "filter", "leaves %zu results, not one", depth);
    }
    if (n_values > MAX_FILTER_VALUES) {
        return status_bad_field(arena, "filter", "has %zu values, more than %d", n_values,
                                MAX_FILTER_VALUES);
    }
    return status_ok();
}

/* ---- Which documents ---- */

struct apply {
    const struct source *source;
    struct arena *arena;
    size_t field;
    struct bitmap *passing; /* of the step at hand */
};

static struct bitmap empty(const struct source *source, struct arena *arena)
{
    size_t n = bitmap_words_for(source->n_docs);

    return (struct bitmap){ .words = ARENA_NEW_ARRAY(arena, uint64_t, n), .n_words = n };
}

/* Sets all documents of a list. */
static status add_list(struct apply *apply, bytes term)
{
    struct list list;

    TRY(source_find(apply->source, apply->arena, apply->field, term, &list));
    struct cursor *cursor = cursor_new(apply->source, apply->arena, list, false);
    for (; cursor->doc != NO_DOC; cursor_next(cursor)) {
        bitmap_set(apply->passing, cursor->doc);
    }
    return cursor->failure;
}

static bool is_between(double number, double min, double max)
{
    return number >= min && number <= max;
}

/* Sets the documents whose number is between two. */
static status add_numbers(struct apply *apply, double min, double max)
{
    struct list list;
    const double *numbers = NULL;

    TRY(source_find(apply->source, apply->arena, apply->field, (bytes){ 0 }, &list));
    TRY(source_numbers(apply->source, apply->arena, apply->field, &numbers));
    if (numbers == NULL) {
        return status_ok();
    }
    struct cursor *cursor = cursor_new(apply->source, apply->arena, list, false);
    for (size_t rank = 0; cursor->doc != NO_DOC; rank++) {
        if (is_between(numbers[rank], min, max)) {
            bitmap_set(apply->passing, cursor->doc);
        }
        cursor_next(cursor);
    }
    return cursor->failure;
}

static status add_value(struct apply *apply, const struct filter_value *value)
{
    switch (value->kind) {
    case FIELD_NUMBER:
        return add_numbers(apply, value->number, value->number);
    case FIELD_BOOL:
        return add_list(apply, flag_term(value->flag));
    case FIELD_KEYWORD: /* an empty one is nobody's, and "" is the list of all */
        return value->text.size == 0 ? status_ok() : add_list(apply, value->text);
    case FIELD_TEXT:
        break;
    }
    return status_ok();
}

static status apply_test(struct apply *apply, const struct filter_step *step)
{
    if (step->kind == FILTER_EXISTS) {
        return add_list(apply, (bytes){ 0 });
    }
    if (step->kind == FILTER_RANGE) {
        return add_numbers(apply, step->min, step->max);
    }
    for (size_t i = 0; i < step->n_values; i++) {
        TRY(add_value(apply, &step->values[i]));
    }
    return status_ok();
}

/* The last operand becomes the result; other is the one before it. */
static void combine(enum filter_operator kind, struct bitmap *result, const struct bitmap *other)
{
    for (size_t i = 0; i < result->n_words; i++) {
        result->words[i] = kind == FILTER_AND  ? result->words[i] & other->words[i]
                           : kind == FILTER_OR ? result->words[i] | other->words[i]
                                               : ~result->words[i];
    }
}

status search_filter_apply(const struct search_filter *filter, const struct search_schema *schema,
                           const struct source *source, struct arena *arena,
                           struct bitmap *ret_passing)
{
    struct bitmap stack[MAX_FILTER_STEPS] = { { 0 } };
    size_t depth = 0;

    for (size_t i = 0; i < filter->n_steps; i++) {
        const struct filter_step *step = &filter->steps[i];
        size_t operands = operands_of(step->kind);
        if (operands == 0) {
            const struct schema_field *field = search_schema_find(schema, step->field);
            stack[depth] = empty(source, arena);
            struct apply apply = {
                .source = source,
                .arena = arena,
                .field = (size_t)(field - schema->fields),
                .passing = &stack[depth++],
            };
            TRY(apply_test(&apply, step));
        } else {
            depth -= operands - 1;
            combine(step->kind, &stack[depth - 1], &stack[depth]);
        }
    }
    *ret_passing = stack[0];
    return status_ok();
}
