/* lease - this process in the registry's catalogue, for as long as the stream is open.
 *
 * Up go the registration, a beat each 2 s with how the instance is, and the policy revisions that
 * are obeyed; down come the lease, each new mesh policy, and, after DRAINING, the word that every
 * client has heard of it.
 */

#ifndef LIBS_MESH_LEASE_H_
#define LIBS_MESH_LEASE_H_

#include "libs/base/attributes.h"
#include "libs/mesh/keeper.h"
#include "libs/mesh/link.h"
#include "weft/registry/v1/registry_service.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct lease;

struct lease_options {
    struct peer *registry;              /* required; borrowed */
    struct keeper *keeper;              /* required; borrowed; freed before the lease */
    const struct clock *clock;          /* required; borrowed */
    const struct random_source *random; /* required; borrowed */
    struct log *log;                    /* borrowed; may be NULL */
    const char *service, *instance_id, *address, *http_address, *version; /* required; borrowed */
    /* A policy came: in force when it returns.  Not the keeper's thread. */
    void (*policy)(void *data, const Weft__Registry__V1__Policy *policy);
    /* The lease was granted, or lost. */
    void (*held)(void *data, bool held, const char *why_not);
    void *data; /* of both; borrowed */
};

struct lease *lease_new(const struct lease_options *options) NONNULL RETURNS_NONNULL;
void lease_free(struct lease *lease);

/* Any thread; told to the registry at once. */
void lease_set_state(struct lease *lease, Weft__Registry__V1__InstanceState state) NONNULL;

/* Says DRAINING and waits until every client has accepted it, so that no new call will come: true;
 * false after timeout_ms.  Blocks; not in an event. */
bool lease_drain(struct lease *lease, int64_t timeout_ms) NONNULL;

#endif
