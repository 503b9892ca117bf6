/* span_file - the client's own spans, for `weft trace` later.
 *
 * A service remembers its spans as long as it runs; a client ends with its command, and so it
 * leaves the spans of its calls in HOME/cli/spans, one JSON object a line.  Several clients append
 * at once, each trace by one write.  Past 1 MiB, some 4,000 spans, the file becomes spans.1 and
 * another is begun, so that the last few thousand are there.
 */

#ifndef CLI_SPAN_FILE_H_
#define CLI_SPAN_FILE_H_

#include "cli/trace_tree.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <stddef.h>
#include <stdint.h>

#define SPAN_FILE_MAX_BYTES (INT64_C(1) << 20)

/* Best effort: a trace is no promise.  folder is HOME/cli. */
void span_file_append(struct arena *arena, const char *folder, const char *trace_id,
                      const struct trace_span *spans, size_t n_spans) NONNULL_ARGS(1, 2, 3);

/* Those of one trace, in arena; *ret_spans has *ret_n. */
void span_file_find(struct arena *arena, const char *folder, const char *trace_id,
                    const struct trace_span **ret_spans, size_t *ret_n) NONNULL;

#endif
