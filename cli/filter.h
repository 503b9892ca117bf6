/* filter - what people write behind --filter, as the steps that search takes.
 *
 *     section = video and not (priority in (required, important) or homepage exists)
 *     size >= 1000 and size <= 5000
 *
 * Values are words, or anything in double quotes; what reads as a number is one, and so are true
 * and false what they say.  `not` binds closest, then `and`, then `or`.  The steps are in postfix
 * order, as weft.search.v1.FilterStep has them.
 */

#ifndef CLI_FILTER_H_
#define CLI_FILTER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "weft/search/v1/search.pb-c.h"

enum {
    FILTER_MAX_STEPS = 64, /* search's own limit */
    FILTER_MAX_DEPTH = 32, /* parentheses and nots: more are never met, and each takes stack */
};

struct filter {
    Weft__Search__V1__FilterStep **steps; /* arena */
    size_t n_steps;
};

/* INVALID_ARGUMENT says where it stopped making sense.  "" has no steps. */
status filter_parse(struct arena *arena, const char *text, struct filter *ret) NONNULL;

#endif
