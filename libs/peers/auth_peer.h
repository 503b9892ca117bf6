/* auth_peer - weft.auth.v1.AuthService, as others call it. Subscribe, a stream, is libs/mesh's. */

#ifndef LIBS_PEERS_AUTH_PEER_H_
#define LIBS_PEERS_AUTH_PEER_H_

#include "libs/rpc/peer.h"
#include "weft/auth/v1/auth_service.pb-c.h"

#define AUTH_PEER_METHODS(X)                                                    \
    X(Weft__Auth__V1__, CreateServiceAccount, auth_peer_create_service_account) \
    X(Weft__Auth__V1__, GetServiceAccount, auth_peer_get_service_account)       \
    X(Weft__Auth__V1__, ListServiceAccounts, auth_peer_list_service_accounts)   \
    X(Weft__Auth__V1__, DeleteServiceAccount, auth_peer_delete_service_account) \
    X(Weft__Auth__V1__, CreateApiKey, auth_peer_create_api_key)                 \
    X(Weft__Auth__V1__, ListApiKeys, auth_peer_list_api_keys)                   \
    X(Weft__Auth__V1__, RevokeApiKey, auth_peer_revoke_api_key)                 \
    X(Weft__Auth__V1__, ExchangeApiKey, auth_peer_exchange_api_key)             \
    X(Weft__Auth__V1__, IssueJobToken, auth_peer_issue_job_token)               \
    X(Weft__Auth__V1__, IssueJobTokens, auth_peer_issue_job_tokens)             \
    X(Weft__Auth__V1__, GetJwks, auth_peer_get_jwks)                            \
    X(Weft__Auth__V1__, WhoAmI, auth_peer_who_am_i)
PEER_DECLARE(AUTH_PEER_METHODS);

#endif
