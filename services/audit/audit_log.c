#include "services/audit/audit_log.h"

#include "libs/base/text.h"
#include "libs/tlog/tile_edge.h"
#include "libs/tlog/tile_reader.h"
#include "libs/tlog/tlog_proof.h"
#include "services/audit/tile_writer.h"
#include "services/audit/wal.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_INTEGRATE_MS = 500,
    MAX_WRITE_BYTES = 4 << 20, /* of one batch of appends: more would only make its first wait */
};

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
    bytes attempted;             /* malloc'ed: a checkpoint that may have been published or not */

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

/* The lock is held, or nobody else knows the log yet. */
static void add_pending(struct audit_log *log, bytes leaf)
{
    log->pending[log->n_pending++] = (struct pending){
        .data = duplicate(leaf),
        .size = leaf.size,
        .since_us = clock_monotonic_us(log->clock),
    };
}

/* The lock is held. */
static void drop_pending(struct audit_log *log, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        log->admitted_bytes -= log->pending[i].size;
        free(log->pending[i].data);
    }
    log->n_admitted -= n;
    log->n_pending -= n;
    memmove(log->pending, log->pending + n, log->n_pending * sizeof *log->pending);
}

/* ---- Integration ---- */

/* The lock is held. */
static void set_published(struct audit_log *log, uint64_t size, bytes checkpoint)
{
    free(log->published.data);
    log->published = (struct published){ size, duplicate(checkpoint), checkpoint.size };
}

static bool same(bytes a, bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* A checkpoint on disk that is neither the last one nor one we tried to publish is another
 * writer's. */
static status check_alone(struct audit_log *log, struct arena *arena)
{
    const bytes last = { log->published.data, log->published.data_size };
    bytes found;

    TRY(files_read(log->files, arena, "checkpoint", NOTE_MAX_BYTES, &found));
    if (!same(found, last) && !(log->attempted.data != NULL && same(found, log->attempted))) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "another writer has published a checkpoint");
    }
    return status_ok();
}

static void set_attempted(struct audit_log *log, bytes checkpoint)
{
    free((void *)(uintptr_t)log->attempted.data);
    log->attempted =
        checkpoint.data == NULL ? (bytes){ 0 } : (bytes){ duplicate(checkpoint), checkpoint.size };
}

static status publish(struct audit_log *log, struct arena *arena, const struct tile_edge *edge,
                      bytes *ret_checkpoint)
{
    const struct merkle_tree tree = { .size = edge->size, .root = tile_edge_root(edge) };

    TRY(checkpoint_sign(arena, &tree, log->signer, ret_checkpoint));
    set_attempted(log, *ret_checkpoint);
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
    TRY(check_alone(log, arena));
    *edge = *log->edge;
    TRY(tile_writer_add(log->files, arena, edge, leaves, n));
    TRY(publish(log, arena, edge, &checkpoint));
    *log->edge = *edge;
    set_attempted(log, (bytes){ 0 });
    lock(log);
    set_published(log, edge->size, checkpoint);
    drop_pending(log, n);
    log->recovering = log->recovering && log->n_pending > 0;
    unlock(log);
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
                add_pending(log, unit->leaves[i]);
            }
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
    status s = wal_append(&log->wal, arena, first, text_bytes(&batch));
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

/* ---- Reading ---- */

void audit_log_state(struct audit_log *log, struct arena *arena, struct audit_log_state *ret_state)
{
    lock(log);
    uint8_t *checkpoint = arena_alloc(arena, log->published.data_size + 1);
    memcpy(checkpoint, log->published.data, log->published.data_size);
    *ret_state = (struct audit_log_state){
        .durable = log->published.size + log->n_pending,
        .integrated = log->published.size,
        .checkpoint = { checkpoint, log->published.data_size },
    };
    unlock(log);
}

/* When the leaf waits for its tiles, copies it and returns true; *ret_size: the published size. */
static bool copy_pending(struct audit_log *log, struct arena *arena, uint64_t index,
                         bytes *ret_leaf, uint64_t *ret_size)
{
    bool found = false;

    lock(log);
    *ret_size = log->published.size;
    if (index >= *ret_size && index - *ret_size < log->n_pending) {
        const struct pending *pending = &log->pending[index - *ret_size];
        uint8_t *copy = arena_alloc(arena, pending->size + 1);
        memcpy(copy, pending->data, pending->size);
        *ret_leaf = (bytes){ copy, pending->size };
        found = true;
    }
    unlock(log);
    return found;
}

status audit_log_read(struct audit_log *log, struct arena *arena, uint64_t index, bytes *ret_leaf)
{
    struct tile_bundle *bundle = ARENA_NEW(arena, struct tile_bundle);
    uint64_t size = 0;

    if (copy_pending(log, arena, index, ret_leaf, &size)) {
        return status_ok();
    }
    if (index >= size) {
        return status_error(arena, STATUS_OUT_OF_RANGE, "the log has no entry %" PRIu64, index);
    }
    TRY(tile_read_bundle(log->files, arena, size, index / TILE_WIDTH, bundle));
    *ret_leaf = bundle->entries[index % TILE_WIDTH];
    return status_ok();
}

status audit_log_prove(struct audit_log *log, struct arena *arena, uint64_t index,
                       bytes *ret_bundle)
{
    struct audit_log_state state;
    struct tlog_proof proof = { .index = index };
    struct tile_nodes nodes;

    audit_log_state(log, arena, &state);
    if (index >= state.integrated) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "entry %" PRIu64 " is in no checkpoint yet", index);
    }
    tile_nodes_init(&nodes, log->files, state.integrated);
    TRY(merkle_prove_inclusion(&nodes.nodes, arena, index, state.integrated, &proof.path));
    proof.checkpoint = state.checkpoint;
    *ret_bundle = tlog_proof_encode(arena, &proof);
    return status_ok();
}

status audit_log_prove_consistency(struct audit_log *log, struct arena *arena, uint64_t old_size,
                                   uint64_t *new_size, struct merkle_path *ret_path)
{
    struct audit_log_state state;
    struct tile_nodes nodes;

    audit_log_state(log, arena, &state);
    uint64_t to = *new_size != 0 ? *new_size : state.integrated;
    if (to > state.integrated) {
        return status_error(arena, STATUS_OUT_OF_RANGE,
                            "the checkpoint is of size %" PRIu64 ", less than %" PRIu64,
                            state.integrated, to);
    }
    tile_nodes_init(&nodes, log->files, state.integrated);
    TRY(merkle_prove_consistency(&nodes.nodes, arena, old_size, to, ret_path));
    *new_size = to;
    return status_ok();
}

/* ---- Opening ---- */

/* Of a log that has never been: a checkpoint over nothing, before the first tile. */
static status publish_empty(struct audit_log *log, struct arena *arena)
{
    struct files_names names = { 0 };
    bytes checkpoint;

    status s = files_list(log->files, arena, "tile", &names);
    if (s.code != STATUS_NOT_FOUND) {
        TRY(s);
        return status_error(arena, STATUS_DATA_LOSS, "checkpoint: is missing, and there are tiles");
    }
    tile_edge_init(log->edge);
    TRY(publish(log, arena, log->edge, &checkpoint));
    set_attempted(log, (bytes){ 0 });
    set_published(log, 0, checkpoint);
    return status_ok();
}

static status read_published(struct audit_log *log, struct arena *arena)
{
    struct note_verifier verifier = note_signer_verifier(log->signer);
    struct checkpoint checkpoint;
    bytes data;

    status s = files_read(log->files, arena, "checkpoint", NOTE_MAX_BYTES, &data);
    if (s.code == STATUS_NOT_FOUND) {
        return publish_empty(log, arena);
    }
    TRY(s);
    s = checkpoint_open(arena, data, &verifier, &checkpoint);
    if (!status_is_ok(s)) {
        return status_error(arena, STATUS_DATA_LOSS, "checkpoint: %s", s.message);
    }
    TRY(tile_read_edge(log->files, arena, checkpoint.tree.size, log->edge));
    struct sha256 root = tile_edge_root(log->edge);
    if (!sha256_equal(&root, &checkpoint.tree.root)) {
        return status_error(arena, STATUS_DATA_LOSS,
                            "checkpoint: its root is not that of the tiles at size %" PRIu64,
                            checkpoint.tree.size);
    }
    set_published(log, checkpoint.tree.size, data);
    return status_ok();
}

struct replay_sink {
    struct wal_sink sink;
    struct audit_log *log;
};

static void replay_leaf(struct wal_sink *sink, bytes leaf)
{
    struct audit_log *log = ((struct replay_sink *)sink)->log;

    /* Never more than was admitted, and one batch whose end was not told. */
    assert(log->n_pending < 2 * AUDIT_LOG_MAX_PENDING_LEAVES);
    add_pending(log, leaf);
    log->n_admitted++;
    log->admitted_bytes += leaf.size;
}

static status recover(struct audit_log *log, struct arena *arena)
{
    struct replay_sink sink = { .sink = { .leaf = replay_leaf }, .log = log };

    TRY(read_published(log, arena));
    TRY(wal_replay(log->files, arena, log->published.size, &sink.sink));
    log->recovering = log->n_pending > 0;
    status s = audit_log_integrate(log, arena);
    return s.code == STATUS_RESOURCE_EXHAUSTED ? status_ok()
                                               : s; /* reads go on; appends will ask */
}

static struct audit_log *audit_log_new(const struct audit_log_options *options)
{
    struct audit_log *log = calloc(1, sizeof *log);
    struct tile_edge *edge = calloc(1, sizeof *edge);
    struct pending *pending = calloc(2 * AUDIT_LOG_MAX_PENDING_LEAVES, sizeof *pending);

    if (log == NULL || edge == NULL || pending == NULL) {
        abort();
    }
    int64_t ms = options->integrate_ms != 0 ? options->integrate_ms : DEFAULT_INTEGRATE_MS;
    *log = (struct audit_log){
        .files = options->files,
        .signer = options->signer,
        .clock = options->clock,
        .integrate_us = ms * 1000,
        .edge = edge,
        .end_unit = &log->first_unit,
        .pending = pending,
    };
    wal_init(&log->wal, options->files);
    pthread_mutex_init(&log->integrating, NULL);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->done, NULL);
    return log;
}

status audit_log_open(const struct audit_log_options *options, struct arena *arena,
                      struct audit_log **ret_log)
{
    assert(options->files != NULL && options->signer != NULL && options->clock != NULL);

    struct audit_log *log = audit_log_new(options);
    status s = recover(log, arena);
    if (!status_is_ok(s)) {
        audit_log_close(log);
        return s;
    }
    *ret_log = log;
    return status_ok();
}

void audit_log_close(struct audit_log *log)
{
    if (log == NULL) {
        return;
    }
    wal_reset(&log->wal);
    drop_pending(log, log->n_pending);
    set_attempted(log, (bytes){ 0 });
    pthread_cond_destroy(&log->done);
    pthread_mutex_destroy(&log->lock);
    pthread_mutex_destroy(&log->integrating);
    free(log->published.data);
    free(log->pending);
    free(log->edge);
    free(log);
}
