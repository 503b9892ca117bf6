/* traces - what is still remembered of a trace, by all services and by ourselves. */

#ifndef CLI_TRACES_H_
#define CLI_TRACES_H_

#include "cli/session.h"
#include "cli/trace_tree.h"

struct trace_spans {
    struct trace_span *spans; /* arena */
    size_t n_spans;
    const char *silent; /* services that did not answer, "" when all did; arena */
};

/* Leaves what we did in a trace for who asks later: `weft trace` in another process. */
void traces_keep(struct session *session, struct arena *arena, const char *trace_id) NONNULL;

/* trace_id has 32 hex digits.  Asks each service for at most 1,000 spans. */
void traces_collect(struct session *session, struct arena *arena, const char *trace_id,
                    struct trace_spans *ret) NONNULL;

#endif
