#include "services/auth/auth_service.h"

#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/rpc/method_options.h"
#include "services/auth/auth_fixture.h"
#include "weft/auth/v1/auth_service_descriptors.h"

#include <pthread.h>
#include <string.h>

typedef Weft__Auth__V1__TenantStanding Standing;

static const Standing active = WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE;
static const Standing suspended = WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED;
static const Standing deleted_for_good = WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED;

/* ---- Accounts ---- */

static void a_created_account_can_be_got_and_listed(void **state)
{
    struct auth_fixture *f = *state;
    Weft__Auth__V1__GetServiceAccountRequest get;
    Weft__Auth__V1__ListServiceAccountsRequest list;
    const Weft__Auth__V1__GetServiceAccountResponse *got;
    const Weft__Auth__V1__ListServiceAccountsResponse *page;

    assert_status(create_account(f, "acme", "robot", "publisher", "project:x:extra:read"),
                  STATUS_OK);
    assert_status(create_account(f, "acme", "alpha", "readonly", ""), STATUS_OK);
    assert_status(create_account(f, "acme", "omega", "", ""), STATUS_OK);
    assert_status(create_account(f, "bravo", "other", "", ""), STATUS_OK);
    weft__auth__v1__get_service_account_request__init(&get);
    get.tenant_id = message_text("acme");
    get.service_account_id = message_text("robot");
    assert_status(auth_peer_get_service_account(f->peer, &f->call, &get, &got), STATUS_OK);
    assert_int_equal(got->service_account->n_roles, 1);
    assert_string_equal(got->service_account->roles[0], "publisher");
    assert_int_equal(got->service_account->n_permissions, 1);
    assert_string_equal(got->service_account->permissions[0], "project:x:extra:read");
    assert_int_equal(got->service_account->create_time->seconds, NOW_S);
    weft__auth__v1__list_service_accounts_request__init(&list);
    list.tenant_id = message_text("acme");
    list.page_size = 2;
    assert_status(auth_peer_list_service_accounts(f->peer, &f->call, &list, &page), STATUS_OK);
    assert_int_equal(page->n_service_accounts, 2);
    assert_string_equal(page->service_accounts[0]->service_account_id, "alpha");
    assert_string_equal(page->next_page_token, "omega");
    list.page_token = page->next_page_token;
    assert_status(auth_peer_list_service_accounts(f->peer, &f->call, &list, &page), STATUS_OK);
    assert_int_equal(page->n_service_accounts, 1);
    assert_string_equal(page->service_accounts[0]->service_account_id, "robot");
    assert_string_equal(page->next_page_token, "");
}

static void create_refuses_what_it_should(void **state)
{
    static const struct {
        const char *tenant, *id, *role, *permission, *field;
        enum status_code want;
    } cases[] = {
        { "", "robot", "", "", "tenant_id", STATUS_INVALID_ARGUMENT },
        { "acme", "9lives", "", "", "service_account_id", STATUS_INVALID_ARGUMENT },
        { "acme", "ro/bot", "", "", "service_account_id", STATUS_INVALID_ARGUMENT },
        { "acme", "robot", "king", "", "roles", STATUS_INVALID_ARGUMENT },
        { "acme", "robot", "", "a::b", "permissions", STATUS_INVALID_ARGUMENT },
        { "acme", "robot", "", "a\nb", "permissions", STATUS_INVALID_ARGUMENT },
        { "acme", "robot", "", "", NULL, STATUS_OK },
        { "acme", "robot", "", "", NULL, STATUS_ALREADY_EXISTS },
        { "weft", "robot", "", "", NULL, STATUS_OK },
    };
    struct auth_fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s =
            create_account(f, cases[i].tenant, cases[i].id, cases[i].role, cases[i].permission);
        if (s.code != cases[i].want) {
            fail_msg("case %zu: got %s (%s)", i, status_code_name(s.code), s.message);
        }
        if (cases[i].field != NULL) {
            assert_string_equal(s.details->field.field, cases[i].field);
        }
    }
}

static void an_account_needs_a_tenant_that_is_active(void **state)
{
    struct auth_fixture *f = *state;

    assert_status(create_account(f, "nobody", "robot", "", ""), STATUS_NOT_FOUND);
    put_tenant(f, "acme", suspended);
    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_FAILED_PRECONDITION);
    put_tenant(f, "acme", deleted_for_good);
    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_NOT_FOUND);
    put_tenant(f, "acme", active);
    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
}

static void nobody_gives_away_what_he_has_not(void **state)
{
    static const char *const own[] = { "tenant:*:**", "project:mine:**" };
    const struct principal clerk = { .tenant_id = "acme",
                                     .subject = "sa:clerk",
                                     .credential = CREDENTIAL_TOKEN,
                                     .permissions = own,
                                     .n_permissions = 2 };
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__CreateApiKeyResponse *key;

    assert_status(create_account(f, "acme", "boss", "admin", ""), STATUS_OK);
    f->call.principal = &clerk;
    status s = create_account(f, "acme", "robot", "publisher", "");
    assert_status(s, STATUS_PERMISSION_DENIED);
    assert_string_equal(s.details->info.reason, "PERMISSION_MISSING");
    assert_string_equal(s.details->info.metadata[0][1], "project:*:collections:create");
    assert_status(create_account(f, "acme", "robot", "", "project:yours:data:read"),
                  STATUS_PERMISSION_DENIED);
    assert_status(create_account(f, "acme", "robot", "", "**"), STATUS_PERMISSION_DENIED);
    assert_status(create_account(f, "acme", "robot", "", "project:mine:data:read"), STATUS_OK);
    assert_status(create_key(f, "acme", "robot", &key), STATUS_OK);
    assert_status(create_key(f, "acme", "boss", &key), STATUS_PERMISSION_DENIED);
}

static void a_change_and_its_event_happen_together(void **state)
{
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__CreateApiKeyResponse *key;
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    const Weft__Auth__V1__DeleteServiceAccountResponse *deleted;
    const char *token, *last;

    f->store.fail_statement = 4; /* the event */
    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_UNAVAILABLE);
    assert_int_equal(n_events(f, "service-account.create", &last), 0);
    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    assert_int_equal(n_events(f, "service-account.create", &last), 1);
    assert_string_equal(last, "acme sa:administrator tenant:acme:sa:robot");
    f->store.fail_statement = 5;
    assert_status(create_key(f, "acme", "robot", &key), STATUS_UNAVAILABLE);
    assert_int_equal(n_events(f, "api-key.create", &last), 0);
    key = a_key(f, "acme", "robot");
    f->store.fail_statement = 4;
    assert_status(revoke(f, "acme", key->api_key->key_id, &revoked), STATUS_UNAVAILABLE);
    assert_status(exchange(f, key->secret, &token), STATUS_OK);
    f->store.fail_statement = 5;
    assert_status(delete_account(f, "acme", "robot", &deleted), STATUS_UNAVAILABLE);
    assert_status(exchange(f, key->secret, &token), STATUS_OK);
    assert_status(revoke(f, "acme", key->api_key->key_id, &revoked), STATUS_OK);
    assert_int_equal(n_events(f, "api-key.revoke", &last), 1);
    assert_status(delete_account(f, "acme", "robot", &deleted), STATUS_OK);
    assert_int_equal(n_events(f, "service-account.delete", &last), 1);
}

static void what_has_not_been_committed_is_not_in_memory(void **state)
{
    struct auth_fixture *f = *state;
    const char *token;

    f->store.fail_commit = 1;
    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_UNAVAILABLE);
    assert_status(job_token(f, "acme", "sa:robot", "", &token), STATUS_PERMISSION_DENIED);
    f->store.fail_query = 1;
    const Weft__Auth__V1__CreateApiKeyResponse *key;
    assert_status(create_key(f, "acme", "robot", &key), STATUS_UNAVAILABLE);
}

/* ---- Keys ---- */

static void a_key_is_exchanged_for_a_token_that_everybody_takes(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;
    const char *token;

    assert_status(create_account(f, "acme", "robot", "publisher", "project:x:extra:read"),
                  STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    assert_memory_equal(key->secret, "weft_sa_", 8);
    assert_status(exchange(f, key->secret, &token), STATUS_OK);
    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_true(point_double_accepts(&point, f, token));
    f->clock.wall_ms += 931 * INT64_C(1000);
    assert_false(point_double_accepts(&point, f, token));
    point_double_reset(&point);
}

static void what_is_wrong_with_a_key_is_not_told_apart(void **state)
{
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    const char *token;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    const Weft__Auth__V1__CreateApiKeyResponse *other = a_key(f, "acme", "robot");
    struct api_key join;
    const char *bad[] = {
        "",
        "hello",
        arena_printf(f->call.arena, "%.60s", key->secret), /* cut short */
        api_key_generate(f->call.arena, &f->random.source, "join", &join),
        api_key_generate(f->call.arena, &f->random.source, "sa", &join),
        other->secret,
    };
    assert_status(revoke(f, "acme", other->api_key->key_id, &revoked), STATUS_OK);
    status first = exchange(f, bad[0], &token);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        status s = exchange(f, bad[i], &token);
        assert_status(s, STATUS_UNAUTHENTICATED);
        assert_string_equal(s.message, first.message);
    }
    assert_status(exchange(f, key->secret, &token), STATUS_OK);
    f->pepper.data[0] ^= 1; /* as if the key's other bytes were another's */
    assert_status(exchange(f, key->secret, &token), STATUS_UNAUTHENTICATED);
}

static void a_key_expires_and_its_token_no_later(void **state)
{
    struct auth_fixture *f = *state;
    Google__Protobuf__Timestamp expire;
    Weft__Auth__V1__CreateApiKeyRequest create;
    Weft__Auth__V1__ExchangeApiKeyRequest request;
    const Weft__Auth__V1__CreateApiKeyResponse *key;
    const Weft__Auth__V1__ExchangeApiKeyResponse *response;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    google__protobuf__timestamp__init(&expire);
    weft__auth__v1__create_api_key_request__init(&create);
    create.tenant_id = message_text("acme");
    create.service_account_id = message_text("robot");
    create.expire_time = &expire;
    expire.seconds = NOW_S;
    status s = auth_peer_create_api_key(f->peer, &f->call, &create, &key);
    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.details->field.field, "expire_time");
    expire.nanos = -1;
    assert_status(auth_peer_create_api_key(f->peer, &f->call, &create, &key),
                  STATUS_INVALID_ARGUMENT);
    expire.seconds = NOW_S + 60;
    expire.nanos = 0;
    assert_status(auth_peer_create_api_key(f->peer, &f->call, &create, &key), STATUS_OK);
    weft__auth__v1__exchange_api_key_request__init(&request);
    request.secret = message_text(key->secret);
    assert_status(auth_peer_exchange_api_key(f->peer, &f->call, &request, &response), STATUS_OK);
    assert_int_equal(response->expire_time->seconds, NOW_S + 60);
    f->clock.wall_ms += 60000;
    assert_status(auth_peer_exchange_api_key(f->peer, &f->call, &request, &response),
                  STATUS_UNAUTHENTICATED);
}

static void an_account_has_a_hundred_keys_at_most(void **state)
{
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__CreateApiKeyResponse *key = NULL;
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    for (int i = 0; i < 100; i++) {
        key = a_key(f, "acme", "robot");
    }
    assert_status(create_key(f, "acme", "robot", &key), STATUS_RESOURCE_EXHAUSTED);
    Weft__Auth__V1__ListApiKeysRequest list;
    const Weft__Auth__V1__ListApiKeysResponse *page;
    weft__auth__v1__list_api_keys_request__init(&list);
    list.tenant_id = message_text("acme");
    list.page_size = 99;
    assert_status(auth_peer_list_api_keys(f->peer, &f->call, &list, &page), STATUS_OK);
    assert_int_equal(page->n_api_keys, 99);
    list.page_token = page->next_page_token;
    assert_status(auth_peer_list_api_keys(f->peer, &f->call, &list, &page), STATUS_OK);
    assert_int_equal(page->n_api_keys, 1);
    assert_status(revoke(f, "acme", page->api_keys[0]->key_id, &revoked), STATUS_OK);
    assert_status(create_key(f, "acme", "robot", &key), STATUS_OK);
}

static void what_is_dead_is_forgotten_in_the_end(void **state)
{
    struct auth_fixture *f = *state;
    const struct store_statement query = { .sql = "SELECT count(*) FROM api_key" };
    const Weft__Auth__V1__CreateApiKeyResponse *key = NULL;
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    struct store_rows rows;
    const char *token;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *living = a_key(f, "acme", "robot");
    for (int i = 0; i < 1005; i++) {
        f->clock.wall_ms++;
        key = a_key(f, "acme", "robot");
        assert_status(revoke(f, "acme", key->api_key->key_id, &revoked), STATUS_OK);
    }
    (void)a_key(f, "acme", "robot");
    assert_status(store_query(&f->store.store, f->call.arena, &query, &rows), STATUS_OK);
    assert_int_equal(store_int_at(&rows, 0, 0), 1000 + 2);
    assert_status(exchange(f, living->secret, &token), STATUS_OK);
}

static void who_revokes_without_end_makes_nothing_new(void **state)
{
    struct auth_fixture *f = *state;
    struct store_write *write = store_write_new(f->call.arena);
    const Weft__Auth__V1__CreateApiKeyResponse *key;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    for (int i = 0; i < 10000; i++) {
        struct revocation_record *record = ARENA_NEW(f->call.arena, struct revocation_record);
        *record = (struct revocation_record){
            .tenant_id = "acme",
            .subject = arena_printf(f->call.arena, "key:%d", i),
            .forget_ms = f->clock.wall_ms + 1000,
        };
        auth_store_put_revocation(write, record);
    }
    assert_status(store_commit(&f->store.store, f->call.arena, write), STATUS_OK);
    assert_status(create_key(f, "acme", "robot", &key), STATUS_RESOURCE_EXHAUSTED);
    assert_status(create_account(f, "acme", "other", "", ""), STATUS_RESOURCE_EXHAUSTED);
    assert_status(create_account(f, "bravo", "other", "", ""), STATUS_OK);
    f->clock.wall_ms += 1001;
    assert_status(create_key(f, "acme", "robot", &key), STATUS_OK);
}

static void a_tenants_keys_are_nobody_elses(void **state)
{
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    const Weft__Auth__V1__CreateApiKeyResponse *made;
    const Weft__Auth__V1__DeleteServiceAccountResponse *deleted;
    Weft__Auth__V1__ListApiKeysRequest list;
    const Weft__Auth__V1__ListApiKeysResponse *page;
    const char *token;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    assert_status(create_account(f, "bravo", "spy", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    assert_status(revoke(f, "bravo", key->api_key->key_id, &revoked), STATUS_NOT_FOUND);
    assert_status(create_key(f, "bravo", "robot", &made), STATUS_NOT_FOUND);
    assert_status(delete_account(f, "bravo", "robot", &deleted), STATUS_NOT_FOUND);
    assert_status(job_token(f, "bravo", "sa:robot", "", &token), STATUS_PERMISSION_DENIED);
    weft__auth__v1__list_api_keys_request__init(&list);
    list.tenant_id = message_text("bravo");
    assert_status(auth_peer_list_api_keys(f->peer, &f->call, &list, &page), STATUS_OK);
    assert_int_equal(page->n_api_keys, 0);
    list.page_token = message_text(key->api_key->key_id);
    assert_status(auth_peer_list_api_keys(f->peer, &f->call, &list, &page), STATUS_OK);
    assert_int_equal(page->n_api_keys, 0);
    assert_status(exchange(f, key->secret, &token), STATUS_OK);
}

static void the_key_itself_is_nowhere(void **state)
{
    struct auth_fixture *f = *state;
    const struct store_statement query = {
        .sql = "SELECT count(*) FROM api_key, audit_outbox WHERE instr(hash, $1) > 0"
               " OR instr(event, $1) > 0 OR instr(key_id, $1) > 0",
    };
    struct store_rows rows;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    struct store_statement asked = query;
    const struct store_params params = PARAMS(store_text(key->secret + 25));
    asked.params = params;
    assert_status(store_query(&f->store.store, f->call.arena, &asked, &rows), STATUS_OK);
    assert_int_equal(store_int_at(&rows, 0, 0), 0);
}

/* ---- Revocation ---- */

static void a_revoked_key_stops_working_everywhere(void **state)
{
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    struct point_double point;
    const char *token, *other_token;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    const Weft__Auth__V1__CreateApiKeyResponse *other = a_key(f, "acme", "robot");
    assert_status(exchange(f, key->secret, &token), STATUS_OK);
    assert_status(exchange(f, other->secret, &other_token), STATUS_OK);
    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_status(revoke(f, "acme", key->api_key->key_id, &revoked), STATUS_OK);
    assert_non_null(revoked->api_key->revoke_time);
    assert_status(exchange(f, key->secret, &token), STATUS_UNAUTHENTICATED);
    assert_true(point_double_accepts(&point, f, token)); /* it has not heard of it */
    point_double_reset(&point);                          /* and was fenced for it: it comes again */
    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_false(point_double_accepts(&point, f, token));
    assert_true(point_double_accepts(&point, f, other_token));
    point_double_reset(&point);
}

struct revocation {
    struct auth_fixture *f;
    const char *key_id;
    struct arena *arena;
    const Weft__Auth__V1__RevokeApiKeyResponse *response;
    status result;
};

static void *revoke_and_wait(void *data)
{
    struct revocation *self = data;
    struct call call = self->f->call;
    Weft__Auth__V1__RevokeApiKeyRequest request;

    call.arena = self->arena;
    weft__auth__v1__revoke_api_key_request__init(&request);
    request.tenant_id = message_text("acme");
    request.key_id = message_text(self->key_id);
    request.timeout_ms = 60000;
    self->result = auth_peer_revoke_api_key(self->f->peer, &call, &request, &self->response);
    return NULL;
}

static void a_receipt_comes_when_all_obey(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double points[2];
    const char *token;
    pthread_t thread;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    assert_status(exchange(f, key->secret, &token), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        point_double_init(&points[i], f, i == 0 ? "search/1" : "tenant/1");
        point_double_take(&points[i], true);
    }
    struct revocation revocation = {
        .f = f, .key_id = key->api_key->key_id, .arena = arena_new(), .result = status_ok()
    };
    assert_int_equal(pthread_create(&thread, NULL, revoke_and_wait, &revocation), 0);
    while (point_double_accepts(&points[0], f, token) ||
           point_double_accepts(&points[1], f, token)) {
        point_double_take(&points[0], true);
        point_double_take(&points[1], true);
    }
    (void)pthread_join(thread, NULL);
    assert_status(revocation.result, STATUS_OK);
    assert_int_equal(revocation.response->receipt->enforcement_points, 2);
    assert_int_equal(revocation.response->receipt->acknowledged, 2);
    assert_int_equal(revocation.response->receipt->n_fenced, 0);
    point_double_reset(&points[0]);
    point_double_reset(&points[1]);
    arena_free(revocation.arena);
}

static void who_does_not_obey_is_named_and_fenced(void **state)
{
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    struct point_double point;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_status(revoke(f, "acme", key->api_key->key_id, &revoked), STATUS_OK);
    assert_int_equal(revoked->receipt->enforcement_points, 1);
    assert_int_equal(revoked->receipt->acknowledged, 0);
    assert_int_equal(revoked->receipt->n_fenced, 1);
    assert_string_equal(revoked->receipt->fenced[0], "spiffe://weft.local/search search/1");
    point_double_take(&point, false);
    assert_status(point.stream.result, STATUS_DEADLINE_EXCEEDED);
    point_double_reset(&point);
}

static void to_revoke_twice_is_to_revoke_once(void **state)
{
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__RevokeApiKeyResponse *first, *second;
    const char *last;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    assert_status(revoke(f, "acme", key->api_key->key_id, &first), STATUS_OK);
    f->clock.wall_ms += 5000;
    assert_status(revoke(f, "acme", key->api_key->key_id, &second), STATUS_OK);
    assert_int_equal(second->api_key->revoke_time->seconds, first->api_key->revoke_time->seconds);
    assert_int_equal(n_events(f, "api-key.revoke", &last), 1);
}

static void a_removed_account_and_one_of_its_name_are_two(void **state)
{
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__DeleteServiceAccountResponse *deleted;
    struct point_double point;
    const char *old_token, *old_job, *new_token, *none;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *old = a_key(f, "acme", "robot");
    assert_status(exchange(f, old->secret, &old_token), STATUS_OK);
    assert_status(job_token(f, "acme", "sa:robot", "", &old_job), STATUS_OK);
    assert_status(delete_account(f, "acme", "robot", &deleted), STATUS_OK);
    assert_status(exchange(f, old->secret, &none), STATUS_UNAUTHENTICATED);
    assert_status(job_token(f, "acme", "sa:robot", "", &none), STATUS_PERMISSION_DENIED);
    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    assert_status(exchange(f, old->secret, &none), STATUS_UNAUTHENTICATED);
    assert_status(exchange(f, a_key(f, "acme", "robot")->secret, &new_token), STATUS_OK);
    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_false(point_double_accepts(&point, f, old_token));
    assert_false(point_double_accepts(&point, f, old_job));
    assert_true(point_double_accepts(&point, f, new_token));
    point_double_reset(&point);
}

static void what_was_revoked_stays_so_over_a_restart(void **state)
{
    struct auth_fixture *f = *state;
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    struct point_double point;
    const char *token, *other_token, *none;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    const Weft__Auth__V1__CreateApiKeyResponse *other = a_key(f, "acme", "robot");
    assert_status(exchange(f, key->secret, &token), STATUS_OK);
    assert_status(revoke(f, "acme", key->api_key->key_id, &revoked), STATUS_OK);
    auth_fixture_stop(f);
    auth_fixture_start(f, 2);
    assert_status(exchange(f, key->secret, &none), STATUS_UNAUTHENTICATED);
    assert_status(exchange(f, other->secret, &other_token), STATUS_OK);
    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_false(point_double_accepts(&point, f, token));
    assert_true(point_double_accepts(&point, f, other_token));
    point_double_reset(&point);
}

/* ---- Tokens ---- */

static void a_job_token_has_no_more_than_its_principal(void **state)
{
    struct auth_fixture *f = *state;
    const char *token;

    assert_status(create_account(f, "acme", "robot", "publisher", ""), STATUS_OK);
    assert_status(job_token(f, "acme", "sa:robot", "", &token), STATUS_OK);
    assert_status(job_token(f, "acme", "sa:robot", "project:x:data:publish", &token), STATUS_OK);
    assert_status(job_token(f, "acme", "sa:robot", "tenant:acme:keys:create", &token),
                  STATUS_PERMISSION_DENIED);
    assert_status(job_token(f, "acme", "sa:robot", "**", &token), STATUS_PERMISSION_DENIED);
    assert_status(job_token(f, "acme", "sa:nobody", "", &token), STATUS_PERMISSION_DENIED);
    assert_status(job_token(f, "acme", "user:ada", "", &token), STATUS_INVALID_ARGUMENT);
    put_tenant(f, "acme", deleted_for_good);
    assert_status(job_token(f, "acme", "sa:robot", "", &token), STATUS_PERMISSION_DENIED);
}

static Weft__Auth__V1__IssueJobTokenRequest job_of(const char *subject)
{
    Weft__Auth__V1__IssueJobTokenRequest request;

    weft__auth__v1__issue_job_token_request__init(&request);
    request.tenant_id = message_text("acme");
    request.subject = message_text(subject);
    request.job_id = message_text("j1");
    request.attempt = 1;
    request.lifetime_s = 60;
    return request;
}

static void of_many_job_tokens_each_has_its_own_result(void **state)
{
    struct auth_fixture *f = *state;
    Weft__Auth__V1__IssueJobTokenRequest robot = job_of("sa:robot");
    Weft__Auth__V1__IssueJobTokenRequest nobody = job_of("sa:nobody");
    Weft__Auth__V1__IssueJobTokenRequest *requests[65] = { &nobody, &robot };
    Weft__Auth__V1__IssueJobTokensRequest request;
    const Weft__Auth__V1__IssueJobTokensResponse *response;

    assert_status(create_account(f, "acme", "robot", "publisher", ""), STATUS_OK);
    weft__auth__v1__issue_job_tokens_request__init(&request);
    request.requests = requests;
    request.n_requests = 2;
    assert_status(auth_peer_issue_job_tokens(f->peer, &f->call, &request, &response), STATUS_OK);
    assert_int_equal(response->n_results, 2);
    assert_int_equal(response->results[0]->code, STATUS_PERMISSION_DENIED);
    assert_non_null(strstr(response->results[0]->message, "sa:nobody"));
    assert_string_equal(response->results[0]->token, "");
    assert_int_equal(response->results[1]->code, STATUS_OK);
    assert_true(response->results[1]->token[0] != '\0');
    for (size_t i = 2; i < 65; i++) {
        requests[i] = &robot;
    }
    request.n_requests = 64;
    assert_status(auth_peer_issue_job_tokens(f->peer, &f->call, &request, &response), STATUS_OK);
    request.n_requests = 65;
    assert_status(auth_peer_issue_job_tokens(f->peer, &f->call, &request, &response),
                  STATUS_INVALID_ARGUMENT);
}

static void a_deleted_tenant_gets_no_token(void **state)
{
    struct auth_fixture *f = *state;
    const char *token;

    assert_status(create_account(f, "acme", "robot", "publisher", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    put_tenant(f, "acme", suspended);
    assert_status(exchange(f, key->secret, &token), STATUS_OK); /* it reads */
    put_tenant(f, "acme", deleted_for_good);
    assert_status(exchange(f, key->secret, &token), STATUS_FAILED_PRECONDITION);
}

static void one_may_ask_who_one_is(void **state)
{
    struct auth_fixture *f = *state;
    Weft__Auth__V1__WhoAmIRequest request;
    const Weft__Auth__V1__WhoAmIResponse *response;

    weft__auth__v1__who_am_irequest__init(&request);
    assert_status(auth_peer_who_am_i(f->peer, &f->call, &request, &response), STATUS_OK);
    assert_string_equal(response->tenant_id, "weft");
    assert_string_equal(response->subject, "sa:administrator");
    assert_int_equal(response->n_permissions, 1);
    assert_null(response->expire_time);
}

static void the_key_set_has_the_next_key_too(void **state)
{
    struct auth_fixture *f = *state;
    Weft__Auth__V1__GetJwksRequest request;
    const Weft__Auth__V1__GetJwksResponse *response;
    struct jose_keys *keys;

    weft__auth__v1__get_jwks_request__init(&request);
    assert_status(auth_peer_get_jwks(f->peer, &f->call, &request, &response), STATUS_OK);
    assert_status(jose_keys_parse(f->call.arena, bytes_of(response->jwks), &keys), STATUS_OK);
    assert_int_equal(jose_keys_count(keys), 2);
    jose_keys_free(keys);
}

static void keys_rotate_by_themselves_and_everybody_is_told(void **state)
{
    struct auth_fixture *f = *state;
    struct point_double point;
    const char *old_token, *new_token;

    assert_status(create_account(f, "acme", "robot", "", ""), STATUS_OK);
    const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(f, "acme", "robot");
    point_double_init(&point, f, "search/1");
    f->clock.wall_ms += (int64_t)SIGNING_KEYS_PERIOD_DAYS * 24 * 3600 * 1000;
    assert_status(exchange(f, key->secret, &old_token), STATUS_OK);
    uint64_t revision = feed_revision(f->feed);
    f->files.full = true;
    assert_status(auth_service_tick(f->service, f->call.arena), STATUS_RESOURCE_EXHAUSTED);
    f->files.full = false;
    assert_int_equal(feed_revision(f->feed), revision);
    assert_status(auth_service_tick(f->service, f->call.arena), STATUS_OK);
    assert_int_equal(feed_revision(f->feed), revision); /* not at once again */
    fake_clock_advance_ms(&f->clock, 60000);
    assert_status(auth_service_tick(f->service, f->call.arena), STATUS_OK);
    assert_int_equal(feed_revision(f->feed), revision + 1);
    assert_status(exchange(f, key->secret, &new_token), STATUS_OK);
    point_double_take(&point, true);
    assert_true(point_double_accepts(&point, f, old_token));
    assert_true(point_double_accepts(&point, f, new_token));
    point_double_reset(&point);
}

/* ---- The table ---- */

static void every_rpc_has_a_handler(void **state)
{
    (void)state;
    assert_null(service_first_unhandled(&auth_service_methods));
}

static void every_rpc_says_who_may_call_it(void **state)
{
    struct auth_fixture *f = *state;
    const ProtobufCServiceDescriptor *service = auth_service_methods.descriptor;

    for (unsigned i = 0; i < service->n_methods; i++) {
        struct method_options options;
        assert_status(method_options_read(f->call.arena, auth_service_descriptors, service->name,
                                          service->methods[i].name, &options),
                      STATUS_OK);
        if (options.permission[0] == '\0' && options.n_peers == 0) {
            fail_msg("%s is for nobody", service->methods[i].name);
        }
    }
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, auth_fixture_set_up, auth_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_created_account_can_be_got_and_listed),
        TEST(create_refuses_what_it_should),
        TEST(an_account_needs_a_tenant_that_is_active),
        TEST(nobody_gives_away_what_he_has_not),
        TEST(a_change_and_its_event_happen_together),
        TEST(what_has_not_been_committed_is_not_in_memory),
        TEST(a_key_is_exchanged_for_a_token_that_everybody_takes),
        TEST(what_is_wrong_with_a_key_is_not_told_apart),
        TEST(a_key_expires_and_its_token_no_later),
        TEST(an_account_has_a_hundred_keys_at_most),
        TEST(what_is_dead_is_forgotten_in_the_end),
        TEST(who_revokes_without_end_makes_nothing_new),
        TEST(a_tenants_keys_are_nobody_elses),
        TEST(the_key_itself_is_nowhere),
        TEST(a_revoked_key_stops_working_everywhere),
        TEST(a_receipt_comes_when_all_obey),
        TEST(who_does_not_obey_is_named_and_fenced),
        TEST(to_revoke_twice_is_to_revoke_once),
        TEST(a_removed_account_and_one_of_its_name_are_two),
        TEST(what_was_revoked_stays_so_over_a_restart),
        TEST(a_job_token_has_no_more_than_its_principal),
        TEST(of_many_job_tokens_each_has_its_own_result),
        TEST(a_deleted_tenant_gets_no_token),
        TEST(one_may_ask_who_one_is),
        TEST(the_key_set_has_the_next_key_too),
        TEST(keys_rotate_by_themselves_and_everybody_is_told),
        TEST(every_rpc_says_who_may_call_it),
        cmocka_unit_test(every_rpc_has_a_handler),
    };

    return cmocka_run_group_tests_name("auth_service", tests, NULL, NULL);
}
