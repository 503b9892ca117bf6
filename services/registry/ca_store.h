/* ca_store - which certificates were issued and which join tokens there are, as rows.
 *
 *     certificate   one row each, until a while after it has expired
 *     join_token    one row each: a keyed hash of it, never the token, until it has expired
 */

#ifndef SERVICES_REGISTRY_CA_STORE_H_
#define SERVICES_REGISTRY_CA_STORE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct ca_certificate_record {
    const char *serial; /* hex */
    const char *spiffe_id;
    int64_t issue_time_ms;
    int64_t expire_time_ms;
};

struct ca_join_token_record {
    const char *token_id;   /* the public part */
    bytes hash;             /* api_key_hash() of the whole */
    const char *host_id;    /* the only one it is for; "" is any */
    int64_t expire_time_ms; /* the first moment it is not good any more */
    int64_t use_time_ms;    /* 0: not used */
    const char *used_by;    /* host_id; "" while not used */
};

/* Brings the tables up to date; when the service starts. */
status ca_store_migrate(struct store *store, struct arena *arena) NONNULL;

/* Whether any certificate is on record. */
status ca_store_has_issued(struct store *store, struct arena *arena, bool *ret_has) NONNULL;

/* NOT_FOUND when there is none of that serial. */
status ca_store_get_certificate(struct store *store, struct arena *arena, const char *serial,
                                struct ca_certificate_record *ret_record) NONNULL;

/* NOT_FOUND when there is none of that id. */
status ca_store_get_join_token(struct store *store, struct arena *arena, const char *token_id,
                               struct ca_join_token_record *ret_record) NONNULL;

/* What follows borrows the texts of the record until the commit. */

void ca_store_add_certificate(struct store_write *write, const struct ca_certificate_record *record)
    NONNULL;

void ca_store_add_join_token(struct store_write *write, const struct ca_join_token_record *record)
    NONNULL;

/* The commit is `otherwise` when the token was used meanwhile, or has expired. */
void ca_store_use_join_token(struct store_write *write, const struct ca_join_token_record *record,
                             status otherwise) NONNULL;

/* Forgets what expired before then. */
void ca_store_forget(struct store_write *write, int64_t before_ms) NONNULL;

#endif
