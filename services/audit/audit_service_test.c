#include "services/audit/audit_service.h"

#include "libs/audit/audit_leaf.h"
#include "libs/base/text.h"
#include "libs/peers/audit_peer.h"
#include "libs/rpc/message.h"
#include "libs/rpc/method_options.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/loopback_peer.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/test_call.h"
#include "libs/testing/test_stream.h"
#include "libs/tlog/tlog_proof.h"
#include "weft/audit/v1/audit_service_descriptors.h"

#include <string.h>

static const char *const everything[] = { "**" };

static const struct principal scheduler = {
    .tenant_id = PLATFORM_TENANT,
    .subject = "spiffe://weft.local/scheduler",
    .credential = CREDENTIAL_SVID,
};
static const struct principal admin = {
    .tenant_id = PLATFORM_TENANT,
    .subject = "user:root",
    .credential = CREDENTIAL_TOKEN,
    .permissions = everything,
    .n_permissions = 1,
};
/* May do everything, but in its own tenant. */
static const struct principal ada = {
    .tenant_id = "acme",
    .subject = "user:ada",
    .credential = CREDENTIAL_TOKEN,
    .permissions = everything,
    .n_permissions = 1,
};

struct fixture {
    struct crash_files log_files;
    struct crash_files key_files;
    struct fake_clock clock;
    struct seeded_random random;
    struct store *store;
    struct audit_engine *engine;
    struct audit_service *service;
    struct loopback_peer loopback;
    struct peer *peer;
    struct call call;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .peer = &f.loopback.peer, .call = test_call() };
    crash_files_init(&f.log_files);
    crash_files_init(&f.key_files);
    fake_clock_init(&f.clock, 1700000000000);
    seeded_random_init(&f.random, 3);
    assert_status(store_open(f.call.arena, ":memory:", &f.store), STATUS_OK);
    assert_status(audit_engine_migrate(f.store, f.call.arena), STATUS_OK);
    assert_status(audit_engine_open(
                      &(struct audit_engine_options){
                          .log_files = &f.log_files.files,
                          .key_files = &f.key_files.files,
                          .store = f.store,
                          .origin = "audit.example/test",
                          .clock = &f.clock.clock,
                          .random = &f.random.source,
                      },
                      f.call.arena, &f.engine),
                  STATUS_OK);
    f.service = audit_service_new(&(struct audit_service_options){
        .engine = f.engine, .clock = &f.clock.clock, .random = &f.random.source });
    loopback_peer_init(&f.loopback, &audit_service_methods, f.service);
    f.call.principal = &scheduler;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    audit_service_free(f->service);
    audit_engine_close(f->engine);
    store_close(f->store);
    crash_files_reset(&f->log_files);
    crash_files_reset(&f->key_files);
    arena_free(f->call.arena);
    return 0;
}

static Weft__Audit__V1__Event *event_of(struct fixture *f, const char *id, const char *tenant_id)
{
    Weft__Audit__V1__Event *event = ARENA_NEW(f->call.arena, Weft__Audit__V1__Event);

    weft__audit__v1__event__init(event);
    event->event_id = message_text(id);
    event->tenant_id = message_text(tenant_id);
    event->actor = message_text("user:bob");
    event->action = message_text("job.cancel");
    event->target = message_text("job:7");
    event->outcome = WEFT__AUDIT__V1__OUTCOME__OUTCOME_DENIED;
    event->service = message_text("claimed");
    return event;
}

static status append(struct fixture *f, Weft__Audit__V1__Event *event, int64_t *ret_index)
{
    Weft__Audit__V1__AppendEventRequest request;
    const Weft__Audit__V1__AppendEventResponse *response;

    weft__audit__v1__append_event_request__init(&request);
    request.event = event;
    TRY(audit_peer_append_event(f->peer, &f->call, &request, &response));
    *ret_index = response->index;
    return status_ok();
}

static void must_append(struct fixture *f, const char *id, const char *tenant_id)
{
    const struct principal *before = f->call.principal;
    int64_t index;

    f->call.principal = &scheduler;
    assert_status(append(f, event_of(f, id, tenant_id), &index), STATUS_OK);
    f->call.principal = before;
}

static status get(struct fixture *f, const char *id,
                  const Weft__Audit__V1__GetEventResponse **ret_response)
{
    Weft__Audit__V1__GetEventRequest request;

    weft__audit__v1__get_event_request__init(&request);
    request.event_id = message_text(id);
    return audit_peer_get_event(f->peer, &f->call, &request, ret_response);
}

static status list(struct fixture *f, const Weft__Audit__V1__ListEventsRequest *request,
                   const Weft__Audit__V1__ListEventsResponse **ret_response)
{
    return audit_peer_list_events(f->peer, &f->call, request, ret_response);
}

static Weft__Audit__V1__ListEventsRequest all(void)
{
    Weft__Audit__V1__ListEventsRequest request;

    weft__audit__v1__list_events_request__init(&request);
    return request;
}

/* The actions of what is found, newest first, each followed by a space. */
static const char *actions(struct fixture *f, const Weft__Audit__V1__ListEventsRequest *request)
{
    const Weft__Audit__V1__ListEventsResponse *response;
    struct text text = text_new(f->call.arena);

    assert_status(list(f, request, &response), STATUS_OK);
    for (size_t i = 0; i < response->n_entries; i++) {
        const Weft__Audit__V1__Event *event = response->entries[i]->event;
        text_add(&text, "%s ", event != NULL ? event->action : "?");
    }
    return text_string(&text);
}

/* ---- Appending ---- */

static void a_member_of_the_mesh_appends_for_every_tenant_in_its_own_name(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetEventResponse *response;
    Weft__Audit__V1__Event *event = event_of(f, "e1", "acme");
    Google__Protobuf__Timestamp time;
    int64_t index;

    google__protobuf__timestamp__init(&time);
    time.seconds = 1600000000;
    time.nanos = 250000000;
    event->time = &time;
    assert_status(append(f, event, &index), STATUS_OK);
    assert_int_equal(index, 0);
    assert_status(append(f, event, &index), STATUS_OK); /* again, by a relay that died */
    assert_int_equal(index, 0);
    f->call.principal = &ada;
    assert_status(get(f, "e1", &response), STATUS_OK);
    assert_string_equal(response->entry->event->actor, "user:bob");
    assert_string_equal(response->entry->event->service, "scheduler");
    assert_int_equal(response->entry->event->outcome, WEFT__AUDIT__V1__OUTCOME__OUTCOME_DENIED);
    assert_int_equal(response->entry->event->time->seconds, 1600000000);
    assert_int_equal(response->entry->event->time->nanos, 250000000);
    assert_int_equal(response->entry->append_time->seconds, 1700000000);
}

static void a_token_appends_for_its_own_tenant_alone(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetEventResponse *response;
    int64_t index;

    f->call.principal = &ada;
    assert_status(append(f, event_of(f, "e1", ""), &index), STATUS_OK);
    assert_status(append(f, event_of(f, "e2", "globex"), &index), STATUS_PERMISSION_DENIED);
    assert_status(get(f, "e1", &response), STATUS_OK);
    assert_string_equal(response->entry->event->tenant_id, "acme");
    assert_string_equal(response->entry->event->service, "user:ada");
}

static void what_is_no_event_is_refused_by_its_field(void **state)
{
    struct fixture *f = *state;
    Weft__Audit__V1__Event *event = event_of(f, "e1", "acme");
    Google__Protobuf__Timestamp time;
    int64_t index;

    assert_status(append(f, NULL, &index), STATUS_INVALID_ARGUMENT);
    event->outcome = WEFT__AUDIT__V1__OUTCOME__OUTCOME_UNSPECIFIED;
    assert_status(append(f, event, &index), STATUS_INVALID_ARGUMENT);
    event->outcome = WEFT__AUDIT__V1__OUTCOME__OUTCOME_DONE;
    google__protobuf__timestamp__init(&time);
    time.nanos = -1;
    event->time = &time;
    status s = append(f, event, &index);
    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.message, "time is not a time from 1970 to 9999");
}

static status append_many(struct fixture *f, size_t n,
                          const Weft__Audit__V1__AppendEventsResponse **ret_response)
{
    Weft__Audit__V1__AppendEventsRequest request;

    weft__audit__v1__append_events_request__init(&request);
    request.n_events = n;
    request.events = ARENA_NEW_ARRAY(f->call.arena, Weft__Audit__V1__Event *, n);
    for (size_t i = 0; i < n; i++) {
        request.events[i] = event_of(f, arena_printf(f->call.arena, "many-%zu", i), "acme");
    }
    return audit_peer_append_events(f->peer, &f->call, &request, ret_response);
}

static void a_batch_gives_an_index_for_each(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__AppendEventsResponse *response;

    assert_status(append_many(f, 0, &response), STATUS_OK);
    assert_int_equal(response->n_indices, 0);
    assert_status(append_many(f, 1000, &response), STATUS_OK);
    assert_int_equal(response->n_indices, 1000);
    assert_int_equal(response->indices[999], 999);
    assert_status(append_many(f, 1001, &response), STATUS_INVALID_ARGUMENT);
}

static void a_stream_answers_each_request_when_it_is_durable(void **state)
{
    struct fixture *f = *state;
    Weft__Audit__V1__StreamEventsRequest request;
    Weft__Audit__V1__Event *events[2] = { event_of(f, "e1", "acme"), event_of(f, "e2", "acme") };
    struct test_stream stream;

    test_stream_init(&stream, &audit_service_methods, "StreamEvents", f->service, &f->call);
    weft__audit__v1__stream_events_request__init(&request);
    request.events = events;
    request.n_events = 2;
    for (int64_t round = 0; round < 2; round++) {
        assert_status(test_stream_message(&stream, &request.base), STATUS_OK);
        const Weft__Audit__V1__StreamEventsResponse *response =
            (const Weft__Audit__V1__StreamEventsResponse *)test_stream_take(&stream);
        assert_non_null(response);
        assert_int_equal(response->n_indices, 2);
        assert_int_equal(response->indices[1], 1); /* the same, sent again */
    }
    f->log_files.full = true;
    events[0] = event_of(f, "e3", "acme");
    assert_status(test_stream_message(&stream, &request.base), STATUS_RESOURCE_EXHAUSTED);
    f->log_files.full = false;
    test_stream_close(&stream);
}

static void a_stream_ends_when_its_caller_has_ended(void **state)
{
    struct fixture *f = *state;
    Weft__Audit__V1__StreamEventsRequest request;
    struct test_stream stream;

    test_stream_init(&stream, &audit_service_methods, "StreamEvents", f->service, &f->call);
    weft__audit__v1__stream_events_request__init(&request);
    assert_status(test_stream_message(&stream, &request.base), STATUS_OK);
    assert_status(test_stream_half_close(&stream), STATUS_OK);
    assert_true(stream.ended);
    test_stream_close(&stream);
}

/* ---- Reading ---- */

static void what_get_answers_verifies_off_line(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetEventResponse *response;
    struct note_verifier verifier;
    struct tlog_proof proof;
    struct checkpoint checkpoint;
    struct aead_key key;
    bytes text;

    must_append(f, "e1", "acme");
    f->call.principal = &ada;
    assert_status(get(f, "e1", &response), STATUS_OK);
    const bytes leaf = { response->leaf.data, response->leaf.len };
    assert_status(note_verifier_parse(f->call.arena, bytes_of(audit_engine_verifier_key(f->engine)),
                                      &verifier),
                  STATUS_OK);
    assert_status(tlog_proof_parse(f->call.arena, bytes_of(response->proof_bundle), &proof),
                  STATUS_OK);
    assert_status(tlog_proof_verify(f->call.arena, &proof, leaf, &verifier, &checkpoint),
                  STATUS_OK);
    assert_int_equal(response->leaf_key.len, AEAD_KEY_SIZE);
    memcpy(key.data, response->leaf_key.data, AEAD_KEY_SIZE);
    assert_status(audit_leaf_open_text(f->call.arena, &key, leaf, &text), STATUS_OK);
    assert_non_null(strstr((const char *)text.data, "job.cancel"));
}

static void another_tenants_events_are_not_there(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetEventResponse *response;
    const Weft__Audit__V1__ListEventsResponse *page;
    Weft__Audit__V1__ListEventsRequest request = all();

    must_append(f, "e1", "globex");
    f->call.principal = &ada;
    assert_status(get(f, "e1", &response), STATUS_NOT_FOUND);
    assert_string_equal(actions(f, &request), "");
    request.tenant_id = message_text("globex");
    assert_status(list(f, &request, &page), STATUS_PERMISSION_DENIED);
}

static void the_platform_reads_every_tenant(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetEventResponse *response;
    Weft__Audit__V1__ListEventsRequest request = all();

    must_append(f, "e1", "globex");
    must_append(f, "e2", "acme");
    f->call.principal = &admin;
    assert_string_equal(actions(f, &request), "job.cancel job.cancel ");
    request.tenant_id = message_text("globex");
    assert_string_equal(actions(f, &request), "job.cancel ");
    assert_status(get(f, "e1", &response), STATUS_OK);
}

static void reads_are_seen_by_the_tenant_that_was_read(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetEventResponse *response;
    const Weft__Audit__V1__ListEventsResponse *page;
    Weft__Audit__V1__ListEventsRequest request = all();

    must_append(f, "e1", "acme");
    f->call.principal = &admin;
    assert_status(get(f, "e1", &response), STATUS_OK);
    request.tenant_id = message_text("acme");
    assert_string_equal(actions(f, &request), "audit.event.read job.cancel ");
    f->call.principal = &ada;
    request.actor = message_text("user:root");
    assert_status(list(f, &request, &page), STATUS_OK);
    assert_int_equal(page->n_entries, 2);
    assert_string_equal(page->entries[0]->event->action, "audit.events.list");
    assert_string_equal(page->entries[1]->event->target, "event:e1");
}

static void what_cannot_be_audited_is_not_shown(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetEventResponse *response;
    const Weft__Audit__V1__ListEventsResponse *page;
    const Weft__Audit__V1__ListEventsRequest request = all();

    must_append(f, "e1", "acme");
    f->call.principal = &ada;
    assert_status(get(f, "e1", &response), STATUS_OK);
    f->log_files.full = true;
    assert_status(get(f, "e1", &response), STATUS_RESOURCE_EXHAUSTED);
    assert_status(list(f, &request, &page), STATUS_RESOURCE_EXHAUSTED);
    f->log_files.full = false;
}

static void pages_go_on_with_the_same_filters_alone(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__ListEventsResponse *page;
    Weft__Audit__V1__ListEventsRequest request = all();

    must_append(f, "e1", "acme");
    must_append(f, "e2", "acme");
    must_append(f, "e3", "acme");
    f->call.principal = &ada;
    request.action = message_text("job.cancel");
    request.page_size = 2;
    assert_status(list(f, &request, &page), STATUS_OK);
    assert_int_equal(page->n_entries, 2);
    assert_string_equal(page->entries[0]->event->event_id, "e3");
    request.page_token = page->next_page_token;
    assert_status(list(f, &request, &page), STATUS_OK);
    assert_int_equal(page->n_entries, 1);
    assert_string_equal(page->entries[0]->event->event_id, "e1");
    assert_string_equal(page->next_page_token, "");

    request.action = message_text("job.run");
    assert_status(list(f, &request, &page), STATUS_INVALID_ARGUMENT);
    static const char *const tokens[] = { "x", "1", "1.", "1.2", "1.2.", "01.2.3", "-1.2.3" };
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        request.page_token = message_text(tokens[i]);
        assert_status(list(f, &request, &page), STATUS_INVALID_ARGUMENT);
    }
}

static void list_refuses_what_it_should(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__ListEventsResponse *page;
    Weft__Audit__V1__ListEventsRequest request = all();
    Google__Protobuf__Timestamp time;
    char *text = arena_alloc(f->call.arena, 2050);

    f->call.principal = &ada;
    memset(text, 'x', 2049);
    request.page_size = -1;
    assert_status(list(f, &request, &page), STATUS_INVALID_ARGUMENT);
    request = all();
    request.actor = text;
    assert_status(list(f, &request, &page), STATUS_INVALID_ARGUMENT);
    request = all();
    request.action = text + 2049 - 129;
    assert_status(list(f, &request, &page), STATUS_INVALID_ARGUMENT);
    request = all();
    request.target = text + 2049 - 1025;
    assert_status(list(f, &request, &page), STATUS_INVALID_ARGUMENT);
    request = all();
    google__protobuf__timestamp__init(&time);
    time.seconds = -1;
    request.end_time = &time;
    assert_status(list(f, &request, &page), STATUS_INVALID_ARGUMENT);
    request = all();
    request.page_size = 100000; /* cut, not refused */
    assert_status(list(f, &request, &page), STATUS_OK);
    f->call.principal = &admin;
    request.actor = message_text("user:ada"); /* of which tenant? */
    assert_status(list(f, &request, &page), STATUS_INVALID_ARGUMENT);
}

static void an_event_id_that_is_none_is_said(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetEventResponse *response;

    assert_status(get(f, "", &response), STATUS_INVALID_ARGUMENT);
    assert_status(get(f, "a b", &response), STATUS_INVALID_ARGUMENT);
    assert_status(get(f, "unknown", &response), STATUS_NOT_FOUND);
}

/* ---- The log ---- */

static const Weft__Audit__V1__GetCheckpointResponse *checkpoint_of(struct fixture *f)
{
    Weft__Audit__V1__GetCheckpointRequest request;
    const Weft__Audit__V1__GetCheckpointResponse *response;

    weft__audit__v1__get_checkpoint_request__init(&request);
    assert_status(audit_peer_get_checkpoint(f->peer, &f->call, &request, &response), STATUS_OK);
    return response;
}

static void open_checkpoint(struct fixture *f, const char *text, struct checkpoint *ret_checkpoint)
{
    struct note_verifier verifier;

    assert_status(
        note_verifier_parse(f->call.arena, bytes_of(checkpoint_of(f)->verifier_key), &verifier),
        STATUS_OK);
    assert_status(checkpoint_open(f->call.arena, bytes_of(text), &verifier, ret_checkpoint),
                  STATUS_OK);
}

static status prove(struct fixture *f, int64_t old_size, int64_t new_size,
                    const Weft__Audit__V1__GetConsistencyProofResponse **ret_response)
{
    Weft__Audit__V1__GetConsistencyProofRequest request;

    weft__audit__v1__get_consistency_proof_request__init(&request);
    request.old_size = old_size;
    request.new_size = new_size;
    return audit_peer_get_consistency_proof(f->peer, &f->call, &request, ret_response);
}

static void checkpoints_are_proved_consistent(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetConsistencyProofResponse *response;
    struct checkpoint before;
    struct checkpoint after;
    struct sha256 hashes[8];

    must_append(f, "e1", "acme");
    must_append(f, "e2", "acme");
    must_append(f, "e3", "acme");
    open_checkpoint(f, checkpoint_of(f)->checkpoint, &before);
    must_append(f, "e4", "acme");
    open_checkpoint(f, checkpoint_of(f)->checkpoint, &after);
    assert_status(prove(f, 3, 0, &response), STATUS_OK);
    assert_int_equal(response->new_size, 4);
    for (size_t i = 0; i < response->n_hashes; i++) {
        memcpy(hashes[i].data, response->hashes[i].data, SHA256_SIZE);
    }
    assert_true(merkle_check_consistency(&before.tree, &after.tree,
                                         &(struct merkle_path){ hashes, response->n_hashes }));
    static const int64_t wrong[][2] = { { 0, 0 }, { -1, 0 }, { 1, -1 }, { 4, 3 }, { 3, 5 } };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_status(prove(f, wrong[i][0], wrong[i][1], &response), STATUS_INVALID_ARGUMENT);
    }
}

/* ---- Forgetting ---- */

static status erase(struct fixture *f, const char *subject)
{
    Weft__Audit__V1__EraseSubjectRequest request;
    const Weft__Audit__V1__EraseSubjectResponse *response;

    weft__audit__v1__erase_subject_request__init(&request);
    request.tenant_id = message_text("acme");
    request.data_subject = message_text(subject);
    return audit_peer_erase_subject(f->peer, &f->call, &request, &response);
}

static void an_erasure_is_told_without_the_name(void **state)
{
    struct fixture *f = *state;
    const Weft__Audit__V1__GetEventResponse *response;
    Weft__Audit__V1__ListEventsRequest request = all();
    const Weft__Audit__V1__ListEventsResponse *page;

    must_append(f, "e1", "acme"); /* of user:bob */
    f->call.principal = &ada;
    assert_status(erase(f, "user:bob"), STATUS_OK);
    assert_status(get(f, "e1", &response), STATUS_OK);
    assert_null(response->entry->event);
    assert_int_equal(response->leaf_key.len, 0);
    assert_true(response->proof_bundle[0] != '\0');
    request.action = message_text("audit.subject.erase");
    assert_status(list(f, &request, &page), STATUS_OK);
    assert_int_equal(page->n_entries, 2);
    assert_string_equal(page->entries[0]->event->details[0]->value, "erased");
    assert_string_equal(page->entries[1]->event->details[0]->value, "asked");
    assert_null(strstr(page->entries[0]->event->target, "bob"));
    assert_status(erase(f, "user:bob"), STATUS_NOT_FOUND);
    assert_status(erase(f, ""), STATUS_INVALID_ARGUMENT);
}

/* ---- The table ---- */

static void every_rpc_has_a_handler_and_says_who_may_call_it(void **state)
{
    struct fixture *f = *state;
    const ProtobufCServiceDescriptor *descriptor = audit_service_methods.descriptor;
    struct method_options options;

    assert_null(service_first_unhandled(&audit_service_methods));
    for (unsigned i = 0; i < descriptor->n_methods; i++) {
        assert_status(method_options_read(f->call.arena, audit_service_descriptors,
                                          descriptor->name, descriptor->methods[i].name, &options),
                      STATUS_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_of_the_mesh_appends_for_every_tenant_in_its_own_name),
        TEST(a_token_appends_for_its_own_tenant_alone),
        TEST(what_is_no_event_is_refused_by_its_field),
        TEST(a_batch_gives_an_index_for_each),
        TEST(a_stream_answers_each_request_when_it_is_durable),
        TEST(a_stream_ends_when_its_caller_has_ended),
        TEST(what_get_answers_verifies_off_line),
        TEST(another_tenants_events_are_not_there),
        TEST(the_platform_reads_every_tenant),
        TEST(reads_are_seen_by_the_tenant_that_was_read),
        TEST(what_cannot_be_audited_is_not_shown),
        TEST(pages_go_on_with_the_same_filters_alone),
        TEST(list_refuses_what_it_should),
        TEST(an_event_id_that_is_none_is_said),
        TEST(checkpoints_are_proved_consistent),
        TEST(an_erasure_is_told_without_the_name),
        TEST(every_rpc_has_a_handler_and_says_who_may_call_it),
    };

    return cmocka_run_group_tests_name("audit_service", tests, NULL, NULL);
}
