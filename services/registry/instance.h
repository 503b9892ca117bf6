/* instance - one process that serves: what it said about itself when it registered.
 *
 * A value whose strings are borrowed.  What a stranger may put into it is small and plain, for
 * it comes back out in tables, names of resources and logs: instance_check() is the one place
 * that says what is allowed.
 */

#ifndef SERVICES_REGISTRY_INSTANCE_H_
#define SERVICES_REGISTRY_INSTANCE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INSTANCE_MAX_NAME_BYTES = 63,        /* a DNS label: SVIDs carry the service's name as one */
    INSTANCE_MAX_WORD_BYTES = 63,        /* version, region, zone, one capability */
    INSTANCE_MAX_CAPABILITIES = 32,      /* a worker has a handful */
    INSTANCE_MAX_SPIFFE_ID_BYTES = 2048, /* the SPIFFE standard */
};

/* "" where unknown. */
struct locality {
    const char *region;
    const char *zone;
};

/* An IP literal in its canonical form, and a port that is not 0. */
struct endpoint {
    const char *address;
    uint16_t port;
};

/* X(name, whether clients may be sent there) */
#define INSTANCE_HEALTHS(X) \
    X(HEALTHY, true)        \
    X(UNHEALTHY, false)     \
    X(DRAINING, false)

enum instance_health {
#define X(name, usable) INSTANCE_##name,
    INSTANCE_HEALTHS(X)
#undef X
};

struct instance {
    const char *service; /* "tenant" */
    const char *id;      /* unique within the service */
    struct endpoint endpoint;
    struct locality locality;
    const char *spiffe_id;           /* what its certificate says */
    const char *version;             /* of the program; "" when it did not say */
    const char *const *capabilities; /* "ingest.apt": what its workers can do */
    size_t n_capabilities;
    int64_t start_time_ms;    /* wall clock */
    const char *http_address; /* where its metrics are; "" for nowhere */
    enum instance_health health;
    uint64_t fencing_token;   /* the catalogue's: 0 until it is registered */
    uint64_t policy_revision; /* the mesh policy it says it obeys */
};

/* A lower-case DNS label that begins with a letter: "tenant", "search-2". */
bool service_name_is_valid(const char *name) NONNULL;
/* The same; it may begin with a digit, as ULIDs do. */
bool instance_id_is_valid(const char *id) NONNULL;

/* Of "127.0.0.1:7443" or "[::1]:7443"; the address is in arena.  Any address but an unspecified
 * one ("0.0.0.0"), to which nobody can connect.
 * INVALID_ARGUMENT, of field: anything else. */
status endpoint_parse(struct arena *arena, const char *field, const char *text,
                      struct endpoint *ret_endpoint) NONNULL;

/* INVALID_ARGUMENT with the field: something is empty, too long, or of letters it may not have. */
status instance_check(struct arena *arena, const struct instance *instance) NONNULL;

/* A copy that lives in arena. */
struct instance instance_copy(struct arena *arena, const struct instance *instance) NONNULL;

/* "HEALTHY". */
const char *instance_health_name(enum instance_health health) RETURNS_NONNULL;

/* Whether clients may be sent there. */
bool instance_is_usable(const struct instance *instance) NONNULL;

bool locality_equal(const struct locality *a, const struct locality *b) NONNULL;

#endif
