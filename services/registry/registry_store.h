/* registry_store - what the registry keeps on disk of its own: the mesh policy, and the names of
 * the services that were ever there.
 *
 * Who is in the catalogue is not kept, since the leases' streams are the truth; the names are, so
 * that the next registry knows whom to wait for.  The authority's keys and serial numbers are
 * ca_store's.
 */

#ifndef SERVICES_REGISTRY_REGISTRY_STORE_H_
#define SERVICES_REGISTRY_REGISTRY_STORE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/store/store.h"

#include <stdint.h>

/* Brings the tables up to date; when the service starts. */
status registry_store_migrate(struct store *store, struct arena *arena) NONNULL;

/* The policy in force, a packed weft.registry.v1.Policy; *ret_revision is 0 when there never was
 * one. */
status registry_store_get_policy(struct store *store, struct arena *arena, uint64_t *ret_revision,
                                 bytes *ret_packed) NONNULL;

/* Replaces the policy of the revision before.  The commit is ABORTED when there is another by
 * then.  Borrows packed. */
void registry_store_put_policy(struct store_write *write, struct arena *arena, uint64_t revision,
                               bytes packed) NONNULL;

/* The names of all services, in order; arena. */
status registry_store_list_services(struct store *store, struct arena *arena,
                                    const char *const **ret_names, size_t *ret_n) NONNULL;

/* Borrows name. */
void registry_store_add_service(struct store_write *write, const char *name) NONNULL;

#endif
