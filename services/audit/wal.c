#include "services/audit/wal.h"

#include "libs/crypto/sha256.h"
#include "libs/tlog/lines.h"
#include "libs/tlog/tile.h"

#include <inttypes.h>
#include <string.h>

enum { SIZE_BYTES = 4, HEADER_BYTES = SIZE_BYTES + SHA256_SIZE, NUMBER_DIGITS = 20 };

#define NAME_PREFIX "wal."

void wal_init(struct wal *self, struct files *files)
{
    *self = (struct wal){ .files = files };
}

void wal_rotate(struct wal *self)
{
    file_close(self->file);
    self->file = NULL;
}

void wal_reset(struct wal *self)
{
    wal_rotate(self);
}

/* ---- Names ---- */

static const char *name_of(struct arena *arena, uint64_t first)
{
    return arena_printf(arena, WAL_FOLDER "/" NAME_PREFIX "%0*" PRIu64, NUMBER_DIGITS, first);
}

static bool parse_name(const char *name, uint64_t *ret_first)
{
    bytes digits = { .data = (const uint8_t *)name, .size = strlen(name) };

    if (!line_skip(&digits, NAME_PREFIX) || digits.size != NUMBER_DIGITS) {
        return false;
    }
    while (digits.size > 1 && digits.data[0] == '0') {
        digits.data++;
        digits.size--;
    }
    return line_number(digits, ret_first);
}

/* The numbers of the files, rising: names of one length sort as their numbers do. */
static status list_firsts(struct files *files, struct arena *arena, uint64_t **ret_firsts,
                          size_t *ret_n)
{
    struct files_names names;
    size_t n = 0;

    status s = files_list(files, arena, WAL_FOLDER, &names);
    if (s.code == STATUS_NOT_FOUND) { /* nothing was ever appended */
        *ret_n = 0;
        return status_ok();
    }
    TRY(s);
    uint64_t *firsts = ARENA_NEW_ARRAY(arena, uint64_t, names.n_names);
    for (size_t i = 0; i < names.n_names; i++) {
        n += parse_name(names.names[i], &firsts[n]);
    }
    *ret_firsts = firsts;
    *ret_n = n;
    return status_ok();
}

/* ---- Batches ---- */

static void write_number(uint8_t *data, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
    }
}

static struct sha256 batch_hash(uint64_t first, bytes batch)
{
    uint8_t number[8];

    write_number(number, first, sizeof number);
    return sha256_of_parts((const bytes[]){ { number, sizeof number }, batch }, 2);
}

/* Takes the first batch off data; false where there is no whole one. */
static bool next_batch(bytes *data, uint64_t first, bytes *ret_batch)
{
    if (data->size < HEADER_BYTES) {
        return false;
    }
    uint64_t size = 0;
    for (size_t i = 0; i < SIZE_BYTES; i++) {
        size = size << 8 | data->data[i];
    }
    if (size == 0 || size > data->size - HEADER_BYTES) {
        return false;
    }
    const bytes batch = { .data = data->data + HEADER_BYTES, .size = (size_t)size };
    struct sha256 hash = batch_hash(first, batch);
    if (memcmp(data->data + SIZE_BYTES, hash.data, SHA256_SIZE) != 0) {
        return false;
    }
    data->data += HEADER_BYTES + batch.size;
    data->size -= HEADER_BYTES + batch.size;
    *ret_batch = batch;
    return true;
}

/* Gives sink the leaves numbered from `from` up to, not including, end; returns the number behind
 * the last that was there. */
static uint64_t replay_file(bytes data, uint64_t first, uint64_t from, uint64_t end,
                            struct wal_sink *sink)
{
    uint64_t number = first;

    for (bytes batch; number < end && next_batch(&data, number, &batch);) {
        for (bytes leaf; number < end && bundle_next(&batch, &leaf); number++) {
            if (number >= from) {
                sink->leaf(sink, leaf);
            }
        }
    }
    return number;
}

status wal_replay(struct files *files, struct arena *arena, uint64_t from, struct wal_sink *sink)
{
    uint64_t *firsts;
    size_t n;

    TRY(list_firsts(files, arena, &firsts, &n));
    uint64_t next = from; /* all leaves below it are there */
    for (size_t i = 0; i < n; i++) {
        bytes data;
        if (firsts[i] > next) {
            return status_error(arena, STATUS_DATA_LOSS,
                                "%s: the leaves from %" PRIu64 " on are missing before it",
                                name_of(arena, firsts[i]), next);
        }
        TRY(files_read(files, arena, name_of(arena, firsts[i]), WAL_MAX_FILE_BYTES, &data));
        uint64_t end =
            replay_file(data, firsts[i], next, i + 1 < n ? firsts[i + 1] : UINT64_MAX, sink);
        next = end > next ? end : next;
    }
    return status_ok();
}

/* ---- Writing ---- */

/* What has the name may be left of a first batch that failed: it is removed, not written over. */
static status open_new(struct wal *self, struct arena *arena, uint64_t first)
{
    const char *name = name_of(arena, first);

    TRY(files_make_folder(self->files, arena, WAL_FOLDER));
    TRY(files_remove(self->files, arena, name));
    TRY(files_open(self->files, arena, name, FILES_WRITE, &self->file));
    self->offset = 0;
    return status_ok();
}

static status append(struct wal *self, struct arena *arena, uint64_t first, bytes batch)
{
    struct sha256 hash = batch_hash(first, batch);
    uint8_t *data = arena_alloc(arena, HEADER_BYTES + batch.size);
    const bytes framed = { .data = data, .size = HEADER_BYTES + batch.size };
    bool is_new = self->file == NULL;

    write_number(data, batch.size, SIZE_BYTES);
    memcpy(data + SIZE_BYTES, hash.data, SHA256_SIZE);
    memcpy(data + HEADER_BYTES, batch.data, batch.size);
    if (is_new) {
        TRY(open_new(self, arena, first));
    }
    TRY(file_write_at(self->file, arena, self->offset, framed));
    TRY(file_sync(self->file, arena));
    if (is_new) {
        TRY(files_sync_folder(self->files, arena, WAL_FOLDER));
    }
    self->offset += framed.size;
    return status_ok();
}

status wal_append(struct wal *self, struct arena *arena, uint64_t first, bytes batch)
{
    status s = append(self, arena, first, batch);

    if (!status_is_ok(s)) {
        wal_rotate(self);
    }
    return s;
}

status wal_drop(struct files *files, struct arena *arena, uint64_t before)
{
    uint64_t *firsts;
    size_t n;

    TRY(list_firsts(files, arena, &firsts, &n));
    for (size_t i = 0; i + 1 < n && firsts[i + 1] <= before; i++) {
        TRY(files_remove(files, arena, name_of(arena, firsts[i])));
    }
    return status_ok();
}
