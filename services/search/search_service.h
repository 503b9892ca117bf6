/* search_service - the handlers of weft.search.v1.SearchService.
 *
 * The tenant is the caller's, from the credential; requests name the project and the collection.
 * Collections and documents are in the engine; a change that is audited goes through
 * search_changes.h.
 */

#ifndef SERVICES_SEARCH_SEARCH_SERVICE_H_
#define SERVICES_SEARCH_SEARCH_SERVICE_H_

#include "libs/authz/snapshot.h"
#include "libs/rpc/service.h"
#include "services/search/search_changes.h"

struct search_service;

/* All borrowed, and must outlive the service. */
struct search_service_options {
    struct search_engine *engine;   /* required */
    struct search_changes *changes; /* required */
    const struct clock *clock;      /* required */
    struct snapshot *snapshot;      /* what each tenant's plan allows; NULL: no limits */
};

/* The caller owns the service: search_service_free(), after the server has stopped. */
struct search_service *search_service_new(const struct search_service_options *options)
    NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void search_service_free(struct search_service *service);

/* For server_register(), with a search_service as the object. */
extern const struct service search_service_methods;

#endif
