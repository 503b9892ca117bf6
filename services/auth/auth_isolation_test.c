/* Every rpc of AuthService, asked by one tenant's administrator about another tenant: through the
 * guard that every service has, fed by auth's own stream. */

#include "libs/authz/guard.h"
#include "libs/base/status_details.h"
#include "libs/rpc/method_options.h"
#include "services/auth/auth_fixture.h"
#include "services/auth/prime.h"
#include "weft/auth/v1/auth_service_descriptors.h"

#include <string.h>

struct fixture {
    struct auth_fixture *auth;
    struct guard_authz *authz;
    struct guard *guard;
    struct call call; /* by acme's administrator */
};

/* As the server does it. */
static status check(struct call *call, const struct rpc *rpc, const ProtobufCMessage *request)
{
    const struct fixture *f = call->check_data;
    struct method_options options;
    struct rpc known = *rpc;

    TRY(method_options_read(call->arena, auth_service_descriptors, rpc->service->name, rpc->method,
                            &options));
    known.options = &options;
    return f->guard->ops->authorise(f->guard, call, &known, request);
}

static int set_up(void **state)
{
    static struct fixture f;
    const char *token;
    void *auth;

    (void)auth_fixture_set_up(&auth);
    f = (struct fixture){ .auth = auth };
    assert_status(create_account(f.auth, "acme", "boss", "admin", ""), STATUS_OK);
    assert_status(create_account(f.auth, "bravo", "robot", "admin", ""), STATUS_OK);
    assert_status(exchange(f.auth, a_key(f.auth, "acme", "boss")->secret, &token), STATUS_OK);
    f.authz = guard_authz_new(&(struct guard_authz_options){
        .service = "auth", .trust_domain = "weft.local", .clock = &f.auth->clock.clock });
    f.guard = guard_authz_guard(f.authz);
    assert_status(prime_snapshot(f.auth->feed, f.auth->call.arena, guard_authz_snapshot(f.authz)),
                  STATUS_OK);
    f.call = f.auth->call;
    f.call.peer_id = "spiffe://weft.local/cli";
    f.call.token = token;
    f.call.check = check;
    f.call.check_data = &f;
    f.call.service = f.auth->service;
    assert_status(f.guard->ops->authenticate(f.guard, &f.call), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    void *auth = f->auth;
    int result = auth_fixture_tear_down(&auth);

    guard_authz_free(f->authz);
    return result;
}

/* A request with tenant_id set and every other text "robot", which is an id of bravo's. */
static bytes request_about(struct fixture *f, const ProtobufCMessageDescriptor *type,
                           const char *tenant_id, bool *ret_has_tenant)
{
    ProtobufCMessage *message = arena_alloc(f->call.arena, type->sizeof_message);

    protobuf_c_message_init(type, message);
    *ret_has_tenant = false;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type == PROTOBUF_C_TYPE_STRING && field->label != PROTOBUF_C_LABEL_REPEATED) {
            bool is_tenant = strcmp(field->name, "tenant_id") == 0;
            const char *text = is_tenant ? tenant_id : "robot";
            memcpy((char *)message + field->offset, &text, sizeof text);
            *ret_has_tenant = *ret_has_tenant || is_tenant;
        }
    }
    return message_pack(f->call.arena, message);
}

static status ask(struct fixture *f, const ProtobufCMethodDescriptor *method, const char *tenant_id,
                  bool *ret_has_tenant)
{
    bytes request = request_about(f, method->input, tenant_id, ret_has_tenant);
    bytes response;

    return service_handle(&auth_service_methods, &f->call, method->name, request, &response);
}

static void no_rpc_tells_one_tenant_of_another(void **state)
{
    struct fixture *f = *state;
    const ProtobufCServiceDescriptor *service = auth_service_methods.descriptor;
    int n_asked = 0;

    for (unsigned i = 0; i < service->n_methods; i++) {
        const ProtobufCMethodDescriptor *method = &service->methods[i];
        bool has_tenant;
        if (service_method(&auth_service_methods, method->name)->events != NULL) {
            continue;
        }
        status s = ask(f, method, "bravo", &has_tenant);
        if (!has_tenant) {
            continue;
        }
        if (s.code != STATUS_PERMISSION_DENIED) {
            fail_msg("%s: %s (%s)", method->name, status_code_name(s.code), s.message);
        }
        n_asked++;
    }
    assert_int_equal(n_asked, 8);
}

/* Which would tell who is a customer. */
static void a_tenant_that_is_not_there_answers_as_one_that_is(void **state)
{
    struct fixture *f = *state;
    const ProtobufCServiceDescriptor *service = auth_service_methods.descriptor;
    bool has_tenant;

    for (unsigned i = 0; i < service->n_methods; i++) {
        const ProtobufCMethodDescriptor *method = &service->methods[i];
        if (service_method(&auth_service_methods, method->name)->events != NULL) {
            continue;
        }
        status there = ask(f, method, "bravo", &has_tenant);
        status absent = ask(f, method, "cargo", &has_tenant); /* as long a name */
        assert_int_equal(there.code, absent.code);
        assert_int_equal(strlen(there.message), strlen(absent.message));
    }
}

static void an_administrator_rules_his_own_tenant(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMethodDescriptor *method = protobuf_c_service_descriptor_get_method_by_name(
        auth_service_methods.descriptor, "ListServiceAccounts");
    Weft__Auth__V1__ListServiceAccountsRequest request;
    bytes response;

    weft__auth__v1__list_service_accounts_request__init(&request);
    request.tenant_id = message_text("acme");
    assert_status(service_handle(&auth_service_methods, &f->call, method->name,
                                 message_pack(f->call.arena, &request.base), &response),
                  STATUS_OK);
}

static void job_tokens_are_for_the_scheduler_alone(void **state)
{
    struct fixture *f = *state;
    const ProtobufCMethodDescriptor *method = protobuf_c_service_descriptor_get_method_by_name(
        auth_service_methods.descriptor, "IssueJobToken");
    bool has_tenant;

    assert_status(ask(f, method, "acme", &has_tenant), STATUS_PERMISSION_DENIED);
    f->call.peer_id = "spiffe://weft.local/scheduler";
    status s = ask(f, method, "acme", &has_tenant);
    assert_status(s, STATUS_INVALID_ARGUMENT); /* the subject: it came by the guard */
    assert_string_equal(s.details->field.field, "subject");
    f->call.peer_id = "spiffe://evil.local/scheduler";
    assert_status(ask(f, method, "acme", &has_tenant), STATUS_PERMISSION_DENIED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_rpc_tells_one_tenant_of_another),
        TEST(a_tenant_that_is_not_there_answers_as_one_that_is),
        TEST(an_administrator_rules_his_own_tenant),
        TEST(job_tokens_are_for_the_scheduler_alone),
    };

    return cmocka_run_group_tests_name("auth_isolation", tests, NULL, NULL);
}
