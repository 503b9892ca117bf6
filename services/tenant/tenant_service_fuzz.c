/* Requests as they may come from the network: the first byte chooses the rpc, the rest is its
 * request.  Whatever it is, the answer is one of those that the .proto lists, and a page holds what
 * comes after its token and nothing else. */

#include "libs/audit/outbox.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/rpc/decode.h"
#include "services/tenant/tenant_service.h"
#include "services/tenant/tenant_store.h"
#include "weft/tenant/v1/tenant_service.pb-c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef Weft__Tenant__V1__ListTenantsRequest list_request;
typedef Weft__Tenant__V1__ListTenantsResponse list_response;

/* One for the whole run: what an input has made, the next finds. */
static struct tenant_service *service_of_run(void)
{
    static struct tenant_service *service;
    static struct arena *arena;
    struct store *store;

    if (service == NULL) {
        arena = arena_new();
        if (!status_is_ok(store_open(arena, ":memory:", &store)) ||
            !status_is_ok(tenant_store_migrate(store, arena)) ||
            !status_is_ok(outbox_migrate(store, arena))) {
            abort();
        }
        service = tenant_service_new(&(struct tenant_service_options){
            .store = store, .clock = &system_clock, .random = &system_random });
    }
    return service;
}

static void check_page(struct arena *arena, bytes request, bytes response)
{
    const ProtobufCMessage *asked, *answered;

    if (!status_is_ok(message_decode(arena, &weft__tenant__v1__list_tenants_request__descriptor,
                                     request, &asked)) ||
        !status_is_ok(message_decode(arena, &weft__tenant__v1__list_tenants_response__descriptor,
                                     response, &answered))) {
        abort();
    }
    const char *before = ((const list_request *)asked)->page_token;
    const list_response *page = (const list_response *)answered;
    for (size_t i = 0; i < page->n_tenants; i++) {
        assert(strcmp(page->tenants[i]->tenant_id, before) > 0);
        before = page->tenants[i]->tenant_id;
    }
    assert(page->next_page_token[0] == '\0' || strcmp(page->next_page_token, before) == 0);
}

static bool is_listed(enum status_code code)
{
    switch (code) {
    case STATUS_OK:
    case STATUS_INVALID_ARGUMENT:
    case STATUS_NOT_FOUND:
    case STATUS_ALREADY_EXISTS:
    case STATUS_FAILED_PRECONDITION:
    case STATUS_ABORTED:
    case STATUS_RESOURCE_EXHAUSTED: /* what would decode to too much */
        return true;
    default:
        return false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct service *methods = &tenant_service_methods;
    struct arena *arena = arena_new();
    struct call call = call_of_process(arena);
    bytes response;

    if (size > 0) {
        const struct method *method = &methods->methods[data[0] % methods->n_methods];
        bytes request = { .data = data + 1, .size = size - 1 };
        call.service = service_of_run();
        if (method->handle != NULL) {
            status s = service_handle(methods, &call, method->name, request, &response);
            assert(is_listed(s.code));
            if (status_is_ok(s) && strcmp(method->name, "ListTenants") == 0) {
                check_page(arena, request, response);
            }
        }
    }
    arena_free(arena);
    return 0;
}
