#include "loadtests/revocation_load.h"

#include "libs/peers/auth_peer.h"
#include "libs/rpc/message.h"
#include "loadtests/report.h"

enum { REVOCATIONS = 200 };

static status create(const struct load *load, struct arena *arena, const char **ret_key_id)
{
    const Weft__Auth__V1__CreateApiKeyResponse *response;
    Weft__Auth__V1__CreateApiKeyRequest request;
    struct call call = load_call(arena, load->admin_token);

    weft__auth__v1__create_api_key_request__init(&request);
    request.tenant_id = message_text(LOAD_TENANT);
    request.service_account_id = message_text(LOAD_ACCOUNT);
    TRY(auth_peer_create_api_key(load_peer(load, "auth"), &call, &request, &response));
    *ret_key_id = response->api_key->key_id;
    return status_ok();
}

/* A receipt that lacks somebody is no measurement: that one denies only when its lease is over. */
static status check(struct arena *arena, const Weft__Registry__V1__Receipt *receipt)
{
    if (receipt == NULL || receipt->enforcement_points == 0 ||
        receipt->acknowledged != receipt->enforcement_points) {
        return status_error(arena, STATUS_INTERNAL,
                            "%d of %d enforcement points acknowledged a revocation",
                            receipt != NULL ? receipt->acknowledged : 0,
                            receipt != NULL ? receipt->enforcement_points : 0);
    }
    return status_ok();
}

static status revoke(const struct load *load, struct arena *arena, double *ret_ms)
{
    const Weft__Auth__V1__RevokeApiKeyResponse *response;
    Weft__Auth__V1__RevokeApiKeyRequest request;
    struct call call = load_call(arena, load->admin_token);
    const char *key_id = "";

    TRY(create(load, arena, &key_id));
    weft__auth__v1__revoke_api_key_request__init(&request);
    request.tenant_id = message_text(LOAD_TENANT);
    request.key_id = message_text(key_id);
    TRY(auth_peer_revoke_api_key(load_peer(load, "auth"), &call, &request, &response));
    TRY(check(arena, response->receipt));
    *ret_ms = (double)response->receipt->elapsed_us / 1e3;
    return status_ok();
}

status revocation_load_run(const struct load *load)
{
    static const char command[] = "./weft bench revocation";
    double ms[REVOCATIONS];

    for (size_t i = 0; i < REVOCATIONS; i++) {
        struct arena *arena = arena_new();
        status s = load_keep(load->arena, revoke(load, arena, &ms[i]));
        arena_free(arena);
        TRY(s);
    }
    sort_values(ms, REVOCATIONS);
    report(&(struct finding){ .name = "revocation.p99",
                              .value = quantile(ms, REVOCATIONS, 0.99),
                              .unit = "ms",
                              .bar = BAR_MOST,
                              .bar_at = 100,
                              .command = command });
    report(&(struct finding){ .name = "revocation.p50",
                              .value = quantile(ms, REVOCATIONS, 0.5),
                              .unit = "ms",
                              .command = command });
    return status_ok();
}
