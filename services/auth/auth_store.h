/* auth_store - service accounts, keys and revocations as rows, and the SQL that makes them so.
 *
 * Plain functions over a struct store.  What reads returns records in arena; what changes adds
 * statements to a write, so that the caller decides what else happens with it and commits once.
 *
 *     service_account  tenant, id      uid: of this account, not of one that had its id before
 *     api_key          tenant, key id  a keyed hash of the key, and whose it is by account and uid
 *     standing         tenant          how it stood last: auth starts without the tenant service
 *     point            name            enforcement points, and since when they are gone
 *     revocation       tenant, subject what enforcement points must still know of
 *     auth_number      name            the epoch; whether the administrator was made
 */

#ifndef SERVICES_AUTH_AUTH_STORE_H_
#define SERVICES_AUTH_AUTH_STORE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/crypto/sha256.h"
#include "libs/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a service account's keys are for: they begin with "weft_sa_". */
#define KEY_PURPOSE "sa"

struct text_list {
    const char *const *texts;
    size_t n_texts;
};

struct account_record {
    const char *tenant_id;
    const char *account_id;
    const char *uid; /* a ULID */
    const char *display_name;
    struct text_list roles;
    struct text_list permissions; /* beside those of the roles */
    int64_t create_time_ms;       /* since 1970, UTC; as all of them */
    int64_t earliest_ms; /* not stored: its tokens are of a later time, since those of one that had
                            its name before are refused up to then */
};

struct key_record {
    const char *tenant_id;
    const char *key_id;
    const char *account_id;
    const char *account_uid;
    const char *display_name;
    struct sha256 hash;
    int64_t create_time_ms;
    int64_t expire_time_ms; /* 0: never */
    int64_t revoke_time_ms; /* 0: it was not */
};

/* How a tenant stood when the tenant service was last heard. */
struct standing_record {
    const char *tenant_id;
    int64_t standing; /* Weft__Auth__V1__TenantStanding */
    int64_t max_projects, max_records, requests_per_minute;
};

struct revocation_record {
    const char *tenant_id;
    const char *subject;
    int64_t epoch_ms;
    int64_t forget_ms;
};

/* Brings the tables up to date; when the service starts. */
status auth_store_migrate(struct store *store, struct arena *arena) NONNULL;

/* ---- Reading; NOT_FOUND when there is none of that id in the tenant ---- */

status auth_store_get_account(struct store *store, struct arena *arena, const char *tenant_id,
                              const char *account_id, struct account_record *ret_record) NONNULL;
status auth_store_get_key(struct store *store, struct arena *arena, const char *tenant_id,
                          const char *key_id, struct key_record *ret_record) NONNULL;

struct account_page {
    const struct account_record *records;
    size_t n_records;
    bool more; /* there are others after the last of these */
};
struct key_page {
    const struct key_record *records;
    size_t n_records;
    bool more;
};

/* The tenants that have accounts, in order. */
status auth_store_list_tenants(struct store *store, struct arena *arena, struct text_list *ret_ids)
    NONNULL;
/* At most limit of the tenant's, in order of their ids, after the given one; "" is before all. */
status auth_store_list_accounts(struct store *store, struct arena *arena, const char *tenant_id,
                                const char *after, size_t limit, struct account_page *ret_page)
    NONNULL;
/* account_id "": of all accounts. */
status auth_store_list_keys(struct store *store, struct arena *arena, const char *tenant_id,
                            const char *account_id, const char *after, size_t limit,
                            struct key_page *ret_page) NONNULL;
/* Of all tenants, after a pair of ids; for the start.  Keys: those that are not revoked. */
status auth_store_scan_accounts(struct store *store, struct arena *arena, const char *tenant_id,
                                const char *account_id, size_t limit, struct account_page *ret_page)
    NONNULL;
status auth_store_scan_keys(struct store *store, struct arena *arena, const char *tenant_id,
                            const char *key_id, size_t limit, struct key_page *ret_page) NONNULL;

struct revocation_page {
    const struct revocation_record *records;
    size_t n_records;
    bool more;
};
/* Those to be forgotten after now_ms, of all tenants, after a pair. */
status auth_store_scan_revocations(struct store *store, struct arena *arena, int64_t now_ms,
                                   const char *tenant_id, const char *subject, size_t limit,
                                   struct revocation_page *ret_page) NONNULL;

struct standing_page {
    const struct standing_record *records;
    size_t n_records;
    bool more;
};
/* After a tenant. */
status auth_store_scan_standings(struct store *store, struct arena *arena, const char *tenant_id,
                                 size_t limit, struct standing_page *ret_page) NONNULL;

/* Names of enforcement points, the last to go first; at most limit. */
status auth_store_list_points(struct store *store, struct arena *arena, size_t limit,
                              struct text_list *ret_names) NONNULL;

/* 0 when it was never set. */
status auth_store_get_number(struct store *store, struct arena *arena, const char *name,
                             int64_t *ret_number) NONNULL;

/* ---- Changing; records and their texts are borrowed until the commit ---- */

/* The commit is ALREADY_EXISTS when there is one of that id, and RESOURCE_EXHAUSTED when the
 * tenant has max_accounts. */
void auth_store_insert_account(struct store_write *write, const struct account_record *record,
                               size_t max_accounts) NONNULL;
/* With all its keys.  The commit is NOT_FOUND when it is not there any more. */
void auth_store_delete_account(struct store_write *write, const struct account_record *record)
    NONNULL;
/* All accounts of the tenant, and all keys, revoked ones too. */
void auth_store_delete_tenant(struct store_write *write, const char *tenant_id) NONNULL;
/* The commit is NOT_FOUND when the account is not there any more, and RESOURCE_EXHAUSTED when it
 * has max_keys that live at the key's create_time_ms. */
void auth_store_insert_key(struct store_write *write, const struct key_record *record,
                           size_t max_keys) NONNULL;
/* Of the record's account: those that were revoked or have expired at its create_time_ms, but for
 * the n_kept newest keys. */
void auth_store_forget_keys(struct store_write *write, const struct key_record *record,
                            size_t n_kept) NONNULL;
/* The commit is RESOURCE_EXHAUSTED when so many of the tenant's revocations are not forgotten.  The
 * account must be there. */
void auth_store_limit_revocations(struct store_write *write, const char *tenant_id,
                                  const char *account_id, int64_t now_ms, size_t max_revocations)
    NONNULL;
/* The commit is ABORTED when it has been revoked meanwhile, or is gone. */
void auth_store_revoke_key(struct store_write *write, const struct key_record *record) NONNULL;
/* And drops those that were to be forgotten before epoch_ms. */
void auth_store_put_revocation(struct store_write *write, const struct revocation_record *record)
    NONNULL;
/* Enforcement points; gone_ms 0: it is there. */
void auth_store_put_point(struct store_write *write, const char *name, int64_t gone_ms) NONNULL;
void auth_store_delete_point(struct store_write *write, const char *name) NONNULL;
/* Those that are there have gone now; those that had gone before forget_ms are deleted. */
void auth_store_lose_points(struct store_write *write, int64_t now_ms, int64_t forget_ms) NONNULL;

void auth_store_put_standing(struct store_write *write, const struct standing_record *record)
    NONNULL;
/* The number is 1 from now on, if it was never set. */
void auth_store_mark(struct store_write *write, const char *name) NONNULL;
/* The commit is ABORTED unless the number was `before`. */
void auth_store_set_number(struct store_write *write, const char *name, int64_t before,
                           int64_t number) NONNULL;

#endif
