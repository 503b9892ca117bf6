/* audit_engine - the audit service without its network: events in, entries and proofs out.
 *
 *     append:  check, redact --> have we got it? --> seal under the subject's key --> log (durable)
 *                                                                                      |
 *     later:                                        index rows <-- in order -----------+
 *                                                   tiles, checkpoint <----------------+
 *
 * An event is known by its tenant and id, and is one entry however often it is sent: also when two
 * send it at once (the second waits for the first), and also years later (the index has it).
 *
 * What comes later is done by the engine's threads, or, without them, by audit_engine_step();
 * whoever asks before it is done does it himself, so a read always sees what was acknowledged
 * before.
 *
 * Safe on any thread; all functions block.
 */

#ifndef SERVICES_AUDIT_AUDIT_ENGINE_H_
#define SERVICES_AUDIT_AUDIT_ENGINE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/aead.h"
#include "libs/store/store.h"
#include "services/audit/audit_log.h"
#include "services/audit/audit_record.h"
#include "services/audit/audit_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AUDIT_ENGINE_MAX_BATCH = AUDIT_LOG_MAX_BATCH,
    /* Appended and not in the index: as many as the log itself lets wait, for the same reason. */
    AUDIT_ENGINE_MAX_UNINDEXED = AUDIT_LOG_MAX_PENDING_LEAVES,
};

struct audit_engine;

struct audit_engine_options {
    struct files *log_files;            /* required; borrowed: the folder anybody may read */
    struct files *key_files;            /* required; borrowed: the folder of the secrets */
    struct store *store;                /* required; borrowed; migrated: index, wrapped keys */
    const char *origin;                 /* required; copied: the name of the log and of its key */
    const struct clock *clock;          /* required; borrowed */
    const struct random_source *random; /* required; borrowed */
    bool rebuild;                       /* makes the whole index again from the log */
    bool threaded;                      /* threads do what is due; else audit_engine_step() */
    void (*failed)(void *data,
                   status s); /* told when that fails; it is tried again.  NULL: nobody */
    void *failed_data;
};

/* Brings the tables up to date; when the service starts. */
status audit_engine_migrate(struct store *store, struct arena *arena) NONNULL;

/* Opens the log, makes the keys when all is new, and brings the index up to the log.  The caller
 * owns the engine: audit_engine_close().
 * DATA_LOSS: log, keys or index contradict each other.  FAILED_PRECONDITION: a key is missing. */
status audit_engine_open(const struct audit_engine_options *options, struct arena *arena,
                         struct audit_engine **ret_engine) NONNULL;
/* After the last call.  NULL is allowed. */
void audit_engine_close(struct audit_engine *engine);

/* ---- Writing ---- */

/* Appends the events that are new; durable on return.  ret_indices has room for n.
 * INVALID_ARGUMENT: one is not well formed; none was appended.  RESOURCE_EXHAUSTED: the disk is
 * full, or the index lags too far.  After an error some may be in the log: send them again. */
status audit_engine_append(struct audit_engine *engine, struct arena *arena,
                           const struct audit_record *events, size_t n, uint64_t *ret_indices)
    NONNULL;

/* Destroys the key of a subject; nobody reads its events any more, though each is in the log and
 * proved as before.  What is being appended for it meanwhile goes with it.
 * NOT_FOUND: the tenant has no such subject. */
status audit_engine_erase(struct audit_engine *engine, struct arena *arena, const char *tenant_id,
                          const char *subject) NONNULL;

/* By which an erasure may be told of without the name that was erased: hex, in arena. */
const char *audit_engine_subject_tag(struct audit_engine *engine, struct arena *arena,
                                     const char *tenant_id, const char *subject)
    NONNULL RETURNS_NONNULL;

/* Does what is due, and returns in how many milliseconds to come again; -1: after an append. */
status audit_engine_step(struct audit_engine *engine, struct arena *arena, int64_t *ret_wait_ms)
    NONNULL;

/* ---- Reading ---- */

struct audit_entry {
    uint64_t index;
    const struct audit_record *event; /* NULL: its key was destroyed */
};

/* An entry with all that proves it off line. */
struct audit_proof {
    struct audit_entry entry;
    bytes leaf;                      /* as in the log */
    bytes bundle;                    /* libs/tlog/tlog_proof.h */
    const struct aead_key *leaf_key; /* opens the leaf and nothing else; NULL: destroyed */
};

/* NULL for the tenant: of any.  Takes the entry into a checkpoint when it is in none yet.
 * NOT_FOUND: the tenant has no such event.  DATA_LOSS: the log is not as it was written. */
status audit_engine_get(struct audit_engine *engine, struct arena *arena, const char *tenant_id,
                        const char *event_id, struct audit_proof *ret_proof)
    NONNULL_ARGS(1, 2, 4, 5);

/* Texts that are NULL match everything; actor and target are looked for in one tenant alone. */
struct audit_query {
    const char *tenant_id;
    const char *actor;
    const char *action;
    const char *target;
    int64_t start_ms;
    int64_t end_ms;
    struct audit_place after;
    size_t limit;
};

struct audit_list {
    const struct audit_entry *entries; /* newest first */
    const struct audit_place *places;  /* of each */
    size_t n_entries;
    bool more;
};

/* INVALID_ARGUMENT: an actor or target without a tenant. */
status audit_engine_list(struct audit_engine *engine, struct arena *arena,
                         const struct audit_query *query, struct audit_list *ret_list) NONNULL;

/* The newest checkpoint, after everything that is durable was taken into one: unless the disk is
 * full, when it is the newest that could be written. */
status audit_engine_checkpoint(struct audit_engine *engine, struct arena *arena,
                               struct audit_log_state *ret_state) NONNULL;

/* As audit_log_prove_consistency(). */
status audit_engine_prove_consistency(struct audit_engine *engine, struct arena *arena,
                                      uint64_t old_size, uint64_t *new_size,
                                      struct merkle_path *ret_path) NONNULL;

/* "name+hash+key"; lives as long as the engine. */
const char *audit_engine_verifier_key(const struct audit_engine *engine) NONNULL RETURNS_NONNULL;

#endif
