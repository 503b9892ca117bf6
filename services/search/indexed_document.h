/* indexed_document - a document as the index sees it: fields as lists of terms.
 *
 * Text is analysed (search_analyzer.h); a keyword's values and a bool's "0" or "1" are terms as
 * they are.  The same stored document always gives the same terms.
 */

#ifndef SERVICES_SEARCH_INDEXED_DOCUMENT_H_
#define SERVICES_SEARCH_INDEXED_DOCUMENT_H_

#include "services/search/search_analyzer.h"
#include "services/search/search_document.h"

struct indexed_field {
    size_t place;
    enum field_kind kind;
    struct terms terms;
    double number;
};

struct indexed_document {
    bytes id;
    bytes stored; /* as search_document_encode() gave it */
    struct indexed_field fields[MAX_FIELDS];
    size_t n_fields;
};

/* Refers to stored, and lives in arena.  False when stored is no document. */
bool indexed_document_make(struct analyzer *analyzer, struct arena *arena, bytes stored,
                           struct indexed_document *ret_document) NONNULL;

/* How many words a field has, as the index keeps it; 0 for all but text. */
uint16_t indexed_field_length(const struct indexed_field *field) NONNULL;

/* The term of a bool's value. */
bytes flag_term(bool flag);

#endif
