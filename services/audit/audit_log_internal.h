/* audit_log_internal - what the files of the audit log share: audit_log.c writes, audit_log_read.c
 * reads, audit_log_open.c begins and ends. */

#ifndef SERVICES_AUDIT_AUDIT_LOG_INTERNAL_H_
#define SERVICES_AUDIT_AUDIT_LOG_INTERNAL_H_

#include "libs/tlog/tile_edge.h"
#include "services/audit/audit_log.h"
#include "services/audit/wal.h"

#include <pthread.h>
#include <stdbool.h>

struct unit;

/* A leaf that is durable and not in tiles. */
struct pending {
    uint8_t *data; /* owned */
    size_t size;
    int64_t since_us; /* on the monotonic clock */
};

struct published {
    uint64_t size;
    uint8_t *data; /* the checkpoint; owned */
    size_t data_size;
};

struct audit_log {
    struct files *files;
    const struct note_signer *signer;
    const struct clock *clock;
    int64_t integrate_us;
    struct wal wal; /* of whoever leads */

    pthread_mutex_t integrating; /* held by the one who integrates; before lock */
    struct tile_edge *edge;      /* of whoever integrates; its size is published.size */
    struct published attempted;  /* the last that we tried to publish, whether or not we did */

    pthread_mutex_t lock; /* over all that follows; never held while writing or reading files */
    pthread_cond_t done;
    struct unit *first_unit; /* what waits, oldest first */
    struct unit **end_unit;
    bool leading;    /* somebody writes for those that wait */
    bool rotate;     /* before the next write */
    bool recovering; /* what was replayed is in no tiles yet, and in no file of ours */
    struct published published;
    struct pending *pending; /* from published.size on */
    size_t n_pending;
    size_t n_admitted; /* pending, or waiting to be written */
    size_t admitted_bytes;
};

/* The lock is held, or nobody else knows the log yet. */
void audit_log_add_pending(struct audit_log *log, bytes leaf) NONNULL;
/* The oldest n.  The lock is held. */
void audit_log_drop_pending(struct audit_log *log, size_t n) NONNULL;

/* Signs and publishes what edge is.  Integrating is held. */
status audit_log_publish(struct audit_log *log, struct arena *arena, const struct tile_edge *edge,
                         bytes *ret_checkpoint) NONNULL;
/* The checkpoint on disk is this one, for certain.  The lock is held. */
void audit_log_set_published(struct audit_log *log, uint64_t size, bytes checkpoint) NONNULL;

#endif
