/* search_filter - which documents a query may find at all.
 *
 * Steps in postfix order, operands first: "section = video and not essential" is
 *
 *     EQUAL section video, EQUAL essential true, NOT, AND
 *
 * so that nothing nests and nothing recurses.  A filter is evaluated before any word is looked
 * at, into one bit for each document of a source; whoever retrieves skips what is not in it, so
 * that a narrow filter finds as many as there are.
 */

#ifndef SERVICES_SEARCH_SEARCH_FILTER_H_
#define SERVICES_SEARCH_SEARCH_FILTER_H_

#include "services/search/source.h"

enum {
    MAX_FILTER_STEPS = 64,    /* each may be a bitmap of a source */
    MAX_FILTER_VALUES = 1000, /* of all steps together: each is looked up */
};

enum filter_operator {
    FILTER_AND = 1, /* of the two before */
    FILTER_OR = 2,
    FILTER_NOT = 3, /* of the one before */
    FILTER_EQUAL = 4,
    FILTER_IN = 5,
    FILTER_RANGE = 6, /* from min to max, both included */
    FILTER_EXISTS = 7,
};

struct filter_value {
    enum field_kind kind; /* FIELD_KEYWORD, FIELD_NUMBER or FIELD_BOOL */
    bytes text;
    double number;
    bool flag;
};

struct filter_step {
    enum filter_operator kind;
    const char *field; /* by name; EQUAL, IN, RANGE, EXISTS */
    const struct filter_value *values;
    size_t n_values; /* EQUAL: 1; IN: 1 or more */
    double min;      /* RANGE; -INFINITY: no bound */
    double max;      /* INFINITY: no bound */
};

struct search_filter {
    const struct filter_step *steps;
    size_t n_steps; /* 0: every document passes */
};

/* INVALID_ARGUMENT: naming the step, "filter[2].field". */
status search_filter_check(const struct search_filter *filter, const struct search_schema *schema,
                           struct arena *arena) NONNULL;

/* The documents of source that pass a filter that was checked, dead ones perhaps among them.
 * In arena; not to be reset. */
status search_filter_apply(const struct search_filter *filter, const struct search_schema *schema,
                           const struct source *source, struct arena *arena,
                           struct bitmap *ret_passing) NONNULL;

#endif
