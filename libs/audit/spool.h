/* spool - audit events of calls that change nothing: denials, and reads that must be known.
 *
 * They have no write to commit with, and an fsync for each would let anybody who is refused slow
 * the service down.  So an event is written to a file before the reply (it survives the process),
 * and synced within 100 ms (it survives the machine, but for those 100 ms):
 *
 *     spool_append() --write()--> 000...7.spool --> relay --> audit service
 *                                       |
 *                               fsync within 100 ms
 *
 * The spool is a row of files of 1 MiB, each record with its length and checksum in front:
 *
 *     0000000000000005.spool   0000000000000006.spool   0000000000000007.spool
 *     [r][r][r][r][r][r][r]    [r][r][r][r][r][r][r]    [r][r][r]
 *               ^ sent so far                                     ^ append
 *
 * A file goes when all of it was acknowledged.  After a start everything that is left is sent
 * again from the front of the oldest file; the receiver knows an event by its id.  What was torn by
 * a crash, or has rotted, is skipped to the next record that is whole.
 *
 * It is bounded, since the audit service may be away for long and strangers can make denials.
 * What happens when there is no room depends on what the event tells:
 *
 *     class         may fill     when it is full
 *     SPOOL_DENIAL  half         RESOURCE_EXHAUSTED: the call is answered with that in place of
 *                                its denial, so nobody learns without a trace what he may not do;
 *                                and a flood of denials leaves room for what is allowed
 *     SPOOL_READ    all          RESOURCE_EXHAUSTED: the read does not happen; no data leaves
 *                                without a trace
 *     SPOOL_NOTICE  a quarter    OK: dropped and counted; when there is room again, one event
 *                                "audit.dropped" says how many
 *
 * A full disk is a full spool.
 *
 * spool_append() is safe on any thread and takes a lock for one write() to the page cache.  All
 * else is for one thread, the relay's, but for spool_sync(), which may be another's.
 */

#ifndef LIBS_AUDIT_SPOOL_H_
#define LIBS_AUDIT_SPOOL_H_

#include "libs/audit/event.h"
#include "libs/base/attributes.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spool_class { SPOOL_DENIAL, SPOOL_READ, SPOOL_NOTICE, SPOOL_N_CLASSES };

struct spool;

struct spool_options {
    struct files *files;                /* required; borrowed: a folder of the spool's own */
    const struct random_source *random; /* required; borrowed: ids of "audit.dropped" */
    const char *service;                /* required; borrowed: who says "audit.dropped" */
    uint64_t max_bytes; /* 0 means 16 MiB: some 60,000 events, ten minutes of 100 a second */
};

/* Takes over what an earlier process left.  The caller owns the spool: spool_close(). */
status spool_open(struct arena *arena, const struct spool_options *options,
                  struct spool **ret_spool) NONNULL;
/* Syncs what is left to sync; after the relay.  NULL is allowed. */
void spool_close(struct spool *spool);

/* OK: it is written, or dropped as its class allows.  RESOURCE_EXHAUSTED: there is no room.
 * UNAVAILABLE: the disk refuses; treat it the same. */
status spool_append(struct spool *spool, struct arena *arena, enum spool_class class,
                    const struct audit_event *event) NONNULL;

/* Makes durable what was appended.  When a sync fails, what it should have kept is written anew to
 * another file and synced there: asking again would prove nothing (fsyncgate, 2018). */
status spool_sync(struct spool *spool, struct arena *arena) NONNULL;
bool spool_is_synced(struct spool *spool) NONNULL;

/* The oldest events that were not acknowledged, at most limit; texts in arena.  In the order they
 * were appended, but for those that a failed sync had to write anew.
 * FAILED_PRECONDITION: written by a newer program. */
status spool_read(struct spool *spool, struct arena *arena, size_t limit,
                  const struct audit_event **ret_events, size_t *ret_n_events) NONNULL;
/* The first n of those that spool_read() gave last are durable elsewhere. */
void spool_acknowledge(struct spool *spool, struct arena *arena, size_t n) NONNULL;

/* function(data) is called after each append, on its thread; NULL for none.  Before the first
 * append, or when none can come any more. */
void spool_watch(struct spool *spool, void (*function)(void *data), void *data) NONNULL_ARGS(1);

struct spool_report {
    uint64_t n_bytes; /* in its files */
    uint64_t max_bytes;
    uint64_t n_dropped; /* notices, since the start */
    uint64_t n_full;    /* appends that were refused, since the start */
    uint64_t n_damaged; /* bytes skipped because no whole record was there, since the start */
};

void spool_read_report(struct spool *spool, struct spool_report *ret_report) NONNULL;

#endif
