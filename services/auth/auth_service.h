/* auth_service - the handlers of weft.auth.v1.AuthService.
 *
 *     accounts, keys:  check, commit (change, revocation, audit event), memory follows, receipt
 *     tokens:          from memory, on the thread that read the request
 *     Subscribe:       subscribers.h
 *
 * One process at a time has the store: what is in memory is true because nobody else writes.
 */

#ifndef SERVICES_AUTH_AUTH_SERVICE_H_
#define SERVICES_AUTH_AUTH_SERVICE_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/crypto/api_key.h"
#include "libs/rpc/service.h"
#include "libs/store/store.h"
#include "services/auth/directory.h"
#include "services/auth/feed.h"
#include "services/auth/points.h"
#include "services/auth/signing_keys.h"

#include <stdint.h>

struct auth_service;

/* All required but the last three, all borrowed; they must outlive the service. */
struct auth_service_options {
    struct store *store;
    const struct clock *clock;
    const struct random_source *random;
    struct directory *directory;
    struct feed *feed;
    struct points *points;
    struct signing_keys *signing_keys;
    const struct api_key_pepper *pepper;
    /* Who is told of an exchange that was refused, before the caller is, as the guard tells of its
     * refusals (libs/authz/guard.h); NULL: nobody.  Must not block. */
    status (*denied)(void *data, struct call *call, const struct rpc *rpc, status why);
    void *denied_data;
    /* How long a tenant that was made elsewhere a moment ago takes to be known here; 0 means
     * 2,000, for the tenant service promises a second. */
    int64_t new_tenant_ms;
};

/* The caller owns the service: auth_service_free(), after the server has stopped. */
struct auth_service *auth_service_new(const struct auth_service_options *options)
    NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void auth_service_free(struct auth_service *service);

/* Beats to the subscribers that are due, what is old forgotten, keys that are due rotated; each
 * fifth of a second.  An error is of the rotation, which is tried again: log it. */
status auth_service_tick(struct auth_service *service, struct arena *arena) NONNULL;

/* An auth_service: the process ends, and so do the subscribers' streams.  For mesh_on_draining().
 */
void auth_service_drain(void *service) NONNULL;

/* For server_register(), with an auth_service as the object. */
extern const struct service auth_service_methods;

#endif
