/* workload_service - the SPIFFE Workload API: who are you, says the kernel; here is your proof.
 *
 * Serves SpiffeWorkloadAPI on the agent's Unix socket.  Every call carries the header
 * "workload.spiffe.io: true" (the standard's guard against forged requests from a browser or a
 * proxy), or is INVALID_ARGUMENT.
 */

#ifndef SERVICES_AGENT_WORKLOAD_SERVICE_H_
#define SERVICES_AGENT_WORKLOAD_SERVICE_H_

#include "libs/base/attributes.h"
#include "libs/rpc/guard.h"
#include "libs/rpc/service.h"
#include "services/agent/entries.h"
#include "services/agent/svids.h"

struct workload_service;

struct workload_service_options {
    struct entries *entries;  /* required; borrowed */
    struct svids *svids;      /* required; borrowed */
    const char *trust_domain; /* required; borrowed */
};

struct workload_service *workload_service_new(const struct workload_service_options *options)
    NONNULL RETURNS_NONNULL;
void workload_service_free(struct workload_service *service);

/* Something has changed: every stream is told what it is now.  Any thread. */
void workload_service_changed(struct workload_service *service) NONNULL;

/* The guard of the agent's socket: callers are processes, named by their workload's SPIFFE ID in
 * call->principal; who is none is anonymous. */
struct guard *workload_service_guard(struct workload_service *service) NONNULL RETURNS_NONNULL;

extern const struct service workload_service_methods;

#endif
