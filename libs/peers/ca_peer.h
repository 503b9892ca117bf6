/* ca_peer - weft.registry.v1.CaService, as agents call it. */

#ifndef LIBS_PEERS_CA_PEER_H_
#define LIBS_PEERS_CA_PEER_H_

#include "libs/rpc/peer.h"
#include "weft/registry/v1/ca_service.pb-c.h"

#define CA_PEER_METHODS(X)                                       \
    X(Weft__Registry__V1__, AttestAgent, ca_peer_attest_agent)   \
    X(Weft__Registry__V1__, SignWorkload, ca_peer_sign_workload) \
    X(Weft__Registry__V1__, RenewAgent, ca_peer_renew_agent)
PEER_DECLARE(CA_PEER_METHODS);

#endif
