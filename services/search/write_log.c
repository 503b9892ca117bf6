#include "services/search/write_log.h"

#include "libs/base/crc32c.h"
#include "services/search/pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOG_VERSION = 1,
    HEADER_BYTES = 20,       /* magic, version, follows, crc */
    FRAME_HEADER_BYTES = 20, /* magic, crc, sequence, size */
};

static const uint32_t header_magic = 0x474f4c57; /* "WLOG" */
static const uint32_t frame_magic = 0x4d524657;  /* "WFRM" */

struct log_file {
    struct log_file *next;
    uint64_t follows;
    uint64_t size;
};

struct write_log {
    struct files *files;
    struct log_file *first; /* oldest first; owned */
    struct log_file **end;
    struct file *file; /* the newest, open to append; NULL: the next frame begins one */
    uint64_t last;
};

static const char *name_of(struct arena *arena, uint64_t follows)
{
    return arena_printf(arena, LOG_FOLDER "/%016" PRIx64, follows);
}

/* ---- Reading ---- */

bool log_frame_next(bytes data, size_t *offset, struct log_frame *ret_frame)
{
    struct unpack in = unpack_of((bytes){ data.data + *offset, data.size - *offset });
    uint32_t magic = unpack_u32(&in);
    uint32_t crc = unpack_u32(&in);
    const uint8_t *covered = in.at;
    uint64_t sequence = unpack_u64(&in);
    uint32_t size = unpack_u32(&in);
    bytes payload = unpack_bytes(&in, size);

    if (in.failed || magic != frame_magic || size > MAX_FRAME_BYTES ||
        crc32c((bytes){ covered, (size_t)(in.at - covered) }) != crc) {
        return false;
    }
    *offset += FRAME_HEADER_BYTES + payload.size;
    *ret_frame = (struct log_frame){ .sequence = sequence, .payload = payload };
    return true;
}

bool log_frame_anywhere(bytes data, size_t offset, uint64_t after)
{
    struct log_frame frame;

    while (offset < data.size) {
        const uint8_t *found =
            memmem(data.data + offset, data.size - offset, &frame_magic, sizeof frame_magic);
        if (found == NULL) {
            return false;
        }
        size_t at = (size_t)(found - data.data);
        if (log_frame_next(data, &at, &frame) && frame.sequence > after) {
            return true;
        }
        offset = (size_t)(found - data.data) + 1;
    }
    return false;
}

/* Whether data begins with a header; one that is torn is none. */
static status check_header(struct arena *arena, const char *name, bytes data, bool *ret_whole)
{
    struct unpack in = unpack_of(data);
    uint32_t magic = unpack_u32(&in);
    uint32_t version = unpack_u32(&in);

    (void)unpack_u64(&in);
    uint32_t crc = unpack_u32(&in);
    *ret_whole = !in.failed && magic == header_magic &&
                 crc32c((bytes){ data.data, HEADER_BYTES - 4 }) == crc;
    if (*ret_whole && version != LOG_VERSION) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "'%s' has format %u, which a newer program wrote; this one reads %d",
                            name, version, LOG_VERSION);
    }
    return status_ok();
}

struct replay {
    struct write_log *log;
    const char *name;
    uint64_t after; /* frames up to this one are known */
    uint64_t until; /* the file ends with this one; UINT64_MAX: it is the last file */
    write_log_apply *apply;
    void *data;
};

static status lost(const struct replay *replay, struct arena *arena, size_t offset)
{
    return status_error(arena, STATUS_DATA_LOSS,
                        "'%s' is broken at byte %zu: frame %" PRIu64 " and what follows are lost",
                        replay->name, offset, replay->log->last + 1);
}

/* Applies the frames of one file. */
static status replay_frames(struct replay *replay, struct arena *arena, bytes data)
{
    struct write_log *log = replay->log;
    size_t offset = HEADER_BYTES;
    struct log_frame frame;

    while (log->last < replay->until && log_frame_next(data, &offset, &frame)) {
        if (frame.sequence != log->last + 1) {
            return lost(replay, arena, offset);
        }
        log->last = frame.sequence;
        if (frame.sequence > replay->after) {
            TRY(replay->apply(replay->data, arena, frame));
        }
    }
    bool rotten = replay->until == UINT64_MAX
                      ? log_frame_anywhere(data, offset, replay->after)
                      : log->last < replay->until && replay->until > replay->after;
    return rotten ? lost(replay, arena, offset) : status_ok();
}

static status replay_data(struct replay *replay, struct arena *arena, bytes data, uint64_t follows)
{
    bool whole = false;

    TRY(check_header(arena, replay->name, data, &whole));
    if (whole) {
        return replay_frames(replay, arena, data);
    }
    bool rotten = replay->until == UINT64_MAX
                      ? log_frame_anywhere(data, 0, replay->after)
                      : replay->until > follows && replay->until > replay->after;
    return rotten ? lost(replay, arena, 0) : status_ok();
}

static void add_file(struct write_log *log, uint64_t follows, uint64_t size)
{
    struct log_file *added = calloc(1, sizeof *added);

    if (added == NULL) {
        abort();
    }
    *added = (struct log_file){ .follows = follows, .size = size };
    *log->end = added;
    log->end = &added->next;
}

static status replay_open_file(struct replay *replay, struct arena *arena, struct file *file,
                               uint64_t follows)
{
    bytes data = { 0 };

    TRY(file_map(file, arena, &data));
    add_file(replay->log, follows, data.size);
    replay->log->last = follows;
    TRY(replay_data(replay, arena, data, follows));
    /* What a process that was killed has written but not synced is read here all the same, and
     * from now on others build on it. */
    return replay->until == UINT64_MAX ? file_sync(file, arena) : status_ok();
}

static status replay_file(struct replay *replay, struct arena *arena, uint64_t follows)
{
    struct file *file = NULL;

    if (follows > replay->log->last) {
        return status_error(arena, STATUS_DATA_LOSS,
                            "'%s' follows frame %" PRIu64 ", but the last before it is %" PRIu64,
                            replay->name, follows, replay->log->last);
    }
    TRY(files_open(replay->log->files, arena, replay->name, FILES_READ, &file));
    status s = replay_open_file(replay, arena, file, follows);
    file_close(file);
    return s;
}

/* The files of the log, oldest first: their names are in that order. */
static status find_files(struct files *files, struct arena *arena, uint64_t **ret_follows,
                         size_t *ret_n)
{
    struct files_names names;

    TRY(files_list(files, arena, LOG_FOLDER, &names));
    uint64_t *follows = ARENA_NEW_ARRAY(arena, uint64_t, names.n_names);
    size_t n = 0;
    for (size_t i = 0; i < names.n_names; i++) {
        int end = 0;
        if (sscanf(names.names[i], "%16" SCNx64 "%n", &follows[n], &end) == 1 && end == 16 &&
            names.names[i][end] == '\0') {
            n++;
        }
    }
    *ret_follows = follows;
    *ret_n = n;
    return status_ok();
}

static status replay_all(struct replay *replay, struct arena *arena)
{
    uint64_t *follows = NULL;
    size_t n = 0;

    TRY(find_files(replay->log->files, arena, &follows, &n));
    replay->log->last = replay->after;
    for (size_t i = 0; i < n; i++) {
        replay->name = name_of(arena, follows[i]);
        replay->until = i + 1 < n ? follows[i + 1] : UINT64_MAX;
        TRY(replay_file(replay, arena, follows[i]));
        /* A file that was removed and came back, for its folder was not synced, ends before. */
        if (replay->log->last < replay->after) {
            replay->log->last = replay->after;
        }
    }
    return status_ok();
}

status write_log_open(struct files *files, struct arena *arena, uint64_t after,
                      write_log_apply *apply, void *data, struct write_log **ret_log)
{
    TRY(files_make_folder(files, arena, LOG_FOLDER));
    struct write_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        abort();
    }
    *log = (struct write_log){ .files = files, .end = &log->first };
    struct replay replay = { .log = log, .after = after, .apply = apply, .data = data };
    status s = replay_all(&replay, arena);
    if (!status_is_ok(s)) {
        write_log_close(log);
        return s;
    }
    *ret_log = log;
    return status_ok();
}

void write_log_close(struct write_log *log)
{
    if (log == NULL) {
        return;
    }
    file_close(log->file);
    while (log->first != NULL) {
        struct log_file *next = log->first->next;
        free(log->first);
        log->first = next;
    }
    free(log);
}

/* ---- Writing ---- */

static struct log_file *newest(const struct write_log *log)
{
    struct log_file *file = log->first;

    while (file != NULL && file->next != NULL) {
        file = file->next;
    }
    return file;
}

static void pack_header(struct text *out, uint64_t follows)
{
    pack_u32(out, header_magic);
    pack_u32(out, LOG_VERSION);
    pack_u64(out, follows);
    pack_u32(out, crc32c(text_bytes(out)));
}

static void pack_frame(struct text *out, uint64_t sequence, bytes payload)
{
    uint8_t covered[12];
    uint32_t size = (uint32_t)payload.size;

    memcpy(covered, &sequence, sizeof sequence);
    memcpy(covered + 8, &size, sizeof size);
    pack_u32(out, frame_magic);
    pack_u32(out, crc32c_add(crc32c((bytes){ covered, sizeof covered }), payload));
    text_add_bytes(out, (bytes){ covered, sizeof covered });
    text_add_bytes(out, payload);
}

static status write_synced(struct file *file, struct arena *arena, uint64_t offset, bytes data)
{
    TRY(file_write_at(file, arena, offset, data));
    return file_sync(file, arena);
}

/* A file of this name can only be one that never got a frame acknowledged; it goes, since after
 * a failed sync nothing written to it again is sure to get to the disk. */
static status begin_file(struct write_log *log, struct arena *arena, bytes payload)
{
    const char *name = name_of(arena, log->last);
    struct log_file *last = newest(log);
    struct text out = text_new(arena);
    struct file *file = NULL;

    pack_header(&out, log->last);
    pack_frame(&out, log->last + 1, payload);
    TRY(files_remove(log->files, arena, name));
    TRY(files_open(log->files, arena, name, FILES_WRITE, &file));
    status s = write_synced(file, arena, 0, text_bytes(&out));
    if (status_is_ok(s)) {
        s = files_sync_folder(log->files, arena, LOG_FOLDER);
    }
    if (!status_is_ok(s)) {
        file_close(file);
        (void)files_remove(log->files, arena, name);
        return s;
    }
    if (last != NULL && last->follows == log->last) {
        last->size = out.size;
    } else {
        add_file(log, log->last, out.size);
    }
    log->file = file;
    return status_ok();
}

static status continue_file(struct write_log *log, struct arena *arena, bytes payload)
{
    struct log_file *last = newest(log);
    struct text out = text_new(arena);

    pack_frame(&out, log->last + 1, payload);
    status s = write_synced(log->file, arena, last->size, text_bytes(&out));
    if (!status_is_ok(s)) {
        write_log_rotate(log);
        return s;
    }
    last->size += out.size;
    return status_ok();
}

status write_log_append(struct write_log *log, struct arena *arena, bytes payload)
{
    TRY(log->file == NULL ? begin_file(log, arena, payload) : continue_file(log, arena, payload));
    log->last++;
    return status_ok();
}

uint64_t write_log_last(const struct write_log *log)
{
    return log->last;
}

uint64_t write_log_bytes(const struct write_log *log)
{
    uint64_t size = 0;

    for (const struct log_file *file = log->first; file != NULL; file = file->next) {
        size += file->size;
    }
    return size;
}

void write_log_rotate(struct write_log *log)
{
    file_close(log->file);
    log->file = NULL;
}

status write_log_forget(struct write_log *log, struct arena *arena, uint64_t sequence)
{
    while (log->first != NULL) {
        struct log_file *file = log->first;
        uint64_t ends = file->next != NULL ? file->next->follows : log->last;
        if (ends > sequence || (file->next == NULL && log->file != NULL)) {
            break;
        }
        TRY(files_remove(log->files, arena, name_of(arena, file->follows)));
        log->first = file->next;
        if (log->first == NULL) {
            log->end = &log->first;
        }
        free(file);
    }
    return status_ok();
}
