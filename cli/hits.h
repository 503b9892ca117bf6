/* hits - what search found, as people read it. */

#ifndef CLI_HITS_H_
#define CLI_HITS_H_

#include "cli/output.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "weft/search/v1/search_service.pb-c.h"

/* A row for each hit: its score, its id, and its snippet with the words of the query marked
 * between "**". */
void hits_show(struct output *output, struct arena *arena,
               const Weft__Search__V1__SearchResponse *response) NONNULL;

/* The text of a snippet, its ranges between `open` and `close`; control characters become spaces.
 */
const char *snippet_marked(struct arena *arena, const Weft__Search__V1__Snippet *snippet,
                           const char *open, const char *close) NONNULL RETURNS_NONNULL;

#endif
