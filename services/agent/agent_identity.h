/* agent_identity - who this host is in the mesh, and how it came to be that.
 *
 *     nothing yet          join token, once            AttestAgent on the bootstrap listener
 *     expired <= 30 days   proof by the old key        AttestAgent on the bootstrap listener
 *     good                 renewed after 8 hours       RenewAgent, by the certificate itself
 *
 * The files are identity's (libs/mesh/identity.h): svid.pem and bundle.pem in the agent's folder.
 */

#ifndef SERVICES_AGENT_AGENT_IDENTITY_H_
#define SERVICES_AGENT_AGENT_IDENTITY_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/rpc/peer.h"

struct agent_identity_options {
    struct files *files; /* all required, and borrowed */
    const struct clock *clock;
    const struct random_source *random;
    const char *trust_domain;
    const char *host_id;
    const char *join_token; /* "" when there is none */
};

/* How far the certificate in the files is. */
enum agent_identity_state { AGENT_HAS_NONE, AGENT_HAS_EXPIRED, AGENT_IS_GOOD, AGENT_IS_DUE };

enum agent_identity_state agent_identity_state(const struct agent_identity_options *self,
                                               struct arena *arena) NONNULL;

/* Over the bootstrap listener.  Errors are CaService.AttestAgent's; FAILED_PRECONDITION: there is
 * neither a certificate nor a join token. */
status agent_identity_attest(const struct agent_identity_options *self, struct call *call,
                             struct peer *bootstrap) NONNULL;

/* Over the registry's own listener. */
status agent_identity_renew(const struct agent_identity_options *self, struct call *call,
                            struct peer *registry) NONNULL;

#endif
