#include "libs/mesh/identity.h"

#include "libs/base/text.h"
#include "libs/crypto/pem.h"
#include "libs/crypto/x509.h"
#include "spiffe/workload/workload.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ID_BYTES = 2048 };

struct identity {
    struct keeper_task task;
    struct identity_options options;
    struct link link;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_there;
    char spiffe_id[MAX_ID_BYTES + 1];
    char why_not[256];
};

status identity_write(struct files *files, struct arena *arena, bytes chain, bytes key,
                      bytes bundle)
{
    struct text svid = text_new(arena);
    const char *chain_pem = NULL;
    const char *bundle_pem = NULL;

    TRY(x509_to_pem(arena, chain, &chain_pem));
    TRY(x509_to_pem(arena, bundle, &bundle_pem));
    text_add(&svid, "%s%s", pem_encode(arena, "PRIVATE KEY", key), chain_pem);
    /* The authorities first: who is met with the new certificate must be believed. */
    TRY(files_replace(files, arena, IDENTITY_BUNDLE_FILE, bytes_of(bundle_pem)));
    return files_replace(files, arena, IDENTITY_SVID_FILE, text_bytes(&svid));
}

static bytes bytes_in(ProtobufCBinaryData data)
{
    return (bytes){ .data = data.data, .size = data.len };
}

static void set(struct identity *self, const char *spiffe_id, status s)
{
    pthread_mutex_lock(&self->lock);
    if (status_is_ok(s)) {
        (void)snprintf(self->spiffe_id, sizeof self->spiffe_id, "%s", spiffe_id);
        self->is_there = true;
    } else {
        (void)snprintf(self->why_not, sizeof self->why_not, "%s", s.message);
    }
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

/* A descriptor that holds the lock until it is closed; -1 when there is none to hold. */
static int take_lock(const char *path)
{
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR) {
    }
    return fd;
}

static status on_message(struct stream *stream, void *state, const ProtobufCMessage *message)
{
    struct identity *self = state;
    const X509SVIDResponse *response = (const X509SVIDResponse *)message;
    struct arena *arena = stream_event_arena(stream);

    if (response->n_svids == 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "the agent has no identity for us");
    }
    const X509SVID *svid = response->svids[0];
    int lock = take_lock(self->options.lock_file);
    status s = identity_write(self->options.files, arena, bytes_in(svid->x509_svid),
                              bytes_in(svid->x509_svid_key), bytes_in(svid->bundle));
    if (lock >= 0) {
        (void)close(lock);
    }
    set(self, svid->spiffe_id, s);
    LOG(self->options.log, status_is_ok(s) ? LEVEL_INFO : LEVEL_ERROR, NULL, "identity",
        log_text("spiffe_id", svid->spiffe_id), log_text("error", s.message));
    return s;
}

static const ProtobufCMessage *first_message(void *state, struct arena *arena)
{
    X509SVIDRequest *request = ARENA_NEW(arena, X509SVIDRequest);

    (void)state;
    x509_svidrequest__init(request);
    return &request->base;
}

static void on_down(void *state, status why)
{
    if (!status_is_ok(why)) {
        set(state, "", why);
    }
}

static void tick(struct keeper_task *task)
{
    struct identity *self = (struct identity *)task;

    link_tick(&self->link);
}

struct identity *identity_new(const struct identity_options *options)
{
    struct identity *self = calloc(1, sizeof *self);
    pthread_condattr_t attributes;

    if (self == NULL) {
        abort();
    }
    self->task.tick = tick;
    self->options = *options;
    (void)snprintf(self->why_not, sizeof self->why_not, "the agent has not answered yet");
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    link_init(&self->link, &(struct link_options){
                               .peer = options->agent,
                               .service = &spiffe_workload_api__descriptor,
                               .method = "FetchX509SVID",
                               .name = "identity",
                               .clock = options->clock,
                               .random = options->random,
                               .log = options->log,
                               .first = first_message,
                               .message = on_message,
                               .down = on_down,
                               .state = self,
                           });
    keeper_add(options->keeper, &self->task);
    return self;
}

void identity_free(struct identity *self)
{
    if (self == NULL) {
        return;
    }
    link_reset(&self->link);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

status identity_wait(struct identity *self, struct arena *arena, int64_t timeout_ms,
                     const char **ret_spiffe_id)
{
    struct timespec until;
    int late = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    pthread_mutex_lock(&self->lock);
    while (!self->is_there && late == 0) {
        late = pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
    status s = self->is_there ? status_ok()
                              : status_error(arena, STATUS_DEADLINE_EXCEEDED,
                                             "no identity from the agent: %s", self->why_not);
    if (self->is_there) {
        *ret_spiffe_id = arena_strdup(arena, self->spiffe_id);
    }
    pthread_mutex_unlock(&self->lock);
    return s;
}
