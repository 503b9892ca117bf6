/* instance_message - instances as the API has them. */

#ifndef SERVICES_REGISTRY_INSTANCE_MESSAGE_H_
#define SERVICES_REGISTRY_INSTANCE_MESSAGE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "services/registry/instance.h"
#include "weft/registry/v1/registry.pb-c.h"

/* Borrows the message's texts.  spiffe_id is that of the certificate, whatever the message says.
 * INVALID_ARGUMENT, with the field: see instance_check(). */
status instance_from_message(struct arena *arena, const Weft__Registry__V1__Instance *message,
                             const char *spiffe_id, struct instance *ret_instance) NONNULL;

/* INVALID_ARGUMENT: the state is unspecified, or one that this program does not know. */
status instance_health_from_message(struct arena *arena, const char *field,
                                    Weft__Registry__V1__InstanceState state,
                                    enum instance_health *ret_health) NONNULL;

/* In arena; borrows the instance's texts. */
Weft__Registry__V1__Instance *instance_to_message(struct arena *arena,
                                                  const struct instance *instance)
    NONNULL RETURNS_NONNULL;

#endif
