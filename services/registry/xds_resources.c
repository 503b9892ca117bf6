#include "services/registry/xds_resources.h"

#include "libs/base/map.h"
#include "libs/base/text.h"
#include "services/registry/xds_chain.h"
#include "services/registry/xds_endpoints.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* What is cached at most: four types of 1,000 services. Where clients are is their own claim,
     * so a stranger could fill any cache; a full one begins anew. */
    MAX_CACHED = 4000,
    VERSION_UNKNOWN = 1,
    VERSION_KNOWN = 2,
};

struct xds_resources {
    struct catalogue *catalogue;
    const struct clock *clock;
    char *trust_domain;
    int64_t settled_ms; /* monotonic */
    pthread_mutex_t lock;
    struct map cache; /* of struct xds_resource, by key_of() */
};

static const char *const type_urls[XDS_N_TYPES] = {
#define X(name, type) [XDS_##name] = "type.googleapis.com/" type,
    XDS_TYPES(X)
#undef X
};

const char *xds_type_url(enum xds_type type)
{
    return type_urls[type];
}

bool xds_type_of_url(const char *url, enum xds_type *ret_type)
{
    for (unsigned i = 0; i < XDS_N_TYPES; i++) {
        if (strcmp(url, type_urls[i]) == 0) {
            *ret_type = (enum xds_type)i;
            return true;
        }
    }
    return false;
}

/* ---- One resource ---- */

static struct xds_resource *resource_new(uint64_t version, bytes encoded)
{
    struct xds_resource *resource = malloc(sizeof *resource + encoded.size);

    if (resource == NULL) {
        abort();
    }
    uint8_t *copy = (uint8_t *)(resource + 1);
    if (encoded.size > 0) {
        memcpy(copy, encoded.data, encoded.size);
    }
    resource->n_refs = 1;
    resource->version = version;
    resource->encoded = (bytes){ .data = copy, .size = encoded.size };
    return resource;
}

void xds_resource_unref(struct xds_resource *resource)
{
    if (atomic_fetch_sub(&resource->n_refs, 1) == 1) {
        free(resource);
    }
}

static void unref_value(void *value)
{
    xds_resource_unref(value);
}

/* ---- All of them ---- */

struct xds_resources *xds_resources_new(const struct xds_resources_options *options)
{
    assert(options->catalogue != NULL && options->clock != NULL && options->trust_domain != NULL);
    struct xds_resources *self = malloc(sizeof *self);
    if (self == NULL) {
        abort();
    }
    *self = (struct xds_resources){
        .catalogue = options->catalogue,
        .clock = options->clock,
        .trust_domain = strdup(options->trust_domain),
        .settled_ms = clock_monotonic_ms(options->clock) + options->settle_ms,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    if (self->trust_domain == NULL) {
        abort();
    }
    map_init(&self->cache);
    return self;
}

void xds_resources_free(struct xds_resources *resources)
{
    if (resources == NULL) {
        return;
    }
    map_reset(&resources->cache, unref_value);
    (void)pthread_mutex_destroy(&resources->lock);
    free(resources->trust_domain);
    free(resources);
}

int64_t xds_resources_settled_in_ms(struct xds_resources *resources)
{
    int64_t left = resources->settled_ms - clock_monotonic_ms(resources->clock);

    return left > 0 ? left : 0;
}

static bool is_negative(const char *name)
{
    return strncmp(name, XDS_NO_SUCH_SERVICE, strlen(XDS_NO_SUCH_SERVICE)) == 0;
}

uint64_t xds_resources_version(struct xds_resources *resources, enum xds_type type,
                               const char *name)
{
    uint64_t revision;

    switch (type) {
    case XDS_CLUSTER:
        revision = catalogue_service_revision(resources->catalogue, name);
        return revision != 0 ? VERSION_KNOWN : VERSION_UNKNOWN;
    case XDS_ENDPOINTS:
        if (is_negative(name)) {
            return VERSION_UNKNOWN;
        }
        if (xds_resources_settled_in_ms(resources) > 0 &&
            catalogue_awaits(resources->catalogue, name)) {
            return 0;
        }
        revision = catalogue_service_revision(resources->catalogue, name);
        return revision != 0 ? revision : VERSION_UNKNOWN;
    case XDS_LISTENER:
    case XDS_ROUTES:
    case XDS_N_TYPES:
        break;
    }
    return VERSION_KNOWN;
}

uint64_t xds_resources_revision(struct xds_resources *resources)
{
    return catalogue_revision(resources->catalogue);
}

static bytes encode_cluster(struct xds_resources *self, struct arena *arena, const char *name,
                            uint64_t version)
{
    const char *spiffe_id = arena_printf(arena, "spiffe://%s/%s", self->trust_domain, name);

    if (version == VERSION_KNOWN) {
        return xds_cluster(arena, name, spiffe_id, name);
    }
    return xds_cluster(arena, name, spiffe_id, arena_printf(arena, XDS_NO_SUCH_SERVICE "%s", name));
}

/* *version is made that of what is encoded, which may be newer by now. */
static bytes encode(struct xds_resources *self, struct arena *arena, enum xds_type type,
                    const char *name, const struct locality *client, uint64_t *version)
{
    switch (type) {
    case XDS_CLUSTER:
        return encode_cluster(self, arena, name, *version);
    case XDS_LISTENER:
        return xds_listener(arena, name);
    case XDS_ROUTES:
        return xds_route_configuration(arena, name);
    case XDS_ENDPOINTS:
    case XDS_N_TYPES:
        break;
    }
    struct catalogue_service service = catalogue_get(self->catalogue, arena, name);
    if (service.revision != 0) {
        *version = service.revision;
    }
    return xds_endpoints(arena, name, &service, client);
}

static bytes key_of(struct arena *arena, enum xds_type type, const char *name,
                    const struct locality *client)
{
    struct text key = text_new(arena);

    text_add(&key, "%d %s", (int)type, name);
    if (type == XDS_ENDPOINTS) {
        text_add_bytes(&key, (bytes){ (const uint8_t *)"", 1 }); /* a NUL, which no name has */
        text_add(&key, "%s", client->region);
        text_add_bytes(&key, (bytes){ (const uint8_t *)"", 1 });
        text_add(&key, "%s", client->zone);
    }
    return text_bytes(&key);
}

static struct xds_resource *cached(struct xds_resources *self, bytes key, uint64_t version)
{
    (void)pthread_mutex_lock(&self->lock);
    struct xds_resource *resource = map_get_bytes(&self->cache, key);
    if (resource != NULL && resource->version == version) {
        resource->n_refs++;
    } else {
        resource = NULL;
    }
    (void)pthread_mutex_unlock(&self->lock);
    return resource;
}

static void put_into_cache(struct xds_resources *self, bytes key, struct xds_resource *resource)
{
    (void)pthread_mutex_lock(&self->lock);
    if (self->cache.n_entries >= MAX_CACHED) {
        map_reset(&self->cache, unref_value);
    }
    resource->n_refs++;
    struct xds_resource *before = map_put_bytes(&self->cache, key, resource);
    (void)pthread_mutex_unlock(&self->lock);
    if (before != NULL) {
        xds_resource_unref(before);
    }
}

struct xds_resource *xds_resources_get(struct xds_resources *resources, enum xds_type type,
                                       const char *name, const struct locality *client)
{
    uint64_t version = xds_resources_version(resources, type, name);

    if (version == 0) {
        return NULL;
    }
    struct arena *arena = arena_new();
    bytes key = key_of(arena, type, name, client);
    struct xds_resource *resource = cached(resources, key, version);
    if (resource == NULL) {
        bytes encoded = encode(resources, arena, type, name, client, &version);
        resource = resource_new(version, encoded);
        put_into_cache(resources, key, resource);
    }
    arena_free(arena);
    return resource;
}
