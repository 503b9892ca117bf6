/* registry_peer - weft.registry.v1.RegistryService, as others call it. Lease, a stream, is
 * libs/mesh's. */

#ifndef LIBS_PEERS_REGISTRY_PEER_H_
#define LIBS_PEERS_REGISTRY_PEER_H_

#include "libs/rpc/peer.h"
#include "weft/registry/v1/registry_service.pb-c.h"

#define REGISTRY_PEER_METHODS(X)                                            \
    X(Weft__Registry__V1__, ListInstances, registry_peer_list_instances)    \
    X(Weft__Registry__V1__, ListXdsClients, registry_peer_list_xds_clients) \
    X(Weft__Registry__V1__, GetPolicy, registry_peer_get_policy)            \
    X(Weft__Registry__V1__, UpdatePolicy, registry_peer_update_policy)
PEER_DECLARE(REGISTRY_PEER_METHODS);

#endif
