/* What a tenant's state and plan do in the services that serve it, with all of them running. */

#include "libs/base/files.h"
#include "libs/base/status_details.h"
#include "libs/peers/audit_peer.h"
#include "libs/peers/auth_peer.h"
#include "libs/peers/scheduler_peer.h"
#include "libs/peers/search_peer.h"
#include "libs/peers/tenant_peer.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"
#include "libs/testing/assert_status.h"
#include "tests/e2e/platform.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* What the tenant service promises of enforcement points: a second; twice that, since others use
 * the machine. */
enum { ENFORCED_MS = 2000, EVERY_MS = 10 };

static struct platform platform;

static int set_up(void **state)
{
    (void)state;
    platform_init(&platform);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    platform_reset(&platform);
    return 0;
}

/* ---- What tenants do ---- */

static status create_collection(const char *token, const char *project, const char *collection)
{
    struct call call = platform_call(&platform, token);
    Weft__Search__V1__CreateCollectionRequest request;
    Weft__Search__V1__FieldSchema body, *fields[] = { &body };
    const Weft__Search__V1__CreateCollectionResponse *response;

    weft__search__v1__field_schema__init(&body);
    body.name = message_text("body");
    body.kind = WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_TEXT;
    weft__search__v1__create_collection_request__init(&request);
    request.project_id = message_text(project);
    request.collection_id = message_text(collection);
    request.fields = fields;
    request.n_fields = 1;
    return search_peer_create_collection(platform_peer(&platform, "search"), &call, &request,
                                         &response);
}

static status list_collections(const char *token)
{
    struct call call = platform_call(&platform, token);
    Weft__Search__V1__ListCollectionsRequest request;
    const Weft__Search__V1__ListCollectionsResponse *response;

    weft__search__v1__list_collections_request__init(&request);
    request.project_id = message_text("books");
    return search_peer_list_collections(platform_peer(&platform, "search"), &call, &request,
                                        &response);
}

static status enqueue_job(const char *token,
                          const Weft__Scheduler__V1__EnqueueJobResponse **ret_response)
{
    struct call call = platform_call(&platform, token);
    Weft__Scheduler__V1__EnqueueJobRequest request;

    weft__scheduler__v1__enqueue_job_request__init(&request);
    request.project_id = message_text("books");
    request.capability = message_text("test.nobody");
    return scheduler_peer_enqueue_job(platform_peer(&platform, "scheduler"), &call, &request,
                                      ret_response);
}

static status enqueue(const char *token)
{
    const Weft__Scheduler__V1__EnqueueJobResponse *response;

    return enqueue_job(token, &response);
}

/* Of a job that nobody does, so that after its first row nothing happens any more. */
static struct pipe *open_watch(const char *token)
{
    struct call call = platform_call(&platform, token);
    const Weft__Scheduler__V1__EnqueueJobResponse *job;
    Weft__Scheduler__V1__WatchJobRequest request;
    const ProtobufCMessage *message = NULL;
    struct pipe *pipe;

    assert_status(enqueue_job(token, &job), STATUS_OK);
    weft__scheduler__v1__watch_job_request__init(&request);
    request.project_id = message_text("books");
    request.job_id = job->job->job_id;
    call.deadline_us = INT64_MAX;
    status s = pipe_open(platform_peer(&platform, "scheduler"), &call,
                         &weft__scheduler__v1__scheduler_service__descriptor, "WatchJob", &pipe);
    assert_status(s, STATUS_OK);
    assert_status(pipe_send(pipe, call.arena, &request.base), STATUS_OK);
    pipe_finish(pipe);
    assert_status(pipe_receive(pipe, call.arena, HOST_PATIENCE_MS, &message), STATUS_OK);
    return pipe;
}

static status open_upsert(const char *token, struct pipe **ret_pipe)
{
    struct call call = platform_call(&platform, token);

    return pipe_open(platform_peer(&platform, "search"), &call,
                     &weft__search__v1__search_service__descriptor, "UpsertDocuments", ret_pipe);
}

/* One document; *ret_code is what the service says of it. */
static status upsert(struct pipe *pipe, const char *id, int *ret_code)
{
    struct arena *arena = platform.host.arena;
    Weft__Search__V1__UpsertDocumentsRequest request;
    Weft__Search__V1__Document document, *documents[] = { &document };
    Weft__Search__V1__Field body, *fields[] = { &body };
    const ProtobufCMessage *message = NULL;

    weft__search__v1__field__init(&body);
    body.name = message_text("body");
    body.value_case = WEFT__SEARCH__V1__FIELD__VALUE_TEXT;
    body.text = message_text("words");
    weft__search__v1__document__init(&document);
    document.document_id = message_text(id);
    document.fields = fields;
    document.n_fields = 1;
    weft__search__v1__upsert_documents_request__init(&request);
    request.project_id = message_text("books");
    request.collection_id = message_text("all");
    request.documents = documents;
    request.n_documents = 1;
    TRY(pipe_send(pipe, arena, &request.base));
    TRY(pipe_receive(pipe, arena, HOST_PATIENCE_MS, &message));
    assert_non_null(message);
    *ret_code = ((const Weft__Search__V1__UpsertDocumentsResponse *)message)->results[0]->code;
    return status_ok();
}

/* ---- What the platform does ---- */

static void suspend(const char *tenant_id)
{
    struct call call = platform_call(&platform, platform.admin_token);
    Weft__Tenant__V1__SuspendTenantRequest request;
    const Weft__Tenant__V1__SuspendTenantResponse *response;

    weft__tenant__v1__suspend_tenant_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.reason = message_text("the bill");
    assert_status(
        tenant_peer_suspend_tenant(platform_peer(&platform, "tenant"), &call, &request, &response),
        STATUS_OK);
}

static void resume(const char *tenant_id)
{
    struct call call = platform_call(&platform, platform.admin_token);
    Weft__Tenant__V1__ResumeTenantRequest request;
    const Weft__Tenant__V1__ResumeTenantResponse *response;

    weft__tenant__v1__resume_tenant_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    assert_status(
        tenant_peer_resume_tenant(platform_peer(&platform, "tenant"), &call, &request, &response),
        STATUS_OK);
}

static void delete_tenant(const char *tenant_id)
{
    struct call call = platform_call(&platform, platform.admin_token);
    Weft__Tenant__V1__DeleteTenantRequest request;
    const Weft__Tenant__V1__DeleteTenantResponse *response;

    weft__tenant__v1__delete_tenant_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    assert_status(
        tenant_peer_delete_tenant(platform_peer(&platform, "tenant"), &call, &request, &response),
        STATUS_OK);
}

/* Asks until it is answered so. */
static status wait_for(status (*ask)(const char *token), const char *token, enum status_code code)
{
    int64_t until_ms = clock_monotonic_ms(&system_clock) + ENFORCED_MS;
    status s = ask(token);

    while (s.code != code && clock_monotonic_ms(&system_clock) < until_ms) {
        (void)usleep(EVERY_MS * 1000);
        s = ask(token);
    }
    assert_status(s, code);
    return s;
}

static void assert_reason(status s, const char *reason)
{
    assert_non_null(s.details);
    assert_non_null(s.details->info.reason);
    assert_string_equal(s.details->info.reason, reason);
}

/* ---- Tests ---- */

static status create_another(const char *token)
{
    static int n;

    return create_collection(token, "books", arena_printf(platform.host.arena, "c%d", n++));
}

static void a_suspended_tenant_reads_and_does_not_write_anywhere(void **state)
{
    (void)state;
    platform_make_tenant(&platform, "acme", (struct platform_limits){ 0 });
    const char *token = platform_make_account(&platform, "acme", "robot", "admin");
    assert_status(create_collection(token, "books", "all"), STATUS_OK);
    assert_status(enqueue(token), STATUS_OK);
    suspend("acme");
    assert_reason(wait_for(create_another, token, STATUS_FAILED_PRECONDITION), "TENANT_SUSPENDED");
    assert_reason(wait_for(enqueue, token, STATUS_FAILED_PRECONDITION), "TENANT_SUSPENDED");
    assert_status(list_collections(token), STATUS_OK);
    resume("acme");
    (void)wait_for(create_another, token, STATUS_OK);
    (void)wait_for(enqueue, token, STATUS_OK);
}

/* It was opened while all was well. */
static void a_stream_of_a_suspended_tenant_ends(void **state)
{
    struct pipe *pipe;
    int code = 0;

    (void)state;
    platform_make_tenant(&platform, "bravo", (struct platform_limits){ 0 });
    const char *token = platform_make_account(&platform, "bravo", "robot", "admin");
    assert_status(create_collection(token, "books", "all"), STATUS_OK);
    assert_status(open_upsert(token, &pipe), STATUS_OK);
    assert_status(upsert(pipe, "first", &code), STATUS_OK);
    suspend("bravo");
    (void)wait_for(create_another, token, STATUS_FAILED_PRECONDITION);
    assert_status(upsert(pipe, "second", &code), STATUS_FAILED_PRECONDITION);
    pipe_free(pipe);
}

static void a_deleted_tenant_is_nobody(void **state)
{
    (void)state;
    platform_make_tenant(&platform, "charlie", (struct platform_limits){ 0 });
    struct platform_key key = platform_make_key(&platform, "charlie", "robot", "admin");
    const char *token = "";
    assert_status(platform_exchange(&platform, key.secret, &token), STATUS_OK);
    assert_status(list_collections(token), STATUS_OK);
    delete_tenant("charlie");
    (void)wait_for(list_collections, token, STATUS_UNAUTHENTICATED);
    (void)wait_for(enqueue, token, STATUS_UNAUTHENTICATED);
    status s = platform_exchange(&platform, key.secret, &token);
    if (status_is_ok(s)) {
        fail_msg("a deleted tenant's key is still good for a token");
    }
}

static void a_plan_limits_projects_and_records(void **state)
{
    struct pipe *pipe;
    int code = 0;

    (void)state;
    platform_make_tenant(&platform, "delta",
                         (struct platform_limits){ .max_projects = 1, .max_records = 2 });
    const char *token = platform_make_account(&platform, "delta", "robot", "admin");
    assert_status(create_collection(token, "books", "all"), STATUS_OK);
    status s = create_collection(token, "films", "all");
    assert_status(s, STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(s.details);
    assert_string_equal(s.details->quota_subject, "tenant:delta");
    assert_status(open_upsert(token, &pipe), STATUS_OK);
    assert_status(upsert(pipe, "one", &code), STATUS_OK);
    assert_int_equal(code, STATUS_OK);
    assert_status(upsert(pipe, "two", &code), STATUS_OK);
    assert_int_equal(code, STATUS_OK);
    assert_status(upsert(pipe, "three", &code), STATUS_OK);
    assert_int_equal(code, STATUS_RESOURCE_EXHAUSTED);
    pipe_free(pipe);
}

/* 60 a minute, and ten seconds of it at once. */
static void a_plan_limits_requests(void **state)
{
    status s = status_ok();
    int n = 0;

    (void)state;
    platform_make_tenant(&platform, "echo1", (struct platform_limits){ .requests_per_minute = 60 });
    const char *token = platform_make_account(&platform, "echo1", "robot", "admin");
    while (n < 30 && status_is_ok(s)) {
        s = list_collections(token);
        n++;
    }
    assert_status(s, STATUS_RESOURCE_EXHAUSTED);
    assert_true(n > 10);
    assert_non_null(s.details);
    assert_string_equal(s.details->quota_description, "requests_per_minute");
    assert_true(s.details->retry_after_ms > 0);
}

static void a_revoked_key_stops_everywhere_with_a_receipt(void **state)
{
    struct call call = platform_call(&platform, platform.admin_token);
    Weft__Auth__V1__RevokeApiKeyRequest request;
    const Weft__Auth__V1__RevokeApiKeyResponse *response;
    const char *token = "";

    (void)state;
    platform_make_tenant(&platform, "foxtrot", (struct platform_limits){ 0 });
    struct platform_key key = platform_make_key(&platform, "foxtrot", "robot", "admin");
    assert_status(platform_exchange(&platform, key.secret, &token), STATUS_OK);
    assert_status(create_collection(token, "books", "all"), STATUS_OK);
    struct pipe *pipe;
    int code = 0;
    assert_status(open_upsert(token, &pipe), STATUS_OK);
    assert_status(upsert(pipe, "first", &code), STATUS_OK);
    struct pipe *watch = open_watch(token);
    weft__auth__v1__revoke_api_key_request__init(&request);
    request.tenant_id = message_text("foxtrot");
    request.key_id = message_text(key.key_id);
    assert_status(
        auth_peer_revoke_api_key(platform_peer(&platform, "auth"), &call, &request, &response),
        STATUS_OK);
    assert_int_equal(response->receipt->n_fenced, 0);
    assert_true(response->receipt->acknowledged >= 4); /* tenant, audit, search, scheduler */
    assert_int_equal(response->receipt->acknowledged, response->receipt->enforcement_points);
    /* By the receipt, at once. */
    assert_status(list_collections(token), STATUS_UNAUTHENTICATED);
    assert_status(enqueue(token), STATUS_UNAUTHENTICATED);
    assert_status(upsert(pipe, "second", &code), STATUS_UNAUTHENTICATED);
    pipe_free(pipe);
    /* By itself. */
    const ProtobufCMessage *message;
    assert_status(pipe_receive(watch, call.arena, HOST_PATIENCE_MS, &message),
                  STATUS_UNAUTHENTICATED);
    pipe_free(watch);
}

static void a_key_without_the_permission_is_told_which_it_lacks(void **state)
{
    (void)state;
    platform_make_tenant(&platform, "golf", (struct platform_limits){ 0 });
    const char *token = platform_make_account(&platform, "golf", "reader", "readonly");
    status s = create_collection(token, "books", "all");
    assert_status(s, STATUS_PERMISSION_DENIED);
    assert_reason(s, "PERMISSION_MISSING");
    assert_int_equal(s.details->info.n_metadata, 1);
    assert_string_equal(s.details->info.metadata[0][1], "project:books:collections:create");
}

/* ---- What a deleted tenant leaves ---- */

/* A collection with a document in it that is named after the tenant, and a job that nobody does. */
static void leave_something(const char *tenant_id)
{
    struct pipe *pipe;
    int code = 0;

    platform_make_tenant(&platform, tenant_id, (struct platform_limits){ 0 });
    const char *token = platform_make_account(&platform, tenant_id, "robot", "admin");
    assert_status(create_collection(token, "books", "all"), STATUS_OK);
    assert_status(enqueue(token), STATUS_OK);
    assert_status(open_upsert(token, &pipe), STATUS_OK);
    assert_status(
        upsert(pipe, arena_printf(platform.host.arena, "document-of-%s", tenant_id), &code),
        STATUS_OK);
    assert_int_equal(code, STATUS_OK);
    pipe_free(pipe);
}

/* Whether any file of the index holds the tenant's document. */
static bool is_on_disk(const char *tenant_id)
{
    static const char *const folders[] = { "log", "segments" };
    struct arena *arena = arena_new();
    const char *text = arena_printf(arena, "document-of-%s", tenant_id);
    bool found = false;
    struct disk_files index;

    assert_status(disk_files_init(&index, arena, host_path(&platform.host, "search/index")),
                  STATUS_OK);
    for (size_t folder = 0; folder < 2; folder++) {
        struct files_names names;
        assert_status(files_list(&index.files, arena, folders[folder], &names), STATUS_OK);
        for (size_t i = 0; i < names.n_names; i++) {
            const char *name = arena_printf(arena, "%s/%s", folders[folder], names.names[i]);
            bytes data = { 0 };
            status s = files_read(&index.files, arena, name, SIZE_MAX, &data);
            assert_true(status_is_ok(s) || s.code == STATUS_NOT_FOUND); /* removed meanwhile */
            found = found || memmem(data.data, data.size, text, strlen(text)) != NULL;
        }
    }
    disk_files_reset(&index);
    arena_free(arena);
    return found;
}

/* Of an action; texts may be "". */
static const Weft__Audit__V1__ListEventsResponse *events(const char *tenant_id, const char *actor,
                                                         const char *action, const char *target)
{
    struct call call = platform_call(&platform, platform.admin_token);
    Weft__Audit__V1__ListEventsRequest request;
    const Weft__Audit__V1__ListEventsResponse *response = NULL;

    weft__audit__v1__list_events_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    request.actor = message_text(actor);
    request.action = message_text(action);
    request.target = message_text(target);
    assert_status(
        audit_peer_list_events(platform_peer(&platform, "audit"), &call, &request, &response),
        STATUS_OK);
    return response;
}

static bool is_told(const char *service, const char *tenant_id)
{
    struct arena *arena = platform.host.arena;

    return events(PLATFORM_TENANT, arena_printf(arena, "spiffe://weft.local/%s", service),
                  "tenant.erase", arena_printf(arena, "tenant:%s", tenant_id))
               ->n_entries > 0;
}

static void wait_until_told(const char *service, const char *tenant_id)
{
    int64_t until_ms = clock_monotonic_ms(&system_clock) + HOST_PATIENCE_MS;

    while (!is_told(service, tenant_id)) {
        if (clock_monotonic_ms(&system_clock) > until_ms) {
            fail_msg("%s has not erased what '%s' has left", service, tenant_id);
        }
        (void)usleep(5 * EVERY_MS * 1000);
    }
}

static size_t n_accounts(const char *tenant_id)
{
    struct call call = platform_call(&platform, platform.admin_token);
    Weft__Auth__V1__ListServiceAccountsRequest request;
    const Weft__Auth__V1__ListServiceAccountsResponse *response;

    weft__auth__v1__list_service_accounts_request__init(&request);
    request.tenant_id = message_text(tenant_id);
    assert_status(auth_peer_list_service_accounts(platform_peer(&platform, "auth"), &call, &request,
                                                  &response),
                  STATUS_OK);
    return response->n_service_accounts;
}

static void a_deleted_tenant_leaves_nothing_and_another_all(void **state)
{
    (void)state;
    leave_something("hotel");
    leave_something("india");
    assert_true(is_on_disk("hotel"));
    delete_tenant("hotel");
    wait_until_told("search", "hotel");
    wait_until_told("scheduler", "hotel");
    wait_until_told("auth", "hotel");
    assert_false(is_on_disk("hotel"));
    assert_int_equal(n_accounts("hotel"), 0);
    assert_true(is_on_disk("india"));
    assert_int_equal(n_accounts("india"), 1);
    assert_false(is_told("search", "india"));
}

/* What it has done is known, until the key of who did it is destroyed. */
static void a_deleted_tenants_events_go_with_their_subject(void **state)
{
    Weft__Audit__V1__EraseSubjectRequest request;
    const Weft__Audit__V1__EraseSubjectResponse *response;
    struct call call;

    (void)state;
    leave_something("lima");
    delete_tenant("lima");
    wait_until_told("search", "lima"); /* behind its other events, which come in order */
    const Weft__Audit__V1__ListEventsResponse *before = events("lima", "", "collection.create", "");
    assert_int_equal(before->n_entries, 1);
    assert_non_null(before->entries[0]->event);
    weft__audit__v1__erase_subject_request__init(&request);
    request.tenant_id = message_text("lima");
    request.data_subject = before->entries[0]->event->actor;
    call = platform_call(&platform, platform.admin_token);
    assert_status(
        audit_peer_erase_subject(platform_peer(&platform, "audit"), &call, &request, &response),
        STATUS_OK);
    const Weft__Audit__V1__ListEventsResponse *after = events("lima", "", "collection.create", "");
    assert_int_equal(after->n_entries, 1);
    assert_null(after->entries[0]->event);
}

/* Stopped in order, so that the two are in one segment and not in the log. */
static void who_was_down_erases_when_it_is_back(void **state)
{
    (void)state;
    leave_something("juliett");
    leave_something("kilo");
    host_stop(&platform.host, "search", SIGTERM);
    host_stop(&platform.host, "scheduler", SIGKILL);
    delete_tenant("juliett");
    wait_until_told("auth", "juliett");
    assert_true(is_on_disk("juliett"));
    host_start(&platform.host, "search");
    host_start(&platform.host, "scheduler");
    wait_until_told("search", "juliett");
    wait_until_told("scheduler", "juliett");
    assert_false(is_on_disk("juliett"));
    assert_true(is_on_disk("kilo"));
    assert_int_equal(n_accounts("kilo"), 1);
    assert_false(is_told("search", "kilo"));
    assert_false(is_told("scheduler", "kilo"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_suspended_tenant_reads_and_does_not_write_anywhere),
        cmocka_unit_test(a_stream_of_a_suspended_tenant_ends),
        cmocka_unit_test(a_deleted_tenant_is_nobody),
        cmocka_unit_test(a_plan_limits_projects_and_records),
        cmocka_unit_test(a_plan_limits_requests),
        cmocka_unit_test(a_revoked_key_stops_everywhere_with_a_receipt),
        cmocka_unit_test(a_key_without_the_permission_is_told_which_it_lacks),
        cmocka_unit_test(a_deleted_tenant_leaves_nothing_and_another_all),
        cmocka_unit_test(a_deleted_tenants_events_go_with_their_subject),
        cmocka_unit_test(who_was_down_erases_when_it_is_back), /* the last: it stops services */
    };

    return cmocka_run_group_tests_name("tenancy_e2e", tests, set_up, tear_down);
}
