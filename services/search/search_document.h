/* search_document - one thing that can be found: an id and a flat set of fields.
 *
 * Stored as it was given: fields in their order, values in theirs.  The encoding, all numbers
 * varints, is
 *
 *     1                              version
 *     size id
 *     n_fields
 *     per field: place in the schema, kind, then
 *         text       size bytes
 *         keyword    2 n + (it was given alone), then each: size bytes
 *         number     8 bytes, an IEEE double
 *         bool       1 byte
 *
 * so that a document can be read without its schema, and is checked against it before it is
 * written.
 */

#ifndef SERVICES_SEARCH_SEARCH_DOCUMENT_H_
#define SERVICES_SEARCH_SEARCH_DOCUMENT_H_

#include "services/search/search_schema.h"

enum {
    MAX_DOCUMENT_ID_BYTES = 512,     /* ids are compared and kept in each part's table of ids */
    MAX_DOCUMENT_BYTES = 256 * 1024, /* a batch of 1,000 and its index fit in the memtable */
    MAX_KEYWORDS = 256,              /* of one field: each is an entry in the index */
    MAX_KEYWORD_BYTES = 1024,        /* each stands whole in the table of terms */
};

struct document_field {
    size_t place; /* in the schema */
    enum field_kind kind;
    bytes text; /* FIELD_TEXT */
    const bytes *keywords;
    size_t n_keywords;
    bool alone; /* FIELD_KEYWORD: it was given as a value, not as a list of one */
    double number;
    bool flag;
};

struct search_document {
    bytes id;
    const struct document_field *fields;
    size_t n_fields;
};

/* INVALID_ARGUMENT: naming the field by its name in the schema, and what is wrong with it. */
status search_document_check(const struct search_document *document,
                             const struct search_schema *schema, struct arena *arena) NONNULL;

/* In arena; the document has passed the check. */
bytes search_document_encode(const struct search_document *document, struct arena *arena) NONNULL;

/* Texts are where they stand in data; the rest in arena.  False when the bytes are no document
 * whose own limits hold; nothing is said about the schema. */
bool search_document_decode(bytes data, struct arena *arena, struct search_document *ret_document)
    NONNULL;

/* The field at that place in the schema, or NULL. */
const struct document_field *search_document_field(const struct search_document *document,
                                                   size_t place) NONNULL;

#endif
