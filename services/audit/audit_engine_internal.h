/* audit_engine_internal - what the files of the engine share: audit_engine.c takes events in,
 * audit_engine_read.c gives them out, audit_engine_index.c keeps the index, audit_engine_open.c
 * begins and ends. */

#ifndef SERVICES_AUDIT_AUDIT_ENGINE_INTERNAL_H_
#define SERVICES_AUDIT_AUDIT_ENGINE_INTERNAL_H_

#include "libs/tlog/note.h"
#include "services/audit/audit_engine.h"
#include "services/audit/audit_keys.h"
#include "services/audit/sent_events.h"

#include <pthread.h>

/* A thread that does what is due, sleeps until more is, and for ever when nothing waits. */
struct audit_chore {
    struct audit_engine *engine;
    status (*step)(struct audit_engine *engine, struct arena *arena, int64_t *ret_wait_ms);
    pthread_cond_t wake;
    bool appended; /* since it last went to sleep */
    pthread_t thread;
};

enum { AUDIT_INDEXER, AUDIT_INTEGRATOR, AUDIT_CHORES };

struct audit_engine {
    struct audit_engine_options options;
    struct arena *arena; /* of the names in signer and verifier_key */
    struct note_signer signer;
    const char *verifier_key;
    struct audit_keys *keys;
    struct audit_log *log;
    struct sent_events *sent;
    pthread_mutex_t indexing; /* one at a time brings rows into the index */

    pthread_mutex_t lock; /* over what the threads are told */
    bool stopping;
    bool running;
    struct audit_chore chores[AUDIT_CHORES];
};

/* The row of an event at an index; tags are in arena. */
struct audit_row audit_engine_row(struct audit_engine *engine, struct arena *arena, uint64_t index,
                                  const struct audit_record *event,
                                  const struct audit_key_id *key_id) NONNULL;

/* What the leaf says; *ret_event is NULL when its key was destroyed, and *ret_key all zeros.  The
 * caller wipes the key. */
status audit_engine_open_leaf(struct audit_engine *engine, struct arena *arena, bytes leaf,
                              const struct audit_record **ret_event, struct aead_key *ret_key)
    NONNULL;

/* Everything that was acknowledged before has its row on return. */
status audit_engine_index(struct audit_engine *engine, struct arena *arena) NONNULL;

/* The rows of the entries from `next` up to `end`, from the log. */
status audit_engine_replay(struct audit_engine *engine, struct arena *arena, uint64_t next,
                           uint64_t end) NONNULL;

/* Indexes what is appended; integrates it in time.  Each has its thread: the one must not wait for
 * the other, which promises a second. */
status audit_engine_index_step(struct audit_engine *engine, struct arena *arena,
                               int64_t *ret_wait_ms) NONNULL;
status audit_engine_integrate_step(struct audit_engine *engine, struct arena *arena,
                                   int64_t *ret_wait_ms) NONNULL;

/* The threads, when there are to be some. */
void audit_engine_start(struct audit_engine *engine) NONNULL;
void audit_engine_stop(struct audit_engine *engine) NONNULL;
void audit_engine_wake(struct audit_engine *engine) NONNULL;

#endif
