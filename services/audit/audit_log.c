#include "services/audit/audit_log.h"

#include "libs/base/text.h"
#include "libs/obs/metrics.h"
#include "libs/tlog/tile.h"
#include "services/audit/audit_log_internal.h"
#include "services/audit/tile_writer.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_WRITE_BYTES = 4 << 20
}; /* of one batch of appends: more would only make its first wait */

/* One call to audit_log_append(), on its caller's stack: the caller sleeps until it is done, so
 * that whoever writes may use its arena. */
struct unit {
    const bytes *leaves;
    size_t n_leaves;
    struct arena *arena;
    uint64_t first;
    status result;
    bool is_done;
    struct unit *next;
};

static void lock(struct audit_log *log)
{
    pthread_mutex_lock(&log->lock);
}

static void unlock(struct audit_log *log)
{
    pthread_mutex_unlock(&log->lock);
}

static uint8_t *duplicate(bytes data)
{
    uint8_t *copy = malloc(data.size + 1);

    if (copy == NULL) {
        abort();
    }
    if (data.size > 0) {
        memcpy(copy, data.data, data.size);
    }
    return copy;
}

/* ---- What is durable and not in tiles ---- */

void audit_log_add_pending(struct audit_log *log, bytes leaf)
{
    log->pending[log->n_pending++] = (struct pending){
        .data = duplicate(leaf),
        .size = leaf.size,
        .since_us = clock_monotonic_us(log->clock),
    };
    gauge_set(GAUGE_audit_pending, (int64_t)log->n_pending);
}

void audit_log_drop_pending(struct audit_log *log, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        log->admitted_bytes -= log->pending[i].size;
        free(log->pending[i].data);
    }
    log->n_admitted -= n;
    log->n_pending -= n;
    memmove(log->pending, log->pending + n, log->n_pending * sizeof *log->pending);
    gauge_set(GAUGE_audit_pending, (int64_t)log->n_pending);
}

/* ---- Integration ---- */

static void set_checkpoint(struct published *published, uint64_t size, bytes checkpoint)
{
    free(published->data);
    *published = (struct published){ size, duplicate(checkpoint), checkpoint.size };
}

void audit_log_set_published(struct audit_log *log, uint64_t size, bytes checkpoint)
{
    set_checkpoint(&log->published, size, checkpoint);
}

static bool is_checkpoint(const struct published *published, bytes data)
{
    return data.size == published->data_size && memcmp(data.data, published->data, data.size) == 0;
}

/* A checkpoint on disk that is neither the last one nor one we tried to publish is another
 * writer's. */
static status check_alone(struct audit_log *log, struct arena *arena)
{
    bytes found;

    TRY(files_read(log->files, arena, "checkpoint", NOTE_MAX_BYTES, &found));
    if (!is_checkpoint(&log->published, found) && !is_checkpoint(&log->attempted, found)) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "another writer has published a checkpoint");
    }
    return status_ok();
}

status audit_log_publish(struct audit_log *log, struct arena *arena, const struct tile_edge *edge,
                         bytes *ret_checkpoint)
{
    const struct merkle_tree tree = { .size = edge->size, .root = tile_edge_root(edge) };

    TRY(checkpoint_sign(arena, &tree, log->signer, ret_checkpoint));
    set_checkpoint(&log->attempted, edge->size, *ret_checkpoint);
    return files_replace(log->files, arena, "checkpoint", *ret_checkpoint);
}

/* What is to be integrated next.  The bytes stay where they are: only who integrates frees. */
static size_t take_pending(struct audit_log *log, struct arena *arena, bytes **ret_leaves)
{
    lock(log);
    size_t n = log->n_pending < TILE_WRITER_MAX_LEAVES ? log->n_pending : TILE_WRITER_MAX_LEAVES;
    bytes *leaves = ARENA_NEW_ARRAY(arena, bytes, n);
    for (size_t i = 0; i < n; i++) {
        leaves[i] = (bytes){ log->pending[i].data, log->pending[i].size };
    }
    log->rotate |= n > 0;
    unlock(log);
    *ret_leaves = leaves;
    return n;
}

/* Integrates some leaves; *ret_n: how many.  Integrating is held. */
static status integrate_some(struct audit_log *log, struct arena *arena, size_t *ret_n)
{
    struct tile_edge *edge = ARENA_NEW(arena, struct tile_edge);
    uint64_t old_size = log->published.size;
    bytes checkpoint;
    bytes *leaves;
    size_t n = take_pending(log, arena, &leaves);

    *ret_n = n;
    if (n == 0) {
        return status_ok();
    }
    int64_t start_us = clock_monotonic_us(log->clock);
    TRY(check_alone(log, arena));
    *edge = *log->edge;
    TRY(tile_writer_add(log->files, arena, edge, leaves, n));
    TRY(audit_log_publish(log, arena, edge, &checkpoint));
    *log->edge = *edge;
    lock(log);
    audit_log_set_published(log, edge->size, checkpoint);
    audit_log_drop_pending(log, n);
    log->recovering = log->recovering && log->n_pending > 0;
    unlock(log);
    histogram_record(HISTOGRAM_audit_integrate, clock_monotonic_us(log->clock) - start_us);
    /* What stays of these is found at the next time, or does no harm. */
    (void)wal_drop(log->files, arena, edge->size);
    tile_writer_remove_partials(log->files, arena, old_size, edge->size);
    return status_ok();
}

status audit_log_integrate(struct audit_log *log, struct arena *arena)
{
    struct arena *scratch = arena_new();
    status s = status_ok();
    size_t n = TILE_WRITER_MAX_LEAVES;

    pthread_mutex_lock(&log->integrating);
    while (status_is_ok(s) && n == TILE_WRITER_MAX_LEAVES) {
        arena_reset(scratch);
        s = integrate_some(log, scratch, &n);
    }
    pthread_mutex_unlock(&log->integrating);
    s = status_is_ok(s) ? s : status_error(arena, s.code, "%s", s.message);
    arena_free(scratch);
    return s;
}

/* Until the oldest leaf must be integrated; -1 when there is none. */
static int64_t wait_us(struct audit_log *log)
{
    lock(log);
    int64_t us = -1;
    if (log->n_pending > 0) {
        us = log->pending[0].since_us + log->integrate_us - clock_monotonic_us(log->clock);
        us = us > 0 ? us : 0;
    }
    unlock(log);
    return us;
}

status audit_log_step(struct audit_log *log, struct arena *arena, int64_t *ret_wait_ms)
{
    if (wait_us(log) == 0) {
        TRY(audit_log_integrate(log, arena));
    }
    int64_t us = wait_us(log);
    *ret_wait_ms = us < 0 ? -1 : (us + 999) / 1000;
    return status_ok();
}

/* ---- Appending ---- */

/* Takes the oldest units, as many as go into one write.  The lock is held. */
static struct unit *take_units(struct audit_log *log, struct text *batch)
{
    struct unit *first = log->first_unit;
    struct unit **cut = &log->first_unit;

    while (*cut != NULL && batch->size < MAX_WRITE_BYTES) {
        for (size_t i = 0; i < (*cut)->n_leaves; i++) {
            bundle_add(batch, (*cut)->leaves[i]);
        }
        cut = &(*cut)->next;
    }
    log->first_unit = *cut;
    if (log->first_unit == NULL) {
        log->end_unit = &log->first_unit;
    }
    *cut = NULL;
    return first;
}

static size_t bytes_in(const bytes *leaves, size_t n_leaves)
{
    size_t size = 0;

    for (size_t i = 0; i < n_leaves; i++) {
        size += leaves[i].size;
    }
    return size;
}

/* The lock is held. */
static void finish_units(struct audit_log *log, struct unit *units, status s)
{
    while (units != NULL) {
        struct unit *unit = units;
        units = unit->next;
        if (status_is_ok(s)) {
            unit->first = log->published.size + log->n_pending;
            for (size_t i = 0; i < unit->n_leaves; i++) {
                audit_log_add_pending(log, unit->leaves[i]);
            }
            counter_add(COUNTER_audit_entries, unit->n_leaves);
        } else {
            log->n_admitted -= unit->n_leaves;
            log->admitted_bytes -= bytes_in(unit->leaves, unit->n_leaves);
            unit->result = status_error(unit->arena, s.code, "%s", s.message);
        }
        unit->is_done = true;
    }
}

/* Writes for all that wait.  The lock is held, and let go of while writing. */
static void lead(struct audit_log *log)
{
    struct arena *arena = arena_new();
    struct text batch = text_new(arena);
    struct unit *units = take_units(log, &batch);
    uint64_t first = log->published.size + log->n_pending;

    log->leading = true;
    if (log->rotate) {
        wal_rotate(&log->wal);
        log->rotate = false;
    }
    unlock(log);
    int64_t start_us = clock_monotonic_us(log->clock);
    status s = wal_append(&log->wal, arena, first, text_bytes(&batch));
    histogram_record(HISTOGRAM_audit_commit, clock_monotonic_us(log->clock) - start_us);
    lock(log);
    finish_units(log, units, s);
    log->leading = false;
    pthread_cond_broadcast(&log->done);
    arena_free(arena);
}

static status check_leaves(struct arena *arena, const bytes *leaves, size_t n_leaves)
{
    if (n_leaves == 0 || n_leaves > AUDIT_LOG_MAX_BATCH) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "%zu entries, not 1 to %d", n_leaves,
                            AUDIT_LOG_MAX_BATCH);
    }
    for (size_t i = 0; i < n_leaves; i++) {
        if (leaves[i].size > TILE_MAX_ENTRY_BYTES) {
            return status_error(arena, STATUS_INVALID_ARGUMENT,
                                "entry %zu has %zu bytes, more than %d", i, leaves[i].size,
                                TILE_MAX_ENTRY_BYTES);
        }
    }
    return status_ok();
}

/* The lock is held. */
static status admit(struct audit_log *log, struct arena *arena, size_t n_leaves, size_t size)
{
    if (log->n_admitted + n_leaves > AUDIT_LOG_MAX_PENDING_LEAVES ||
        log->admitted_bytes + size > AUDIT_LOG_MAX_PENDING_BYTES) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "%zu entries wait to be taken into the log", log->n_admitted);
    }
    log->n_admitted += n_leaves;
    log->admitted_bytes += size;
    return status_ok();
}

/* Sleeps until the unit is done, or writes for all when nobody does.  The lock is held. */
static void submit(struct audit_log *log, struct unit *unit)
{
    *log->end_unit = unit;
    log->end_unit = &unit->next;
    while (!unit->is_done) {
        if (log->leading) {
            pthread_cond_wait(&log->done, &log->lock);
        } else {
            lead(log);
        }
    }
}

status audit_log_append(struct audit_log *log, struct arena *arena, const bytes *leaves,
                        size_t n_leaves, uint64_t *ret_first)
{
    struct unit unit = {
        .leaves = leaves, .n_leaves = n_leaves, .arena = arena, .result = status_ok()
    };

    TRY(check_leaves(arena, leaves, n_leaves));
    lock(log);
    bool recovering = log->recovering;
    unlock(log);
    if (recovering) {
        TRY(audit_log_integrate(log, arena));
    }
    lock(log);
    unit.result = admit(log, arena, n_leaves, bytes_in(leaves, n_leaves));
    if (status_is_ok(unit.result)) {
        submit(log, &unit);
    }
    unlock(log);
    TRY(unit.result);
    *ret_first = unit.first;
    return status_ok();
}
