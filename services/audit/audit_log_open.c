#include "libs/tlog/tile_reader.h"
#include "services/audit/audit_log_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum { DEFAULT_INTEGRATE_MS = 500 };

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
    TRY(audit_log_publish(log, arena, log->edge, &checkpoint));
    audit_log_set_published(log, 0, checkpoint);
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
    audit_log_set_published(log, checkpoint.tree.size, data);
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
    assert(log->n_pending < (size_t)2 * AUDIT_LOG_MAX_PENDING_LEAVES);
    audit_log_add_pending(log, leaf);
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
    struct pending *pending = calloc((size_t)2 * AUDIT_LOG_MAX_PENDING_LEAVES, sizeof *pending);

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
    audit_log_drop_pending(log, log->n_pending);
    free(log->attempted.data);
    pthread_cond_destroy(&log->done);
    pthread_mutex_destroy(&log->lock);
    pthread_mutex_destroy(&log->integrating);
    free(log->published.data);
    free(log->pending);
    free(log->edge);
    free(log);
}
