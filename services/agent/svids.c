#include "services/agent/svids.h"

#include "libs/base/map.h"
#include "libs/base/text.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/x509_issue.h"
#include "libs/peers/ca_peer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const int64_t RENEW_AFTER_MS = (int64_t)8 * 3600 * 1000;

struct kept {
    struct arena *arena; /* of svid */
    struct svid svid;
    int64_t signed_ms;
    int64_t expire_ms;
};

struct svids {
    struct svids_options options;
    pthread_mutex_t lock; /* over the rest */
    struct map kept;
    uint64_t generation;
};

struct svids *svids_new(const struct svids_options *options)
{
    struct svids *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    pthread_mutex_init(&self->lock, NULL);
    map_init(&self->kept);
    return self;
}

static void kept_free(void *value)
{
    struct kept *kept = value;

    if (kept != NULL) {
        arena_free(kept->arena);
        free(kept);
    }
}

void svids_free(struct svids *self)
{
    if (self != NULL) {
        map_reset(&self->kept, kept_free);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}

static bytes copy_bytes(struct arena *arena, bytes data)
{
    uint8_t *copy = arena_alloc(arena, data.size);

    memcpy(copy, data.data, data.size);
    return (bytes){ copy, data.size };
}

static struct svid copy_svid(struct arena *arena, const struct svid *svid)
{
    return (struct svid){
        .spiffe_id = arena_strdup(arena, svid->spiffe_id),
        .chain = copy_bytes(arena, svid->chain),
        .key = copy_bytes(arena, svid->key),
        .bundle = copy_bytes(arena, svid->bundle),
        .generation = svid->generation,
    };
}

static status ask_for_svid(struct svids *self, struct call *call, const char *spiffe_id,
                           bytes *ret_key, const Weft__Registry__V1__Svid **ret_svid)
{
    Weft__Registry__V1__SignWorkloadRequest request;
    const Weft__Registry__V1__SignWorkloadResponse *response;
    struct p256_key *key = p256_key_generate(self->options.random);
    bytes csr = { .data = NULL };
    status s = x509_make_request(call->arena, self->options.random, key, &csr);

    *ret_key = p256_key_der(key, call->arena);
    p256_key_free(key);
    TRY(s);
    csr = copy_bytes(call->arena, csr);
    weft__registry__v1__sign_workload_request__init(&request);
    request.spiffe_id = arena_strdup(call->arena, spiffe_id);
    union {
        const uint8_t *in;
        uint8_t *out;
    } data = { .in = csr.data };
    request.csr = (ProtobufCBinaryData){ .len = csr.size, .data = data.out };
    TRY(ca_peer_sign_workload(self->options.registry, call, &request, &response));
    *ret_svid = response->svid;
    return status_ok();
}

static status sign(struct svids *self, struct call *call, const char *spiffe_id)
{
    const Weft__Registry__V1__Svid *svid = NULL;
    bytes key;

    TRY(ask_for_svid(self, call, spiffe_id, &key, &svid));
    struct kept *kept = calloc(1, sizeof *kept);
    if (kept == NULL) {
        abort();
    }
    kept->arena = arena_new();
    kept->signed_ms = clock_wall_ms(self->options.clock);
    kept->expire_ms = svid->expire_time->seconds * 1000;
    kept->svid = (struct svid){
        .spiffe_id = arena_strdup(kept->arena, spiffe_id),
        .chain = copy_bytes(kept->arena,
                            (bytes){ svid->certificate_chain.data, svid->certificate_chain.len }),
        .key = copy_bytes(kept->arena, key),
        .bundle = copy_bytes(kept->arena, (bytes){ svid->bundle.data, svid->bundle.len }),
    };
    pthread_mutex_lock(&self->lock);
    kept->svid.generation = ++self->generation;
    kept_free(map_put(&self->kept, spiffe_id, kept));
    pthread_mutex_unlock(&self->lock);
    return status_ok();
}

/* The one at hand, in arena; false when there is none, or it has expired. */
static bool at_hand(struct svids *self, struct arena *arena, const char *spiffe_id,
                    struct svid *ret_svid)
{
    int64_t now_ms = clock_wall_ms(self->options.clock);

    pthread_mutex_lock(&self->lock);
    const struct kept *kept = map_get(&self->kept, spiffe_id);
    bool found = kept != NULL && kept->expire_ms > now_ms;
    if (found) {
        *ret_svid = copy_svid(arena, &kept->svid);
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

status svids_get(struct svids *self, struct call *call, const char *spiffe_id,
                 struct svid *ret_svid)
{
    if (!at_hand(self, call->arena, spiffe_id, ret_svid)) {
        TRY(sign(self, call, spiffe_id));
        (void)at_hand(self, call->arena, spiffe_id, ret_svid);
    }
    return status_ok();
}

/* One that is due, its id in arena; NULL when none is. */
static const char *next_due(struct svids *self, struct arena *arena)
{
    int64_t now_ms = clock_wall_ms(self->options.clock);
    const char *due = NULL;

    pthread_mutex_lock(&self->lock);
    for (struct map_at at = { 0 }; due == NULL && map_next(&self->kept, &at);) {
        const struct kept *kept = at.value;
        /* A clock that was set back counts as due, too. */
        if (now_ms > kept->signed_ms + RENEW_AFTER_MS || now_ms < kept->signed_ms) {
            due = arena_strdup(arena, kept->svid.spiffe_id);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return due;
}

status svids_step(struct svids *self, struct call *call, bool *ret_changed)
{
    *ret_changed = false;
    for (const char *due = next_due(self, call->arena); due != NULL;
         due = next_due(self, call->arena)) {
        TRY(sign(self, call, due));
        *ret_changed = true;
    }
    return status_ok();
}
