#include "libs/audit/spool.h"

#include "libs/audit/spool_files.h"
#include "libs/audit/spool_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MAX_BYTES = 16 << 20 };

/* ---- Segments; the lock is held ---- */

const char *spool_segment_name(struct arena *arena, uint64_t number)
{
    return arena_printf(arena, "%016" PRIx64 ".spool", number);
}

void spool_add_segment(struct spool *self, struct segment *segment)
{
    struct segment **end = &self->first;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = segment;
    self->n_bytes += segment->size;
}

struct segment *spool_segment_new(uint64_t number, struct file *file)
{
    struct segment *segment = calloc(1, sizeof *segment);

    if (segment == NULL) {
        abort();
    }
    segment->number = number;
    segment->file = file;
    return segment;
}

status spool_begin_segment(struct spool *self, struct arena *arena)
{
    struct file *file = NULL;

    TRY(files_open(self->files, arena, spool_segment_name(arena, self->next_number), FILES_WRITE,
                   &file));
    self->newest = spool_segment_new(self->next_number++, file);
    spool_add_segment(self, self->newest);
    return status_ok();
}

uint64_t spool_segment_limit(const struct spool *self)
{
    return self->max_bytes / SPOOL_SEGMENTS;
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
        (self->newest->size > 0 && self->newest->size + record.size > spool_segment_limit(self))) {
        TRY(spool_begin_segment(self, arena));
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

/* ---- All of it ---- */

/* A file of an earlier process.  Whether its bytes are durable nobody knows: they are synced. */
static status take_over(struct spool *self, struct arena *arena, const char *name)
{
    struct file *file = NULL;
    uint64_t number = 0;
    uint64_t size = 0;

    if (sscanf(name, "%16" SCNx64 ".spool", &number) != 1 ||
        strcmp(spool_segment_name(arena, number), name) != 0) {
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
    struct segment *segment = spool_segment_new(number, file);
    segment->size = size;
    spool_add_segment(self, segment);
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
