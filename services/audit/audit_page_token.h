/* audit_page_token - where a list goes on: the place of the last entry, and what was asked for.
 *
 *     "1700000000123.42.9f86d081884c7d65"     time, index, hash of the filters
 *
 * The hash is there to say so when a token comes back with other filters; it protects nothing,
 * since what a caller may see is decided anew for each page.
 */

#ifndef SERVICES_AUDIT_AUDIT_PAGE_TOKEN_H_
#define SERVICES_AUDIT_AUDIT_PAGE_TOKEN_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "services/audit/audit_engine.h"

#include <stdbool.h>

const char *audit_page_token(struct arena *arena, const struct audit_query *query,
                             const struct audit_place *last) NONNULL RETURNS_NONNULL;

/* "" is the place before all; false: it did not come from this query. */
bool audit_page_token_parse(struct arena *arena, const struct audit_query *query, const char *token,
                            struct audit_place *ret_after) NONNULL;

#endif
