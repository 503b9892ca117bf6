/* ads_proxy - xDS for the processes of this host, over a Unix socket.
 *
 *     client --ADS, Unix socket--> proxy --ADS, mutual TLS--> registry
 *                                    |
 *                                    +-- last_good, while the registry is away
 *
 * gRPC clients cannot use TLS to their control plane before 1.65, so they come here, and one
 * stream to the registry is opened for each of theirs, as often as it takes.  ads_session.h says
 * what goes through.  What is due is answered from last_good at once when a stream to the registry
 * fails, and after a second when nothing comes by it.
 *
 * Node.cluster is replaced by the SPIFFE ID that the kernel's word gives the client: what a node
 * says of itself is a claim.
 *
 * A keeper's task opens streams, and reaps those whose clients have gone.  Safe on any threads.
 */

#ifndef SERVICES_AGENT_ADS_PROXY_H_
#define SERVICES_AGENT_ADS_PROXY_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/mesh/keeper.h"
#include "libs/obs/log.h"
#include "libs/rpc/peer.h"
#include "libs/rpc/service.h"
#include "services/agent/last_good.h"

enum { ADS_PROXY_PATIENCE_MS = 1000 };

struct ads_proxy;

/* All required but log; borrowed, and must outlive the proxy. */
struct ads_proxy_options {
    struct peer *registry;
    struct last_good *last_good;
    struct keeper *keeper; /* freed before the proxy */
    const struct clock *clock;
    const struct random_source *random;
    struct log *log;
};

struct ads_proxy *ads_proxy_new(const struct ads_proxy_options *options) NONNULL RETURNS_NONNULL;
/* After the server has stopped and the keeper is freed, before what carries streams to the registry
 * ends: it waits for their last events.  NULL is allowed. */
void ads_proxy_free(struct ads_proxy *proxy);

/* For server_register(), with an ads_proxy as the object. */
extern const struct service ads_proxy_methods;

#endif
