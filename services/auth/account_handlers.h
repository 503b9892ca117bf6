/* account_handlers - AuthService's rpcs about service accounts; what they promise is in the .proto.
 */

#ifndef SERVICES_AUTH_ACCOUNT_HANDLERS_H_
#define SERVICES_AUTH_ACCOUNT_HANDLERS_H_

#include "services/auth/handlers.h"

status create_service_account(struct call *call,
                              const Weft__Auth__V1__CreateServiceAccountRequest *request,
                              Weft__Auth__V1__CreateServiceAccountResponse *response) NONNULL;
status get_service_account(struct call *call,
                           const Weft__Auth__V1__GetServiceAccountRequest *request,
                           Weft__Auth__V1__GetServiceAccountResponse *response) NONNULL;
status list_service_accounts(struct call *call,
                             const Weft__Auth__V1__ListServiceAccountsRequest *request,
                             Weft__Auth__V1__ListServiceAccountsResponse *response) NONNULL;
status delete_service_account(struct call *call,
                              const Weft__Auth__V1__DeleteServiceAccountRequest *request,
                              Weft__Auth__V1__DeleteServiceAccountResponse *response) NONNULL;

#endif
