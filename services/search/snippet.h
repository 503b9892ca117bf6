/* snippet - the part of a document that answers a query best, and where in it the words stand.
 *
 * The stretch of about 240 bytes, in one of the text fields, whose different words of the query
 * are worth most together; it begins and ends with whole words.  Of two as good, the one in the
 * field that weighs less: the weighty one is a title, which is shown anyway.
 */

#ifndef SERVICES_SEARCH_SNIPPET_H_
#define SERVICES_SEARCH_SNIPPET_H_

#include "services/search/ranking.h"

enum { SNIPPET_BYTES = 240 };

struct snippet_range {
    uint32_t start; /* bytes in the snippet's text */
    uint32_t end;
};

struct snippet {
    size_t place; /* of the field, in the schema */
    bytes text;   /* in the document's; empty when no word of the query is in a text field */
    struct snippet_range *ranges; /* arena; in order, none overlapping */
    size_t n_ranges;
};

struct snippet snippet_make(const struct ranking *ranking, struct analyzer *analyzer,
                            struct arena *arena, const struct search_document *document) NONNULL;

#endif
