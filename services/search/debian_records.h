/* debian_records - Debian's package lists as documents, for benchmarks.
 *
 * Packages and Translation-en are as apt keeps them, uncompressed: paragraphs of "Name: value",
 * where a line that begins with a space goes on.  The long text of a package is in the second,
 * joined by Description-md5.
 */

#ifndef SERVICES_SEARCH_DEBIAN_RECORDS_H_
#define SERVICES_SEARCH_DEBIAN_RECORDS_H_

#include "services/search/search_document.h"

/* name, summary, description: text; section, priority, maintainer, tags: keywords; size: number. */
extern const struct search_schema debian_schema;

struct debian_records {
    struct search_document *documents; /* arena; texts are where they stand */
    size_t n_documents;
};

void debian_records_read(struct arena *arena, bytes packages, bytes translation,
                         struct debian_records *ret_records) NONNULL;

#endif
