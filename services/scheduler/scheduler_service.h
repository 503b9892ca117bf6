/* scheduler_service - the handlers of weft.scheduler.v1.SchedulerService.
 *
 * Thin: they read requests, say who may see what, add the audit event to the write, and ask the
 * engine.  What they do is in engine.h.
 */

#ifndef SERVICES_SCHEDULER_SCHEDULER_SERVICE_H_
#define SERVICES_SCHEDULER_SCHEDULER_SERVICE_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/rpc/service.h"
#include "libs/store/store.h"
#include "services/scheduler/engine.h"

struct scheduler_service;

/* All required; borrowed, and must outlive the service. */
struct scheduler_service_options {
    struct engine *engine;
    struct store *store; /* the engine's, with an outbox */
    const struct clock *clock;
    const struct random_source *random;
};

/* The caller owns the service: scheduler_service_free(), after the server has stopped. */
struct scheduler_service *scheduler_service_new(const struct scheduler_service_options *options)
    NONNULL RETURNS_NONNULL;

/* NULL is allowed. */
void scheduler_service_free(struct scheduler_service *service);

/* For server_register(), with a scheduler_service as the object. */
extern const struct service scheduler_service_methods;

#endif
