#include "libs/audit/spool.h"

#include "libs/audit/spool_record.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_MAX_BYTES = 16 << 20,
    SEGMENTS = 16, /* in a full spool: what was acknowledged and not yet freed is a 16th of it */
    /* A file with everything acknowledged is freed before it is full when it has a 16th of its
     * size: a spool that is seldom used makes and removes few files, and sends little again. */
    SEGMENT_MIN_SHARE = 16,
    MAX_READ = 1000, /* events in one spool_read() */
};

/* One file. */
struct segment {
    uint64_t number;
    struct file *file;
    uint64_t size;
    uint64_t synced;      /* so much of it is durable */
    bool is_name_durable; /* and whether the file would be there at all */
    bool has_lost;        /* a sync has failed: none will be believed any more */
    uint64_t bytes_of[SPOOL_N_CLASSES];
    struct segment *next; /* the one after it */
};

struct spool {
    struct files *files;
    const struct random_source *random;
    char *service;
    uint64_t max_bytes;
    pthread_mutex_t lock; /* over all below */
    pthread_mutex_t
        removal; /* held while a segment is synced, and while one is freed; before lock */
    struct segment *first;
    struct segment *newest; /* the one appended to, or NULL */
    uint64_t next_number;
    uint64_t n_bytes;
    uint64_t bytes_of[SPOOL_N_CLASSES]; /* of what was appended since the start */
    uint64_t n_dropped;
    uint64_t n_dropped_told; /* by "audit.dropped" */
    uint64_t n_full;
    uint64_t n_damaged;
    void (*watch)(void *data);
    void *watch_data;
    /* The relay's: how far into the first segment was acknowledged, and where each event of the
     * last spool_read() ends. */
    uint64_t cursor;
    uint64_t ends[MAX_READ];
    size_t n_ends;
    size_t n_skipped; /* by it, since they are in no record */
};

/* ---- Segments; the lock is held ---- */

static const char *segment_name(struct arena *arena, uint64_t number)
{
    return arena_printf(arena, "%016" PRIx64 ".spool", number);
}

static void add_segment(struct spool *self, struct segment *segment)
{
    struct segment **end = &self->first;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = segment;
    self->n_bytes += segment->size;
}

static struct segment *segment_new(uint64_t number, struct file *file)
{
    struct segment *segment = calloc(1, sizeof *segment);

    if (segment == NULL) {
        abort();
    }
    segment->number = number;
    segment->file = file;
    return segment;
}

/* A new file at the end, which is appended to from now on. */
static status begin_segment(struct spool *self, struct arena *arena)
{
    struct file *file = NULL;

    TRY(files_open(self->files, arena, segment_name(arena, self->next_number), FILES_WRITE, &file));
    self->newest = segment_new(self->next_number++, file);
    add_segment(self, self->newest);
    return status_ok();
}

static void free_first(struct spool *self, struct arena *arena)
{
    struct segment *segment = self->first;

    self->first = segment->next;
    self->newest = self->newest == segment ? NULL : self->newest;
    self->n_bytes -= segment->size;
    for (int class = 0; class < SPOOL_N_CLASSES; class ++) {
        self->bytes_of[class] -= segment->bytes_of[class];
    }
    self->cursor = 0;
    file_close(segment->file);
    /* Should the name come back after a crash, its events are sent again and known by their ids. */
    (void)files_remove(self->files, arena, segment_name(arena, segment->number));
    free(segment);
}

static uint64_t segment_limit(const struct spool *self)
{
    return self->max_bytes / SEGMENTS;
}

/* ---- Append ---- */

static bool has_room(const struct spool *self, enum spool_class class, size_t size)
{
    static const uint64_t shares[] = { [SPOOL_DENIAL] = 2, [SPOOL_READ] = 1, [SPOOL_NOTICE] = 4 };

    return self->n_bytes + size <= self->max_bytes &&
           self->bytes_of[class] + size <= self->max_bytes / shares[class];
}

/* The lock is held. */
static status append_record(struct spool *self, struct arena *arena, enum spool_class class,
                            const struct audit_event *event)
{
    const struct audit_event fitted = audit_event_fit(arena, event);
    bytes record = spool_record_encode(arena, audit_event_encode(arena, &fitted));

    if (!has_room(self, class, record.size)) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED,
                            "the audit spool is full: the audit service has not answered for long");
    }
    if (self->newest == NULL ||
        (self->newest->size > 0 && self->newest->size + record.size > segment_limit(self))) {
        TRY(begin_segment(self, arena));
    }
    /* After an error the size is as before, and the next record takes the place of this one. */
    TRY(file_write_at(self->newest->file, arena, self->newest->size, record));
    self->newest->size += record.size;
    self->newest->bytes_of[class] += record.size;
    self->bytes_of[class] += record.size;
    self->n_bytes += record.size;
    return status_ok();
}

/* Says how many notices were dropped, once there is room to say it.  The lock is held. */
static void tell_dropped(struct spool *self, struct arena *arena, int64_t time_ms)
{
    const uint64_t n = self->n_dropped - self->n_dropped_told;

    if (n == 0) {
        return;
    }
    const struct audit_detail detail = { .key = "events",
                                         .value = arena_printf(arena, "%" PRIu64, n) };
    const struct audit_event event = {
        .event_id = random_ulid(self->random, arena, time_ms),
        .time_ms = time_ms,
        .tenant_id = "weft",
        .subject = self->service,
        .action = "audit.dropped",
        .target = "audit:spool",
        .outcome = AUDIT_FAILED,
        .trace_id = "",
        .data_subject = "",
        .details = &detail,
        .n_details = 1,
    };
    if (status_is_ok(append_record(self, arena, SPOOL_NOTICE, &event))) {
        self->n_dropped_told += n;
    }
}

status spool_append(struct spool *self, struct arena *arena, enum spool_class class,
                    const struct audit_event *event)
{
    pthread_mutex_lock(&self->lock);
    status s = append_record(self, arena, class, event);
    if (status_is_ok(s)) {
        tell_dropped(self, arena, event->time_ms);
    } else if (class == SPOOL_NOTICE) {
        self->n_dropped++;
        s = status_ok();
    } else {
        self->n_full++;
    }
    pthread_mutex_unlock(&self->lock);
    if (self->watch != NULL) {
        self->watch(self->watch_data);
    }
    return s;
}

/* ---- Sync ---- */

static bool is_synced(const struct segment *segment)
{
    return segment->is_name_durable && segment->synced == segment->size;
}

bool spool_is_synced(struct spool *self)
{
    bool is_all = true;

    pthread_mutex_lock(&self->lock);
    for (const struct segment *segment = self->first; segment != NULL; segment = segment->next) {
        is_all = is_all && is_synced(segment);
    }
    pthread_mutex_unlock(&self->lock);
    return is_all;
}

/* Copies what a sync has lost from the page cache, where it still is, to a new file.  The lock is
 * held.  What is copied counts for the new file alone, so a disk that fails for long does not fill
 * the spool with copies. */
static status write_anew(struct spool *self, struct arena *arena, struct segment *lost)
{
    uint64_t done = lost == self->first ? self->cursor : 0; /* acknowledged: nobody needs it */
    uint64_t from = done > lost->synced ? done : lost->synced;
    size_t size = from < lost->size ? (size_t)(lost->size - from) : 0;
    uint8_t *data = arena_alloc(arena, size + 1);
    size_t n = 0;

    TRY(file_read_at(lost->file, arena, from, data, size, &n));
    TRY(begin_segment(self, arena));
    TRY(file_write_at(self->newest->file, arena, 0, (bytes){ .data = data, .size = n }));
    self->newest->size = n;
    self->n_bytes -= size - n;
    memcpy(self->newest->bytes_of, lost->bytes_of, sizeof lost->bytes_of);
    memset(lost->bytes_of, 0, sizeof lost->bytes_of);
    lost->size -= size;
    lost->synced = lost->size;
    lost->has_lost = false;
    (void)file_truncate(lost->file, arena, lost->size); /* it would only be sent twice */
    return status_ok();
}

static status sync_bytes(struct spool *self, struct arena *arena, struct segment *segment)
{
    pthread_mutex_lock(&self->lock);
    uint64_t size = segment->size;
    bool has_lost = segment->has_lost;
    pthread_mutex_unlock(&self->lock);

    status s = has_lost ? status_ok() : file_sync(segment->file, arena);
    pthread_mutex_lock(&self->lock);
    segment->has_lost = has_lost || !status_is_ok(s);
    if (!segment->has_lost) {
        segment->synced = size;
    } else {
        status anew = write_anew(self, arena, segment);
        s = status_is_ok(s) ? anew : s;
    }
    pthread_mutex_unlock(&self->lock);
    return s;
}

static status sync_name(struct spool *self, struct arena *arena, struct segment *segment)
{
    TRY(files_sync_folder(self->files, arena, ""));
    pthread_mutex_lock(&self->lock);
    segment->is_name_durable = true;
    pthread_mutex_unlock(&self->lock);
    return status_ok();
}

/* The removal lock is held, so that segment stays; the other is not while the disk works, so that
 * appends go on. */
static status sync_segment(struct spool *self, struct arena *arena, struct segment *segment)
{
    TRY(sync_bytes(self, arena, segment));
    return segment->is_name_durable ? status_ok() : sync_name(self, arena, segment);
}

static struct segment *first_unsynced(struct spool *self)
{
    pthread_mutex_lock(&self->lock);
    struct segment *segment = self->first;
    while (segment != NULL && is_synced(segment)) {
        segment = segment->next;
    }
    pthread_mutex_unlock(&self->lock);
    return segment;
}

/* A failure ends it; what is left is tried again at the next sync. */
status spool_sync(struct spool *self, struct arena *arena)
{
    status s = status_ok();

    pthread_mutex_lock(&self->removal);
    for (struct segment *segment; status_is_ok(s) && (segment = first_unsynced(self)) != NULL;) {
        s = sync_segment(self, arena, segment);
    }
    pthread_mutex_unlock(&self->removal);
    return s;
}

/* ---- Read ---- */

/* Whether all of the first segment was acknowledged and it may go.  The lock is held. */
static bool is_first_done(const struct spool *self)
{
    const struct segment *first = self->first;

    return first != NULL && self->cursor >= first->size &&
           (first != self->newest || first->size >= segment_limit(self) / SEGMENT_MIN_SHARE);
}

static void free_done(struct spool *self, struct arena *arena)
{
    pthread_mutex_lock(&self->removal);
    pthread_mutex_lock(&self->lock);
    while (is_first_done(self)) {
        free_first(self, arena);
    }
    pthread_mutex_unlock(&self->lock);
    pthread_mutex_unlock(&self->removal);
}

/* What of the first segment was not acknowledged. */
static status read_rest(struct spool *self, struct arena *arena, bytes *ret_rest)
{
    pthread_mutex_lock(&self->lock);
    struct segment *first = self->first;
    size_t size =
        first != NULL && first->size > self->cursor ? (size_t)(first->size - self->cursor) : 0;
    pthread_mutex_unlock(&self->lock);
    uint8_t *data = arena_alloc(arena, size + 1);
    size_t n = 0;

    if (size > 0) {
        TRY(file_read_at(first->file, arena, self->cursor, data, size, &n));
    }
    *ret_rest = (bytes){ .data = data, .size = n };
    return status_ok();
}

/* The events in rest; their ends are noted for spool_acknowledge(). */
static status decode_events(struct spool *self, struct arena *arena, bytes rest, size_t limit,
                            struct audit_event *events)
{
    size_t at = 0;
    bytes data;

    self->n_skipped = 0;
    while (self->n_ends < limit && spool_record_next(rest, &at, &self->n_skipped, &data)) {
        status s = audit_event_decode(arena, data, &events[self->n_ends]);
        if (s.code == STATUS_DATA_LOSS) { /* a checksum that is right over what is no event */
            self->n_skipped += data.size;
        } else if (!status_is_ok(s)) {
            return self->n_ends > 0 ? status_ok() : s; /* first those before it */
        } else {
            self->ends[self->n_ends++] = self->cursor + at;
        }
    }
    return status_ok();
}

static void move_cursor(struct spool *self, struct arena *arena, uint64_t cursor)
{
    pthread_mutex_lock(&self->lock);
    self->cursor = cursor;
    self->n_damaged += self->n_skipped;
    pthread_mutex_unlock(&self->lock);
    self->n_skipped = 0;
    self->n_ends = 0;
    free_done(self, arena);
}

status spool_read(struct spool *self, struct arena *arena, size_t limit,
                  const struct audit_event **ret_events, size_t *ret_n_events)
{
    const size_t max = limit < MAX_READ ? limit : MAX_READ;
    struct audit_event *events = ARENA_NEW_ARRAY(arena, struct audit_event, max);
    bytes rest;

    self->n_ends = 0;
    free_done(self, arena); /* files that a crash or write_anew() left empty */
    do {
        TRY(read_rest(self, arena, &rest));
        TRY(decode_events(self, arena, rest, max, events));
        if (self->n_ends == 0 && rest.size > 0) { /* nothing whole to its end */
            move_cursor(self, arena, self->cursor + rest.size);
        }
    } while (self->n_ends == 0 && rest.size > 0);
    *ret_events = events;
    *ret_n_events = self->n_ends;
    return status_ok();
}

void spool_acknowledge(struct spool *self, struct arena *arena, size_t n)
{
    assert(n <= self->n_ends);
    if (n > 0) {
        move_cursor(self, arena, self->ends[n - 1]);
    }
}

/* ---- All of it ---- */

/* A file of an earlier process.  Whether its bytes are durable nobody knows: they are synced. */
static status take_over(struct spool *self, struct arena *arena, const char *name)
{
    struct file *file = NULL;
    uint64_t number = 0;
    uint64_t size = 0;

    if (sscanf(name, "%16" SCNx64 ".spool", &number) != 1 ||
        strcmp(segment_name(arena, number), name) != 0) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "'%s' is no file of an audit spool: the folder is the spool's alone",
                            name);
    }
    TRY(files_open(self->files, arena, name, FILES_WRITE, &file));
    status s = file_size(file, arena, &size);
    if (!status_is_ok(s)) {
        file_close(file);
        return s;
    }
    struct segment *segment = segment_new(number, file);
    segment->size = size;
    add_segment(self, segment);
    self->next_number = number + 1;
    return status_ok();
}

static status take_over_all(struct spool *self, struct arena *arena)
{
    struct files_names names;

    TRY(files_list(self->files, arena, "", &names));
    for (size_t i = 0; i < names.n_names; i++) {
        TRY(take_over(self, arena, names.names[i]));
    }
    return status_ok();
}

static void spool_free(struct spool *self)
{
    while (self->first != NULL) {
        struct segment *segment = self->first;
        self->first = segment->next;
        file_close(segment->file);
        free(segment);
    }
    pthread_mutex_destroy(&self->removal);
    pthread_mutex_destroy(&self->lock);
    free(self->service);
    free(self);
}

status spool_open(struct arena *arena, const struct spool_options *options,
                  struct spool **ret_spool)
{
    struct spool *self = calloc(1, sizeof *self);

    if (self == NULL || (self->service = strdup(options->service)) == NULL) {
        abort();
    }
    self->files = options->files;
    self->random = options->random;
    self->max_bytes = options->max_bytes != 0 ? options->max_bytes : DEFAULT_MAX_BYTES;
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->removal, NULL);
    status s = take_over_all(self, arena);
    if (!status_is_ok(s)) {
        spool_free(self);
        return s;
    }
    *ret_spool = self;
    return status_ok();
}

void spool_close(struct spool *self)
{
    if (self != NULL) {
        struct arena *arena = arena_new();
        (void)spool_sync(self, arena); /* a last attempt: nobody waits for it */
        arena_free(arena);
        spool_free(self);
    }
}

void spool_watch(struct spool *self, void (*function)(void *data), void *data)
{
    self->watch = function;
    self->watch_data = data;
}

void spool_read_report(struct spool *self, struct spool_report *ret_report)
{
    pthread_mutex_lock(&self->lock);
    *ret_report = (struct spool_report){
        .n_bytes = self->n_bytes,
        .max_bytes = self->max_bytes,
        .n_dropped = self->n_dropped,
        .n_full = self->n_full,
        .n_damaged = self->n_damaged,
    };
    pthread_mutex_unlock(&self->lock);
}
