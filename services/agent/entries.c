#include "services/agent/entries.h"

#include "libs/base/encoding.h"
#include "libs/crypto/sha256.h"
#include "libs/rpc/accept.h"
#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"
#include "weft/registry/v1/ca_service.pb-c.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_FILE "entries"

enum { MAX_KEPT_BYTES = 4 * 1024 * 1024 };

struct entries {
    struct keeper_task task;
    struct entries_options options;
    struct link link;
    pthread_mutex_t lock; /* over the rest */
    struct arena *arena;  /* of current */
    const Weft__Registry__V1__WatchEntriesResponse *current;
};

/* ---- /proc ---- */

static status hash_executable(struct arena *arena, const char *link, const char **ret_sha256)
{
    int fd = open(link, O_RDONLY | O_CLOEXEC);
    struct stat info;

    if (fd < 0 || fstat(fd, &info) != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return status_error(arena, STATUS_NOT_FOUND, "the process cannot be looked at");
    }
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (map == MAP_FAILED) {
        return status_error(arena, STATUS_NOT_FOUND, "the process cannot be looked at");
    }
    struct sha256 hash = sha256_of((bytes){ map, (size_t)info.st_size });
    (void)munmap(map, (size_t)info.st_size);
    *ret_sha256 = hex_encode(arena, sha256_bytes(&hash));
    return status_ok();
}

static status read_proc(const struct process_reader *self, struct arena *arena,
                        const struct peer_process *process, bool want_hash,
                        struct process_facts *ret_facts)
{
    const char *link = arena_printf(arena, "/proc/%" PRId64 "/exe", process->pid);
    char path[PATH_MAX];
    ssize_t n = readlink(link, path, sizeof path - 1);

    (void)self;
    *ret_facts = (struct process_facts){ .uid = process->uid, .path = "", .sha256 = "" };
    if (n > 0) {
        ret_facts->path = arena_printf(arena, "%.*s", (int)n, path);
    }
    if (want_hash) {
        TRY(hash_executable(arena, link, &ret_facts->sha256));
    }
    if (!peer_process_is_alive(process)) {
        return status_error(arena, STATUS_NOT_FOUND, "the process is gone");
    }
    return status_ok();
}

const struct process_reader proc_reader = { .read = read_proc };

/* ---- Matching ---- */

static bool selector_matches(const Weft__Registry__V1__Selector *selector,
                             const struct process_facts *facts)
{
    char uid[24];

    switch (selector->kind) {
    case WEFT__REGISTRY__V1__SELECTOR_KIND__SELECTOR_KIND_UID:
        (void)snprintf(uid, sizeof uid, "%" PRId64, facts->uid);
        return strcmp(selector->value, uid) == 0;
    case WEFT__REGISTRY__V1__SELECTOR_KIND__SELECTOR_KIND_PATH:
        return strcmp(selector->value, facts->path) == 0;
    case WEFT__REGISTRY__V1__SELECTOR_KIND__SELECTOR_KIND_SHA256:
        return strcmp(selector->value, facts->sha256) == 0;
    default:
        return false; /* a kind that we do not know is one that we cannot vouch for */
    }
}

static bool entry_matches(const Weft__Registry__V1__Entry *entry, const struct process_facts *facts)
{
    for (size_t i = 0; i < entry->n_selectors; i++) {
        if (!selector_matches(entry->selectors[i], facts)) {
            return false;
        }
    }
    return entry->n_selectors > 0; /* one that asks for nothing would be everybody */
}

static bool wants_hash(const Weft__Registry__V1__WatchEntriesResponse *entries)
{
    for (size_t i = 0; i < entries->n_entries; i++) {
        for (size_t j = 0; j < entries->entries[i]->n_selectors; j++) {
            if (entries->entries[i]->selectors[j]->kind ==
                WEFT__REGISTRY__V1__SELECTOR_KIND__SELECTOR_KIND_SHA256) {
                return true;
            }
        }
    }
    return false;
}

status entries_find(struct entries *self, struct arena *arena, const struct peer_process *process,
                    struct workload *ret_workload)
{
    struct process_facts facts;
    const char *found = NULL;

    pthread_mutex_lock(&self->lock);
    bool known = self->current != NULL;
    bool want_hash = known && wants_hash(self->current);
    pthread_mutex_unlock(&self->lock);
    if (!known) {
        return status_error(arena, STATUS_UNAVAILABLE, "the registry has sent no entries yet");
    }
    TRY(self->options.reader->read(self->options.reader, arena, process, want_hash, &facts));
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->current->n_entries && found == NULL; i++) {
        if (entry_matches(self->current->entries[i], &facts)) {
            found = arena_strdup(arena, self->current->entries[i]->spiffe_id);
        }
    }
    pthread_mutex_unlock(&self->lock);
    if (found == NULL) {
        return status_error(arena, STATUS_PERMISSION_DENIED,
                            "no workload is registered for uid %" PRId64 ", '%s'", facts.uid,
                            facts.path);
    }
    *ret_workload = (struct workload){ .spiffe_id = found };
    return status_ok();
}

bytes entries_bundle(struct entries *self, struct arena *arena)
{
    bytes bundle = { .data = NULL };

    pthread_mutex_lock(&self->lock);
    if (self->current != NULL) {
        uint8_t *copy = arena_alloc(arena, self->current->bundle.len);
        memcpy(copy, self->current->bundle.data, self->current->bundle.len);
        bundle = (bytes){ copy, self->current->bundle.len };
    }
    pthread_mutex_unlock(&self->lock);
    return bundle;
}

/* ---- Changes ---- */

status entries_set(struct entries *self, bytes encoded)
{
    struct arena *arena = arena_new();
    const ProtobufCMessage *message = NULL;
    status s = message_decode(arena, &weft__registry__v1__watch_entries_response__descriptor,
                              encoded, &message);

    if (!status_is_ok(s)) {
        arena_free(arena);
        return (status){ .code = s.code, .message = "not the entries of a registry" };
    }
    pthread_mutex_lock(&self->lock);
    struct arena *old = self->arena;
    self->arena = arena;
    self->current = (const Weft__Registry__V1__WatchEntriesResponse *)message;
    pthread_mutex_unlock(&self->lock);
    arena_free(old);
    if (self->options.changed != NULL) {
        self->options.changed(self->options.data);
    }
    return status_ok();
}

static void tell(struct entries *self, status s)
{
    if (self->options.heard != NULL) {
        self->options.heard(self->options.data, s);
    }
}

static void on_down(void *state, status why)
{
    tell(state, why);
}

static status on_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct entries *self = state;
    struct arena *arena = stream_event_arena(stream);
    bytes encoded = message_pack(arena, message);

    TRY(entries_set(self, encoded));
    tell(self, status_ok());
    status s = files_replace(self->options.files, arena, KEPT_FILE, encoded);
    if (!status_is_ok(s)) { /* known all the same: only the next start would miss them */
        LOG(self->options.log, LEVEL_WARN, NULL, "entries not kept", log_text("error", s.message));
    }
    return status_ok();
}

static const ProtobufCMessage *first_message(void *state, struct arena *arena)
{
    Weft__Registry__V1__WatchEntriesRequest *request =
        ARENA_NEW(arena, Weft__Registry__V1__WatchEntriesRequest);

    (void)state;
    weft__registry__v1__watch_entries_request__init(request);
    return &request->base;
}

static void tick(struct keeper_task *task)
{
    struct entries *self = (struct entries *)task;

    link_tick(&self->link);
}

static void load_kept(struct entries *self)
{
    struct arena *arena = arena_new();
    bytes kept;

    if (status_is_ok(files_read(self->options.files, arena, KEPT_FILE, MAX_KEPT_BYTES, &kept))) {
        (void)entries_set(self, kept); /* damaged ones are as good as none */
    }
    arena_free(arena);
}

struct entries *entries_new(const struct entries_options *options)
{
    struct entries *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->task.tick = tick;
    self->options = *options;
    pthread_mutex_init(&self->lock, NULL);
    load_kept(self);
    if (options->registry != NULL) {
        link_init(&self->link, &(struct link_options){
                                   .peer = options->registry,
                                   .service = &weft__registry__v1__ca_service__descriptor,
                                   .method = "WatchEntries",
                                   .name = "entries",
                                   .clock = options->clock,
                                   .random = options->random,
                                   .log = options->log,
                                   .first = first_message,
                                   .message = on_message,
                                   .down = on_down,
                                   .state = self,
                               });
        keeper_add(options->keeper, &self->task);
    }
    return self;
}

void entries_free(struct entries *self)
{
    if (self == NULL) {
        return;
    }
    if (self->options.registry != NULL) {
        link_reset(&self->link);
    }
    arena_free(self->arena);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
