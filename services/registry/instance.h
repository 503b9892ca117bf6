/* instance - one process that serves: what it said about itself when it registered.
 *
 * A value whose strings are borrowed.  What a stranger may put into it is small and plain, for
 * it comes back out in tables, names of resources and certificates' names: instance_check() is
 * the one place that says what is allowed.
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
    INSTANCE_MAX_SERVICE_BYTES = 63,     /* a DNS label: SVIDs carry the name as one */
    INSTANCE_MAX_ID_BYTES = 128,         /* a host name, a pod's name or a ULID, with room */
    INSTANCE_MAX_WORD_BYTES = 64,        /* version, region, zone, sub_zone, one capability */
    INSTANCE_MAX_CAPABILITIES = 64,      /* a worker has a handful */
    INSTANCE_MAX_SPIFFE_ID_BYTES = 2048, /* the SPIFFE standard */
};

/* "" where unknown. */
struct locality {
    const char *region;
    const char *zone;
    const char *sub_zone;
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
    const char *address; /* an IP literal, in its canonical form once it is registered */
    uint16_t port;       /* never 0 */
    struct locality locality;
    const char *spiffe_id;           /* what its certificate says */
    const char *version;             /* of the program; "" when it did not say */
    const char *const *capabilities; /* "ingest.apt": what its workers can do */
    size_t n_capabilities;
    int64_t start_time_ms; /* wall clock */
    enum instance_health health;
};

/* A lower-case DNS label that begins with a letter: "tenant", "search-2". */
bool service_name_is_valid(const char *name) NONNULL;

/* INVALID_ARGUMENT with the field: something is empty, too long, or of letters it may not have;
 * address is not an IP literal or nobody can connect to it ("0.0.0.0"); port is 0. */
status instance_check(struct arena *arena, const struct instance *instance) NONNULL;

/* A copy that lives in arena.  The instance must be one that instance_check() accepts. */
struct instance instance_copy(struct arena *arena, const struct instance *instance) NONNULL;

/* "HEALTHY". */
const char *instance_health_name(enum instance_health health) RETURNS_NONNULL;

/* Whether clients may be sent there. */
bool instance_is_usable(const struct instance *instance) NONNULL;

bool locality_equal(const struct locality *a, const struct locality *b) NONNULL;

#endif
