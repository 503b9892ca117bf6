/* token_handlers - AuthService's rpcs about tokens; what they promise is in the .proto. */

#ifndef SERVICES_AUTH_TOKEN_HANDLERS_H_
#define SERVICES_AUTH_TOKEN_HANDLERS_H_

#include "services/auth/handlers.h"

status exchange_api_key(struct call *call, const Weft__Auth__V1__ExchangeApiKeyRequest *request,
                        Weft__Auth__V1__ExchangeApiKeyResponse *response) NONNULL;
status issue_job_token(struct call *call, const Weft__Auth__V1__IssueJobTokenRequest *request,
                       Weft__Auth__V1__IssueJobTokenResponse *response) NONNULL;
status issue_job_tokens(struct call *call, const Weft__Auth__V1__IssueJobTokensRequest *request,
                        Weft__Auth__V1__IssueJobTokensResponse *response) NONNULL;
status get_jwks(struct call *call, const Weft__Auth__V1__GetJwksRequest *request,
                Weft__Auth__V1__GetJwksResponse *response) NONNULL;
status who_am_i(struct call *call, const Weft__Auth__V1__WhoAmIRequest *request,
                Weft__Auth__V1__WhoAmIResponse *response) NONNULL;

#endif
