#include "libs/tlog/tile_reader.h"
#include "libs/tlog/tlog_proof.h"
#include "services/audit/audit_log_internal.h"

#include <inttypes.h>
#include <string.h>

void audit_log_state(struct audit_log *log, struct arena *arena, struct audit_log_state *ret_state)
{
    pthread_mutex_lock(&log->lock);
    uint8_t *checkpoint = arena_alloc(arena, log->published.data_size + 1);
    memcpy(checkpoint, log->published.data, log->published.data_size);
    *ret_state = (struct audit_log_state){
        .durable = log->published.size + log->n_pending,
        .integrated = log->published.size,
        .checkpoint = { checkpoint, log->published.data_size },
    };
    pthread_mutex_unlock(&log->lock);
}

/* When the leaf waits for its tiles, copies it and returns true; *ret_size: the published size. */
static bool copy_pending(struct audit_log *log, struct arena *arena, uint64_t index,
                         bytes *ret_leaf, uint64_t *ret_size)
{
    bool found = false;

    pthread_mutex_lock(&log->lock);
    *ret_size = log->published.size;
    if (index >= *ret_size && index - *ret_size < log->n_pending) {
        const struct pending *pending = &log->pending[index - *ret_size];
        uint8_t *copy = arena_alloc(arena, pending->size + 1);
        memcpy(copy, pending->data, pending->size);
        *ret_leaf = (bytes){ copy, pending->size };
        found = true;
    }
    pthread_mutex_unlock(&log->lock);
    return found;
}

struct audit_log_reader {
    struct audit_log *log;
    struct arena *arena;        /* of the bundle */
    struct tile_bundle *bundle; /* NULL: none was read */
    uint64_t n;                 /* its number */
};

static void free_reader(void *data)
{
    struct audit_log_reader *reader = data;

    arena_free(reader->arena);
}

struct audit_log_reader *audit_log_reader_new(struct audit_log *log, struct arena *arena)
{
    struct audit_log_reader *reader = ARENA_NEW(arena, struct audit_log_reader);

    *reader = (struct audit_log_reader){ .log = log, .arena = arena_new() };
    arena_defer(arena, free_reader, reader);
    return reader;
}

/* The bundle that has the entry, which is one of the first `size`. */
static status read_bundle(struct audit_log_reader *reader, uint64_t index, uint64_t size)
{
    uint64_t n = index / TILE_WIDTH;

    if (reader->bundle != NULL && reader->n == n &&
        index % TILE_WIDTH < reader->bundle->n_entries) {
        return status_ok();
    }
    reader->bundle = NULL;
    arena_reset(reader->arena);
    struct tile_bundle *bundle = ARENA_NEW(reader->arena, struct tile_bundle);
    TRY(tile_read_bundle(reader->log->files, reader->arena, size, n, bundle));
    reader->bundle = bundle;
    reader->n = n;
    return status_ok();
}

status audit_log_reader_read(struct audit_log_reader *reader, uint64_t index, bytes *ret_leaf)
{
    uint64_t size = 0;

    if (copy_pending(reader->log, reader->arena, index, ret_leaf, &size)) {
        return status_ok();
    }
    if (index >= size) {
        return status_error(reader->arena, STATUS_OUT_OF_RANGE, "the log has no entry %" PRIu64,
                            index);
    }
    TRY(read_bundle(reader, index, size));
    *ret_leaf = reader->bundle->entries[index % TILE_WIDTH];
    return status_ok();
}

status audit_log_read(struct audit_log *log, struct arena *arena, uint64_t index, bytes *ret_leaf)
{
    return audit_log_reader_read(audit_log_reader_new(log, arena), index, ret_leaf);
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
