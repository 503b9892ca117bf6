#include "services/agent/last_good.h"

#include "libs/base/map.h"
#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_FILE "last-good"

typedef Envoy__Service__Discovery__V3__DiscoveryResponse response_type;
typedef Envoy__Service__Discovery__V3__DiscoveryRequest request_type;

struct kept {
    size_t size;
    uint8_t data[];
};

struct last_good {
    struct files *files;
    pthread_mutex_t lock; /* over the rest */
    struct map resources; /* type, '\n', name -> kept */
    size_t total;
    bool changed;
};

/* Every type of ours has its name in field 1, a string: Listener, RouteConfiguration, Cluster, and
 * ClusterLoadAssignment's cluster_name. */
static bool resource_name(bytes resource, bytes *ret_name)
{
    size_t at = 0;
    size_t size = 0;

    if (resource.size < 2 || resource.data[at++] != (1 << 3 | 2)) {
        return false;
    }
    for (unsigned shift = 0; at < resource.size && shift < 28; shift += 7) {
        uint8_t byte = resource.data[at++];
        size |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_name = (bytes){ resource.data + at, size };
            return size <= resource.size - at;
        }
    }
    return false;
}

/* The lock is held. */
static void put(struct last_good *self, const char *key, bytes resource)
{
    struct kept *before = map_get(&self->resources, key);

    if (before != NULL && before->size == resource.size &&
        memcmp(before->data, resource.data, resource.size) == 0) {
        return;
    }
    if (before == NULL && (self->resources.n_entries >= LAST_GOOD_MAX_RESOURCES ||
                           self->total + resource.size > LAST_GOOD_MAX_BYTES)) {
        return;
    }
    struct kept *kept = malloc(sizeof *kept + resource.size);
    if (kept == NULL) {
        abort();
    }
    kept->size = resource.size;
    memcpy(kept->data, resource.data, resource.size);
    self->total += resource.size;
    self->total -= before == NULL ? 0 : before->size;
    free(map_put(&self->resources, key, kept));
    self->changed = true;
}

void last_good_put(struct last_good *self, const response_type *response)
{
    struct arena *arena = arena_new();

    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < response->n_resources; i++) {
        bytes resource = { response->resources[i]->value.data, response->resources[i]->value.len };
        bytes name;
        if (resource_name(resource, &name)) {
            put(self,
                arena_printf(arena, "%s\n%.*s", response->type_url, (int)name.size,
                             (const char *)name.data),
                resource);
        }
    }
    pthread_mutex_unlock(&self->lock);
    arena_free(arena);
}

static Google__Protobuf__Any *any_of(struct arena *arena, const char *type, const struct kept *kept)
{
    Google__Protobuf__Any *any = ARENA_NEW(arena, Google__Protobuf__Any);

    google__protobuf__any__init(any);
    any->type_url = arena_strdup(arena, type);
    any->value.len = kept->size;
    any->value.data = arena_alloc(arena, kept->size);
    memcpy(any->value.data, kept->data, kept->size);
    return any;
}

bool last_good_answer(struct last_good *self, struct arena *arena, const request_type *request,
                      response_type *response)
{
    response->type_url = request->type_url;
    response->resources =
        ARENA_NEW_ARRAY(arena, Google__Protobuf__Any *, request->n_resource_names);
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < request->n_resource_names; i++) {
        const struct kept *kept =
            map_get(&self->resources,
                    arena_printf(arena, "%s\n%s", request->type_url, request->resource_names[i]));
        if (kept != NULL) {
            response->resources[response->n_resources++] = any_of(arena, request->type_url, kept);
        }
    }
    pthread_mutex_unlock(&self->lock);
    response->version_info = message_text("last-good");
    return response->n_resources > 0;
}

/* ---- On disk: one response with all resources, each under its own type ---- */

static response_type *all_resources(struct last_good *self, struct arena *arena)
{
    response_type *all = ARENA_NEW(arena, response_type);

    envoy__service__discovery__v3__discovery_response__init(all);
    all->resources = ARENA_NEW_ARRAY(arena, Google__Protobuf__Any *, self->resources.n_entries);
    for (struct map_at at = { 0 }; map_next(&self->resources, &at);) {
        const char *key = (const char *)at.key.data;
        const char *type = arena_printf(arena, "%.*s", (int)strcspn(key, "\n"), key);
        all->resources[all->n_resources++] = any_of(arena, type, at.value);
    }
    return all;
}

status last_good_save(struct last_good *self, struct arena *arena)
{
    response_type *all = NULL;

    pthread_mutex_lock(&self->lock);
    if (self->changed) {
        all = all_resources(self, arena);
        self->changed = false;
    }
    pthread_mutex_unlock(&self->lock);
    return all == NULL
               ? status_ok()
               : files_replace(self->files, arena, KEPT_FILE, message_pack(arena, &all->base));
}

static void load(struct last_good *self)
{
    struct arena *arena = arena_new();
    const ProtobufCMessage *message;
    bytes kept;

    if (status_is_ok(
            files_read(self->files, arena, KEPT_FILE, (size_t)2 * LAST_GOOD_MAX_BYTES, &kept)) &&
        status_is_ok(message_decode(arena,
                                    &envoy__service__discovery__v3__discovery_response__descriptor,
                                    kept, &message))) {
        const response_type *all = (const response_type *)message;
        for (size_t i = 0; i < all->n_resources; i++) {
            response_type one;
            Google__Protobuf__Any *resources[] = { all->resources[i] };
            envoy__service__discovery__v3__discovery_response__init(&one);
            one.type_url = all->resources[i]->type_url;
            one.n_resources = 1;
            one.resources = resources;
            last_good_put(self, &one);
        }
        self->changed = false;
    }
    arena_free(arena);
}

struct last_good *last_good_new(struct files *files)
{
    struct last_good *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->files = files;
    pthread_mutex_init(&self->lock, NULL);
    map_init(&self->resources);
    load(self);
    return self;
}

void last_good_free(struct last_good *self)
{
    if (self != NULL) {
        map_reset(&self->resources, free);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}
