/* directory - the service accounts and their living keys, in memory.
 *
 * A key is exchanged from here, without a question to the store: one hash and two look-ups.  It is
 * filled from the store at the start, and changed by each commit, in the commits' order, on the
 * store's own thread (commit.h), so it never differs from what is durable but for a moment.
 *
 * Keys are found by their public id and hold the keyed hash alone, 250 bytes each; revoked ones
 * are not here.  A key belongs to one account by its uid: one that outlived its account is no
 * other's, though that has the same name.
 *
 * Safe on any threads; nothing blocks.
 */

#ifndef SERVICES_AUTH_DIRECTORY_H_
#define SERVICES_AUTH_DIRECTORY_H_

#include "libs/base/attributes.h"
#include "services/auth/auth_store.h"
#include "services/auth/feed.h"

#include <stdbool.h>
#include <stdint.h>

struct directory;

struct directory *directory_new(void) RETURNS_NONNULL;
/* NULL is allowed. */
void directory_free(struct directory *directory);

/* Reads all there is; after the feed has the revocations. */
status directory_load(struct directory *directory, struct store *store, struct feed *feed,
                      struct arena *arena) NONNULL;

/* How enforcement points name an account: "tenant:acme:sa:robot". */
const char *directory_subject(struct arena *arena, const char *tenant_id, const char *account_id)
    NONNULL RETURNS_NONNULL;

/* ---- Changes; records are copied ---- */

void directory_put_account(struct directory *directory, const struct account_record *record)
    NONNULL;
/* With its keys. */
void directory_remove_account(struct directory *directory, const char *tenant_id,
                              const char *account_id) NONNULL;
/* All accounts of the tenant, with their keys. */
void directory_remove_tenant(struct directory *directory, const char *tenant_id) NONNULL;
/* Keys of the same account that had expired when this one was made go. */
void directory_put_key(struct directory *directory, const struct key_record *record) NONNULL;
void directory_remove_key(struct directory *directory, const char *key_id) NONNULL;

/* ---- Look-ups; copied into arena ---- */

bool directory_find_account(struct directory *directory, struct arena *arena, const char *tenant_id,
                            const char *account_id, struct account_record *ret_record) NONNULL;

/* What an exchange needs to know. */
struct directory_key {
    struct sha256 hash;
    int64_t expire_time_ms; /* 0: never */
    struct account_record account;
};
/* A key whose account is there. */
bool directory_find_key(struct directory *directory, struct arena *arena, const char *key_id,
                        struct directory_key *ret_key) NONNULL;

#endif
