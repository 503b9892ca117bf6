/* audit_keys - a key for each data subject, so that its events can be forgotten.
 *
 * A subject is somebody in a tenant.  Its key is made when its first event comes, and kept wrapped
 * under the master key:
 *
 *     audit_key: tenant, tag of the subject, key id, wrapped key
 *
 * Erasing overwrites the wrapped key with nothing; no event of the subject can be read after that,
 * and if it does something again, it gets another key.  The row stays, without the subject's name:
 * names are only there as tags, HMACs under a key that comes from the master key, so that a name
 * can be looked for and not be read.  The database is told to overwrite what it deletes
 * (libs/store); its write-ahead log may hold the wrapped key until that begins anew.
 *
 * Keys that were used lie unwrapped in memory, a bounded number of them.  Safe on any thread.
 */

#ifndef SERVICES_AUDIT_AUDIT_KEYS_H_
#define SERVICES_AUDIT_AUDIT_KEYS_H_

#include "libs/audit/audit_leaf.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/aead.h"
#include "libs/store/store.h"

#include <stdbool.h>
#include <stddef.h>

/* Unwrapped in memory: 4,096 are 1 MiB; when they are used up all are forgotten and asked again. */
enum { AUDIT_KEYS_MAX_CACHED = 4096, AUDIT_TAG_SIZE = 16 };

struct audit_keys;

struct audit_keys_options {
    struct store *store;                /* required; borrowed; migrated */
    const struct aead_key *master;      /* required; copied */
    const struct random_source *random; /* required; borrowed */
    const struct clock *clock;          /* required; borrowed */
};

/* Brings the tables up to date; when the service starts. */
status audit_keys_migrate(struct store *store, struct arena *arena) NONNULL;

/* Whether there ever was a key, so that the master key must be there too. */
status audit_keys_exist(struct store *store, struct arena *arena, bool *ret_exist) NONNULL;

/* The caller owns them: audit_keys_free().  DATA_LOSS: the keys in the store were wrapped under
 * another master key. */
status audit_keys_new(const struct audit_keys_options *options, struct arena *arena,
                      struct audit_keys **ret_keys) NONNULL;
/* NULL is allowed. */
void audit_keys_free(struct audit_keys *keys);

struct audit_subject {
    const char *tenant_id;
    const char *subject;
};

struct audit_data_key {
    struct audit_key_id id;
    struct aead_key key;
};

/* The keys of n subjects; those that had none get one, all in one commit.  The caller wipes them.
 */
status audit_keys_of(struct audit_keys *keys, struct arena *arena,
                     const struct audit_subject *subjects, size_t n,
                     struct audit_data_key *ret_keys) NONNULL;

/* The key of that id; the caller wipes it.  NOT_FOUND: there is none, or it was destroyed. */
status audit_keys_find(struct audit_keys *keys, struct arena *arena, const struct audit_key_id *id,
                       struct aead_key *ret_key) NONNULL;

/* Whose tenant's the key was, also of one that was destroyed; in arena.  NOT_FOUND: nobody's. */
status audit_keys_tenant(struct audit_keys *keys, struct arena *arena,
                         const struct audit_key_id *id, const char **ret_tenant_id) NONNULL;

/* Adds to write what destroys the subject's key; the commit is NOT_FOUND when there is none.  After
 * it, audit_keys_forget(). */
void audit_keys_erase(struct audit_keys *keys, struct store_write *write,
                      const struct audit_subject *subject) NONNULL;
void audit_keys_forget(struct audit_keys *keys, const struct audit_subject *subject) NONNULL;

/* By which something of a tenant can be looked for and not read: its kind ("actor", "target") and
 * text.  AUDIT_TAG_SIZE bytes in arena. */
bytes audit_keys_tag(const struct audit_keys *keys, struct arena *arena, const char *kind,
                     const struct audit_subject *subject) NONNULL;

#endif
