/* search_message - requests as the engine takes them, and what it gives as responses. */

#ifndef SERVICES_SEARCH_SEARCH_MESSAGE_H_
#define SERVICES_SEARCH_SEARCH_MESSAGE_H_

#include "services/search/search_engine.h"
#include "weft/search/v1/search_service.pb-c.h"

/* Everything read from a message borrows its texts, and everything lives in arena. */

/* Whether a text may name a project or a collection: 1 to 63 characters of a-z, 0-9 and '-',
 * beginning with a letter. */
bool search_name_is_valid(const char *name) NONNULL;

/* Not checked yet: search_schema_check(). */
struct search_schema schema_of_message(struct arena *arena,
                                       Weft__Search__V1__FieldSchema *const *fields,
                                       size_t n_fields) NONNULL_ARGS(1);
/* INVALID_ARGUMENT: a field is not in the schema, or has no value.  All else is for
 * search_document_check(). */
status document_of_message(struct arena *arena, const struct search_schema *schema,
                           const Weft__Search__V1__Document *message,
                           struct search_document *ret_document) NONNULL;
/* INVALID_ARGUMENT: a value is not set, or what only some steps have stands with another.  All
 * else is for search_filter_check(). */
status filter_of_message(struct arena *arena, Weft__Search__V1__FilterStep *const *steps,
                         size_t n_steps, struct search_filter *ret_filter) NONNULL_ARGS(1, 4);

Weft__Search__V1__Collection *collection_message(struct arena *arena,
                                                 const struct collection_info *info)
    NONNULL RETURNS_NONNULL;

/* names: the fields that are wanted; none: all. */
struct wanted_fields {
    char *const *names;
    size_t n_names;
};
Weft__Search__V1__Document *
document_message(struct arena *arena, const struct search_schema *schema,
                 const struct search_document *document, const struct wanted_fields *wanted)
    NONNULL RETURNS_NONNULL;
Weft__Search__V1__Hit *hit_message(struct arena *arena, const struct search_schema *schema,
                                   const struct search_hit *hit, const struct wanted_fields *wanted)
    NONNULL RETURNS_NONNULL;

#endif
