/* auth from outside, when processes die or stand still: what was acknowledged holds. */

#include "libs/base/text.h"
#include "libs/peers/auth_peer.h"
#include "libs/peers/search_peer.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "tests/e2e/platform.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 400, TRY_US = 25000, KEYS = 12 };

static struct platform platform;
static struct platform_key keys[KEYS], lonely, frozen, orphan;

static int set_up(void **state)
{
    (void)state;
    platform_init(&platform);
    platform_make_tenant(&platform, "acme", (struct platform_limits){ 0 });
    for (int i = 0; i < KEYS; i++) {
        keys[i] = platform_make_key(&platform, "acme",
                                    arena_printf(platform.host.arena, "robot-%d", i), "consumer");
    }
    lonely = platform_make_key(&platform, "acme", "lonely", "consumer");
    frozen = platform_make_key(&platform, "acme", "frozen", "consumer");
    orphan = platform_make_key(&platform, "acme", "orphan", "consumer");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    platform_reset(&platform);
    return 0;
}

/* ---- What is asked, until somebody is there to answer ---- */

static status exchange(const char *secret, const char **ret_token)
{
    status s = platform_exchange(&platform, secret, ret_token);

    for (int i = 0; i < TRIES && s.code == STATUS_UNAVAILABLE; i++) {
        (void)usleep(TRY_US);
        s = platform_exchange(&platform, secret, ret_token);
    }
    return s;
}

static status revoke_key(const char *key_id, int64_t timeout_ms,
                         const Weft__Auth__V1__RevokeApiKeyResponse **ret_response)
{
    struct call call = platform_call(&platform, platform.admin_token);
    Weft__Auth__V1__RevokeApiKeyRequest request;

    weft__auth__v1__revoke_api_key_request__init(&request);
    request.tenant_id = message_text("acme");
    request.key_id = message_text(key_id);
    request.timeout_ms = timeout_ms;
    struct peer *auth = platform_peer(&platform, "auth");
    status s = auth_peer_revoke_api_key(auth, &call, &request, ret_response);
    for (int i = 0; i < TRIES && s.code == STATUS_UNAVAILABLE; i++) {
        (void)usleep(TRY_US);
        s = auth_peer_revoke_api_key(auth, &call, &request, ret_response);
    }
    return s;
}

/* How search takes a token: it has no collection, but says so only to whom it knows. */
static enum status_code ask_search(const char *token)
{
    struct call call = platform_call(&platform, token);
    Weft__Search__V1__ListCollectionsRequest request;
    const Weft__Search__V1__ListCollectionsResponse *response;

    weft__search__v1__list_collections_request__init(&request);
    request.project_id = message_text("debian");
    return search_peer_list_collections(platform_peer(&platform, "search"), &call, &request,
                                        &response)
        .code;
}

static void assert_search_says(const char *token, enum status_code want)
{
    enum status_code code = ask_search(token);

    for (int i = 0; i < TRIES && code != want; i++) {
        (void)usleep(TRY_US);
        code = ask_search(token);
    }
    assert_int_equal(code, want);
}

static struct host_program *program(const char *name)
{
    for (size_t i = 0; i < platform.host.n_programs; i++) {
        if (strcmp(platform.host.programs[i].name, name) == 0) {
            return &platform.host.programs[i];
        }
    }
    fail_msg("no program '%s'", name);
    return NULL;
}

/* ---- Tests ---- */

static void what_was_acknowledged_holds_when_auth_is_killed(void **state)
{
    const char *tokens[KEYS];
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    const char *none;

    (void)state;
    for (int i = 0; i < KEYS; i++) {
        assert_status(exchange(keys[i].secret, &tokens[i]), STATUS_OK);
        if (i % 2 == 0) {
            assert_status(revoke_key(keys[i].key_id, 0, &revoked), STATUS_OK);
        }
        if (i % 4 == 3) {
            host_stop(&platform.host, "auth", SIGKILL);
            host_start(&platform.host, "auth");
        }
    }
    for (int i = 0; i < KEYS; i++) {
        bool is_revoked = i % 2 == 0;
        assert_status(exchange(keys[i].secret, &none),
                      is_revoked ? STATUS_UNAUTHENTICATED : STATUS_OK);
        assert_search_says(tokens[i], is_revoked ? STATUS_UNAUTHENTICATED : STATUS_OK);
    }
}

static void auth_starts_without_the_tenant_service(void **state)
{
    const char *token;

    (void)state;
    host_stop(&platform.host, "tenant", SIGKILL);
    host_stop(&platform.host, "auth", SIGKILL);
    host_start(&platform.host, "auth");
    host_wait_ready(&platform.host, "auth");
    assert_status(exchange(lonely.secret, &token), STATUS_OK);
    assert_search_says(token, STATUS_OK);
    host_start(&platform.host, "tenant");
    host_wait_ready(&platform.host, "tenant");
}

static void who_stands_still_is_named_and_obeys_when_it_goes_on(void **state)
{
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    const char *token;

    (void)state;
    assert_status(exchange(frozen.secret, &token), STATUS_OK);
    assert_search_says(token, STATUS_OK);
    assert_int_equal(kill(program("search")->pid, SIGSTOP), 0);
    status s = revoke_key(frozen.key_id, 500, &revoked);
    assert_int_equal(kill(program("search")->pid, SIGCONT), 0);
    assert_status(s, STATUS_OK);
    if (revoked->receipt->n_fenced != 1) {
        fail_msg("%d of %d obey, %zu are fenced after %lld us", (int)revoked->receipt->acknowledged,
                 (int)revoked->receipt->enforcement_points, revoked->receipt->n_fenced,
                 (long long)revoked->receipt->elapsed_us);
    }
    assert_non_null(strstr(revoked->receipt->fenced[0], "spiffe://weft.local/search"));
    assert_int_equal(revoked->receipt->acknowledged, revoked->receipt->enforcement_points - 1);
    assert_search_says(token, STATUS_UNAUTHENTICATED);
}

static bool names_search(const Weft__Registry__V1__Receipt *receipt)
{
    for (size_t i = 0; i < receipt->n_fenced; i++) {
        if (strstr(receipt->fenced[i], "spiffe://weft.local/search") != NULL) {
            return true;
        }
    }
    return false;
}

static void who_stands_still_while_auth_dies_is_named_by_the_next(void **state)
{
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    const char *token;

    (void)state;
    assert_status(exchange(orphan.secret, &token), STATUS_OK);
    assert_search_says(token, STATUS_OK);
    assert_int_equal(kill(program("search")->pid, SIGSTOP), 0);
    host_stop(&platform.host, "auth", SIGKILL);
    host_start(&platform.host, "auth");
    status s = revoke_key(orphan.key_id, 500, &revoked);
    assert_int_equal(kill(program("search")->pid, SIGCONT), 0);
    assert_status(s, STATUS_OK);
    assert_true(names_search(revoked->receipt));
    assert_search_says(token, STATUS_UNAUTHENTICATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_stands_still_is_named_and_obeys_when_it_goes_on),
        cmocka_unit_test(who_stands_still_while_auth_dies_is_named_by_the_next),
        cmocka_unit_test(what_was_acknowledged_holds_when_auth_is_killed),
        cmocka_unit_test(auth_starts_without_the_tenant_service),
    };

    return cmocka_run_group_tests_name("auth_e2e", tests, set_up, tear_down);
}
