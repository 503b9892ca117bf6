#include "cli/filter.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OPERATOR(name) WEFT__SEARCH__V1__FILTER_OPERATOR__FILTER_OPERATOR_##name

struct parser {
    struct arena *arena;
    const char *at;
    const char *token; /* the one at hand; NULL at the end */
    bool quoted;
    int depth;
    struct filter filter;
};

/* ---- Tokens: words, "quoted words", and ( ) , = >= <= ---- */

static bool is_word(char c)
{
    return c != '\0' && !isspace((unsigned char)c) && strchr("(),=<>\"", c) == NULL;
}

static status take_quoted(struct parser *p)
{
    const char *end = strchr(p->at + 1, '"');

    if (end == NULL) {
        return status_bad_field(p->arena, "filter", "has no closing quote");
    }
    p->token = arena_printf(p->arena, "%.*s", (int)(end - p->at - 1), p->at + 1);
    p->quoted = true;
    p->at = end + 1;
    return status_ok();
}

static status advance(struct parser *p)
{
    size_t size = 0;

    while (isspace((unsigned char)*p->at)) {
        p->at++;
    }
    p->quoted = false;
    if (*p->at == '\0') {
        p->token = NULL;
        return status_ok();
    }
    if (*p->at == '"') {
        return take_quoted(p);
    }
    while (is_word(p->at[size])) {
        size++;
    }
    if (size == 0) {
        bool is_pair = (*p->at == '>' || *p->at == '<') && p->at[1] == '=';
        size = is_pair ? 2 : 1;
    }
    p->token = arena_printf(p->arena, "%.*s", (int)size, p->at);
    p->at += size;
    return status_ok();
}

static bool is(const struct parser *p, const char *token)
{
    return p->token != NULL && !p->quoted && strcmp(p->token, token) == 0;
}

static status unexpected(const struct parser *p, const char *wanted)
{
    if (p->token == NULL) {
        return status_bad_field(p->arena, "filter", "ends where %s should be", wanted);
    }
    return status_bad_field(p->arena, "filter", "has '%s' where %s should be", p->token, wanted);
}

static status expect(struct parser *p, const char *token)
{
    if (!is(p, token)) {
        return unexpected(p, arena_printf(p->arena, "'%s'", token));
    }
    return advance(p);
}

/* ---- Steps ---- */

static status check_room(struct parser *p)
{
    if (p->filter.n_steps == FILTER_MAX_STEPS) {
        return status_bad_field(p->arena, "filter", "has more than %d steps", FILTER_MAX_STEPS);
    }
    return status_ok();
}

/* After check_room(). */
static Weft__Search__V1__FilterStep *add_step(struct parser *p,
                                              Weft__Search__V1__FilterOperator operator_)
{
    Weft__Search__V1__FilterStep *step = ARENA_NEW(p->arena, Weft__Search__V1__FilterStep);

    weft__search__v1__filter_step__init(step);
    step->operator_ = operator_;
    p->filter.steps[p->filter.n_steps++] = step;
    return step;
}

static status take_word(struct parser *p, const char *wanted, const char **ret_word,
                        bool *ret_quoted)
{
    if (p->token == NULL || (!p->quoted && !is_word(p->token[0]))) {
        return unexpected(p, wanted);
    }
    *ret_word = p->token;
    *ret_quoted = p->quoted;
    return advance(p);
}

static status take_value(struct parser *p, Weft__Search__V1__FilterValue **ret_value)
{
    Weft__Search__V1__FilterValue *value = ARENA_NEW(p->arena, Weft__Search__V1__FilterValue);
    const char *word = "";
    bool quoted = false;
    char *end = NULL;

    TRY(take_word(p, "a value", &word, &quoted));
    weft__search__v1__filter_value__init(value);
    double number = strtod(word, &end);
    if (!quoted && end != word && *end == '\0') {
        value->value_case = WEFT__SEARCH__V1__FILTER_VALUE__VALUE_NUMBER;
        value->number = number;
    } else if (!quoted && (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)) {
        value->value_case = WEFT__SEARCH__V1__FILTER_VALUE__VALUE_FLAG;
        value->flag = word[0] == 't';
    } else {
        value->value_case = WEFT__SEARCH__V1__FILTER_VALUE__VALUE_TEXT;
        value->text = message_text(word);
    }
    *ret_value = value;
    return status_ok();
}

enum { MAX_VALUES = 1000 }; /* search's own limit for IN */

static status take_list(struct parser *p, Weft__Search__V1__FilterStep *in)
{
    in->values = ARENA_NEW_ARRAY(p->arena, Weft__Search__V1__FilterValue *, MAX_VALUES);
    TRY(expect(p, "("));
    for (;;) {
        if (in->n_values == MAX_VALUES) {
            return status_bad_field(p->arena, "filter", "has more than %d values", MAX_VALUES);
        }
        TRY(take_value(p, &in->values[in->n_values++]));
        if (!is(p, ",")) {
            return expect(p, ")");
        }
        TRY(advance(p));
    }
}

static status take_equal(struct parser *p, const char *field)
{
    TRY(check_room(p));
    Weft__Search__V1__FilterStep *equal = add_step(p, OPERATOR(EQUAL));
    equal->field = message_text(field);
    equal->values = ARENA_NEW_ARRAY(p->arena, Weft__Search__V1__FilterValue *, 1);
    equal->n_values = 1;
    TRY(advance(p));
    return take_value(p, &equal->values[0]);
}

static status take_bound(struct parser *p, const char *field)
{
    bool is_min = is(p, ">=");
    Weft__Search__V1__FilterValue *value = NULL;

    TRY(advance(p));
    TRY(take_value(p, &value));
    if (value->value_case != WEFT__SEARCH__V1__FILTER_VALUE__VALUE_NUMBER) {
        return status_bad_field(p->arena, "filter", "compares '%s' with what is no number", field);
    }
    TRY(check_room(p));
    Weft__Search__V1__FilterStep *range = add_step(p, OPERATOR(RANGE));
    range->field = message_text(field);
    if (is_min) {
        range->min_bound_case = WEFT__SEARCH__V1__FILTER_STEP__MIN_BOUND_MIN;
        range->min = value->number;
    } else {
        range->max_bound_case = WEFT__SEARCH__V1__FILTER_STEP__MAX_BOUND_MAX;
        range->max = value->number;
    }
    return status_ok();
}

static status take_test(struct parser *p)
{
    const char *field = "";
    bool quoted = false;

    TRY(take_word(p, "a field", &field, &quoted));
    if (is(p, "=")) {
        return take_equal(p, field);
    }
    if (is(p, ">=") || is(p, "<=")) {
        return take_bound(p, field);
    }
    if (is(p, "in")) {
        TRY(advance(p));
        TRY(check_room(p));
        Weft__Search__V1__FilterStep *in = add_step(p, OPERATOR(IN));
        in->field = message_text(field);
        return take_list(p, in);
    }
    TRY(expect(p, "exists"));
    TRY(check_room(p));
    add_step(p, OPERATOR(EXISTS))->field = message_text(field);
    return status_ok();
}

static status take_or(struct parser *p);

/* Counts how deep it is, since each level takes stack. */
static status take_unary(struct parser *p)
{
    if (++p->depth > FILTER_MAX_DEPTH) {
        return status_bad_field(p->arena, "filter", "is nested deeper than %d", FILTER_MAX_DEPTH);
    }
    if (is(p, "not")) {
        TRY(advance(p));
        TRY(take_unary(p));
        TRY(check_room(p));
        (void)add_step(p, OPERATOR(NOT));
    } else if (is(p, "(")) {
        TRY(advance(p));
        TRY(take_or(p));
        TRY(expect(p, ")"));
    } else {
        TRY(take_test(p));
    }
    p->depth--;
    return status_ok();
}

static status take_and(struct parser *p)
{
    TRY(take_unary(p));
    while (is(p, "and")) {
        TRY(advance(p));
        TRY(take_unary(p));
        TRY(check_room(p));
        (void)add_step(p, OPERATOR(AND));
    }
    return status_ok();
}

static status take_or(struct parser *p)
{
    TRY(take_and(p));
    while (is(p, "or")) {
        TRY(advance(p));
        TRY(take_and(p));
        TRY(check_room(p));
        (void)add_step(p, OPERATOR(OR));
    }
    return status_ok();
}

status filter_parse(struct arena *arena, const char *text, struct filter *ret)
{
    struct parser p = { .arena = arena, .at = text };

    p.filter.steps = ARENA_NEW_ARRAY(arena, Weft__Search__V1__FilterStep *, FILTER_MAX_STEPS);
    TRY(advance(&p));
    if (p.token != NULL) {
        TRY(take_or(&p));
        if (p.token != NULL) {
            return unexpected(&p, "'and' or 'or'");
        }
    }
    *ret = p.filter;
    return status_ok();
}
