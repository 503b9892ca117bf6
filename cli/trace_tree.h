/* trace_tree - the spans of one trace as a tree across the services, with times.
 *
 *     weft search                              cli        0.0 ms   12.4 ms [======================]
 *       SearchService/Search                   cli        0.2 ms   11.9 ms [======================]
 *         SearchService/Search                 search     1.1 ms    9.8 ms  [  ================== ]
 *
 * A span whose parent is not there (a ring has forgotten it, a service did not answer) stands at
 * the top.  Order is that of the starts; each span once, whatever its parents say.
 */

#ifndef CLI_TRACE_TREE_H_
#define CLI_TRACE_TREE_H_

#include "cli/output.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <stddef.h>
#include <stdint.h>

struct trace_span {
    const char *span_id;
    const char *parent_span_id; /* "" at the root */
    const char *name;
    const char *service;
    int64_t start_us; /* Unix time */
    int64_t duration_us;
    int code; /* a google.rpc.Code */
};

/* Shows them, as rows; borrows. */
void trace_tree_show(struct output *output, struct arena *arena, const struct trace_span *spans,
                     size_t n_spans) NONNULL_ARGS(1, 2);

#endif
