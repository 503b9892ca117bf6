/* search_schema - the fields that a collection's documents have.
 *
 * A field is known by its place in the schema everywhere below: in stored documents, in the
 * index, in filters.  So a schema may grow at its end and never changes otherwise.
 */

#ifndef SERVICES_SEARCH_SEARCH_SCHEMA_H_
#define SERVICES_SEARCH_SEARCH_SCHEMA_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/base/text.h"
#include "services/search/pack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* A query's word is looked up in each text field, and a filter's bitmap is made of each. */
    MAX_FIELDS = 64,
    MAX_FIELD_NAME_BYTES = 63,
};

/* The numbers stand in files. */
enum field_kind {
    FIELD_TEXT = 1,    /* words, ranked */
    FIELD_KEYWORD = 2, /* exact values to filter by */
    FIELD_NUMBER = 3,
    FIELD_BOOL = 4,
};

struct schema_field {
    const char *name; /* 1 to 63 characters of a-z, 0-9 and '_', beginning with a letter */
    enum field_kind kind;
    float weight; /* FIELD_TEXT: how much more a word here counts, 0.01 to 100; otherwise 0 */
};

struct search_schema {
    const struct schema_field *fields;
    size_t n_fields;
};

/* INVALID_ARGUMENT: naming the field, "fields[2].name". */
status search_schema_check(const struct search_schema *schema, struct arena *arena) NONNULL;
bool search_schema_equal(const struct search_schema *a, const struct search_schema *b) NONNULL;
/* NULL when there is none of that name; otherwise its place is result - schema->fields. */
const struct schema_field *search_schema_find(const struct search_schema *schema, const char *name)
    NONNULL;

/* In arena. */
struct search_schema search_schema_copy(const struct search_schema *schema, struct arena *arena)
    NONNULL;

void search_schema_pack(const struct search_schema *schema, struct text *out) NONNULL;
/* In arena.  Sets in->failed when the bytes are no schema that passes the check. */
void search_schema_unpack(struct unpack *in, struct arena *arena, struct search_schema *ret_schema)
    NONNULL;

#endif
