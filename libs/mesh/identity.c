#include "libs/mesh/identity.h"

#include "libs/base/text.h"
#include "libs/base/wait.h"
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

enum { MAX_ID_BYTES = 2048, MAX_SVID_FILE = 64 * 1024 };

struct identity {
    struct keeper_task task;
    struct identity_options options;
    struct link link;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_there;
    bool is_refused; /* the agent has said no, which is another thing than that it cannot say */
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

/* What an earlier life has left there, while it is good. */
static status identity_read(struct files *files, struct arena *arena, int64_t now_ms,
                            const char **ret_spiffe_id)
{
    struct x509_certificate svid;
    struct der_list chain;
    bytes text;

    TRY(files_read(files, arena, IDENTITY_SVID_FILE, MAX_SVID_FILE, &text));
    TRY(pem_decode(arena, text, "CERTIFICATE", &chain));
    if (chain.n_values == 0) {
        return status_error(arena, STATUS_NOT_FOUND, "no certificate in " IDENTITY_SVID_FILE);
    }
    TRY(x509_parse_svid(arena, chain.values[0], &svid));
    if (now_ms > svid.not_after_ms) {
        return status_error(arena, STATUS_UNAUTHENTICATED,
                            "the certificate in " IDENTITY_SVID_FILE " has expired");
    }
    *ret_spiffe_id = svid.id.text;
    return status_ok();
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
        self->is_refused = s.code != STATUS_UNAVAILABLE && s.code != STATUS_DEADLINE_EXCEEDED &&
                           s.code != STATUS_RESOURCE_EXHAUSTED;
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
        return status_error(arena, STATUS_PERMISSION_DENIED, "the agent has no identity for us");
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

    if (self == NULL) {
        abort();
    }
    self->task.tick = tick;
    self->options = *options;
    (void)snprintf(self->why_not, sizeof self->why_not, "the agent has not answered yet");
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
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

/* Whether there is one within timeout_ms. */
static bool wait_for_agent(struct identity *self, int64_t timeout_ms)
{
    const struct timespec end = wait_end(timeout_ms);

    pthread_mutex_lock(&self->lock);
    while (!self->is_there && wait_until(&self->changed, &self->lock, &end)) {
    }
    bool is_there = self->is_there;
    pthread_mutex_unlock(&self->lock);
    return is_there;
}

/* The agent's own word comes when it comes, and takes the place of this. */
static void fall_back(struct identity *self, struct arena *arena)
{
    const char *spiffe_id = NULL;
    bool is_refused;
    const char *why_not;

    pthread_mutex_lock(&self->lock);
    is_refused = self->is_refused;
    why_not = arena_strdup(arena, self->why_not);
    pthread_mutex_unlock(&self->lock);
    status s = is_refused ? status_error(arena, STATUS_PERMISSION_DENIED, "the agent has said no")
                          : identity_read(self->options.files, arena,
                                          clock_wall_ms(self->options.clock), &spiffe_id);
    if (status_is_ok(s)) {
        LOG(self->options.log, LEVEL_WARN, NULL, "the identity of before is used",
            log_text("spiffe_id", spiffe_id), log_text("why", why_not));
        set(self, spiffe_id, s);
    }
}

status identity_wait(struct identity *self, struct arena *arena, int64_t timeout_ms,
                     const char **ret_spiffe_id)
{
    int64_t fall_back_ms = self->options.fall_back_ms;

    if (fall_back_ms > 0 && fall_back_ms < timeout_ms) {
        if (!wait_for_agent(self, fall_back_ms)) {
            fall_back(self, arena);
        }
        timeout_ms -= fall_back_ms;
    }
    bool is_there = wait_for_agent(self, timeout_ms);
    pthread_mutex_lock(&self->lock);
    status s = is_there ? status_ok()
                        : status_error(arena, STATUS_DEADLINE_EXCEEDED,
                                       "no identity from the agent: %s", self->why_not);
    if (is_there) {
        *ret_spiffe_id = arena_strdup(arena, self->spiffe_id);
    }
    pthread_mutex_unlock(&self->lock);
    return s;
}
