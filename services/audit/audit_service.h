/* audit_service - the handlers of weft.audit.v1.AuditService over an audit_engine.
 *
 * Who may do what, beside the permissions of the .proto:
 *
 *     a member of the mesh, by its certificate    appends events of any tenant; `service` is its
 *                                                 name, whatever it says
 *     a token                                     appends events of its own tenant; `service` is
 * its subject platform:audit:read                         reads every tenant's events; everybody
 * else those of his own tenant
 *
 * A read, and an erasure, is an event itself, durable before the answer, in the log of the tenant
 * that was read: it may see who looked.
 */

#ifndef SERVICES_AUDIT_AUDIT_SERVICE_H_
#define SERVICES_AUDIT_AUDIT_SERVICE_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/rpc/service.h"
#include "services/audit/audit_engine.h"

struct audit_service;

/* All required; borrowed, and must outlive the service. */
struct audit_service_options {
    struct audit_engine *engine;
    const struct clock *clock;
    const struct random_source *random;
};

/* The caller owns the service: audit_service_free(), after the server has stopped. */
struct audit_service *audit_service_new(const struct audit_service_options *options)
    NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void audit_service_free(struct audit_service *service);

/* For server_register(), with an audit_service as the object. */
extern const struct service audit_service_methods;

#endif
