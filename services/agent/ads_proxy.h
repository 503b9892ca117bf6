/* ads_proxy - ADS for this host's clients, carried to the registry and back.
 *
 *     client --ADS, Unix socket--> proxy --ADS, mTLS--> registry
 *                                    |
 *                                    +-- last_good, while the registry is away
 *
 * Each client's stream has one of its own to the registry, so nonces and versions pass untouched.
 * When that one ends the client's stays: what it subscribes to is remembered by type and asked for
 * again, with its versions and no nonce, once the registry is back.  Until then a request for what
 * is known is answered from the last good configuration.
 *
 * Node.cluster is replaced by the SPIFFE ID that the kernel's word gives the client: what a node
 * says of itself is a claim.
 */

#ifndef SERVICES_AGENT_ADS_PROXY_H_
#define SERVICES_AGENT_ADS_PROXY_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/mesh/keeper.h"
#include "libs/obs/log.h"
#include "libs/rpc/peer.h"
#include "libs/rpc/service.h"
#include "services/agent/last_good.h"

struct ads_proxy;

struct ads_proxy_options {
    struct peer *registry; /* all required, but the log; borrowed */
    struct last_good *last_good;
    struct keeper *keeper; /* freed before the proxy */
    const struct clock *clock;
    struct log *log;
};

struct ads_proxy *ads_proxy_new(const struct ads_proxy_options *options) NONNULL RETURNS_NONNULL;
/* After the server has stopped. */
void ads_proxy_free(struct ads_proxy *proxy);

extern const struct service ads_proxy_methods;

#endif
