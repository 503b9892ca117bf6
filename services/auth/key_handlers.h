/* key_handlers - AuthService's rpcs about API keys; what they promise is in the .proto. */

#ifndef SERVICES_AUTH_KEY_HANDLERS_H_
#define SERVICES_AUTH_KEY_HANDLERS_H_

#include "services/auth/handlers.h"

status create_api_key(struct call *call, const Weft__Auth__V1__CreateApiKeyRequest *request,
                      Weft__Auth__V1__CreateApiKeyResponse *response) NONNULL;
status list_api_keys(struct call *call, const Weft__Auth__V1__ListApiKeysRequest *request,
                     Weft__Auth__V1__ListApiKeysResponse *response) NONNULL;
status revoke_api_key(struct call *call, const Weft__Auth__V1__RevokeApiKeyRequest *request,
                      Weft__Auth__V1__RevokeApiKeyResponse *response) NONNULL;

#endif
