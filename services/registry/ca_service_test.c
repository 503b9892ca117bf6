#include "services/registry/ca_service.h"

#include "libs/audit/outbox.h"
#include "libs/base/text.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"
#include "libs/mesh/identity.h"
#include "libs/peers/ca_peer.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/loopback_peer.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/test_call.h"
#include "libs/testing/test_stream.h"
#include "services/registry/founding.h"

#include <string.h>

struct fixture {
    struct fake_clock clock;
    struct seeded_random random;
    struct crash_files files;
    struct crash_files svid_files;
    struct failing_store store;
    struct ca *ca;
    struct entries *entries;
    struct ca_service *service;
    struct loopback_peer loopback;
    struct peer *peer;
    struct call call;
    struct p256_key *key;
    bytes csr;
    struct founding founding;
};

static void open_store(struct fixture *f)
{
    struct store *real;

    assert_status(store_open(f->call.arena, ":memory:", &real), STATUS_OK);
    assert_status(outbox_migrate(real, f->call.arena), STATUS_OK);
    failing_store_init(&f->store, real);
    assert_status(ca_open(f->call.arena,
                          &(struct ca_options){ .files = &f->files.files,
                                                .store = &f->store.store,
                                                .clock = &f->clock.clock,
                                                .random = &f->random.source,
                                                .trust_domain = "weft" },
                          &f->ca),
                  STATUS_OK);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .call = test_call(), .peer = &f.loopback.peer };
    fake_clock_init(&f.clock, 1795000000000);
    seeded_random_init(&f.random, 5);
    crash_files_init(&f.files);
    crash_files_init(&f.svid_files);
    open_store(&f);
    f.entries = entries_new("weft");
    assert_status(entries_load(f.entries, f.call.arena,
                               bytes_of("[{\"spiffe_id\":\"spiffe://weft/tenant\","
                                        "\"dns\":[\"tenant\"],\"uid\":7,\"path\":\"/t\"}]")),
                  STATUS_OK);
    f.service = ca_service_new(&(struct ca_service_options){
        .ca = f.ca, .entries = f.entries, .store = &f.store.store, .clock = &f.clock.clock });
    loopback_peer_init(&f.loopback, &ca_service_methods, f.service);
    f.key = p256_key_generate(&f.random.source);
    assert_status(x509_make_request(f.call.arena, &f.random.source, f.key, &f.csr), STATUS_OK);
    f.founding = (struct founding){
        .files = &f.files.files,
        .svid_files = &f.svid_files.files,
        .ca = f.ca,
        .store = &f.store.store,
        .clock = &f.clock.clock,
        .random = &f.random.source,
        .trust_domain = "weft",
    };
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    p256_key_free(f->key);
    ca_service_free(f->service);
    entries_free(f->entries);
    ca_close(f->ca);
    store_close(&f->store.store);
    crash_files_reset(&f->files);
    crash_files_reset(&f->svid_files);
    arena_free(f->call.arena);
    return 0;
}

/* The token that the registry wrote for its first agent. */
static const char *token_of(struct fixture *f)
{
    bytes text;

    assert_status(founding_write_join_token(&f->founding, f->call.arena), STATUS_OK);
    assert_status(files_read(&f->files.files, f->call.arena, "join_token", 256, &text), STATUS_OK);
    return arena_printf(f->call.arena, "%.*s", (int)text.size - 1, (const char *)text.data);
}

static status attest(struct fixture *f, const char *token, bytes csr,
                     const Weft__Registry__V1__Svid **ret_svid)
{
    const Weft__Registry__V1__AttestAgentResponse *response;
    Weft__Registry__V1__AttestAgentRequest request;

    weft__registry__v1__attest_agent_request__init(&request);
    request.host_id = message_text("host-1");
    request.csr = message_data(csr);
    if (token != NULL) {
        request.proof_case = WEFT__REGISTRY__V1__ATTEST_AGENT_REQUEST__PROOF_JOIN_TOKEN;
        request.join_token = message_text(token);
    }
    TRY(ca_peer_attest_agent(f->peer, &f->call, &request, &response));
    *ret_svid = response->svid;
    return status_ok();
}

/* Whose SVID it is, if it is to be believed now. */
static struct x509_certificate believed(struct fixture *f, const Weft__Registry__V1__Svid *svid)
{
    struct x509_certificate certificate;

    assert_status(
        x509_verify(f->call.arena,
                    &(struct x509_verify_options){
                        .chain = { svid->certificate_chain.data, svid->certificate_chain.len },
                        .bundle = { svid->bundle.data, svid->bundle.len },
                        .trust_domain = "weft",
                        .now_ms = f->clock.wall_ms,
                    },
                    &certificate),
        STATUS_OK);
    return certificate;
}

static int64_t n_events(struct fixture *f, const char *action)
{
    const struct audit_event *events;
    size_t n;
    int64_t found = 0;

    assert_status(outbox_read(&f->store.store, f->call.arena, 100, &events, &n), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        found += strcmp(events[i].action, action) == 0 ? 1 : 0;
    }
    return found;
}

static void a_join_token_makes_a_host_a_member_once(void **state)
{
    struct fixture *f = *state;
    const Weft__Registry__V1__Svid *svid;
    const char *token = token_of(f);

    assert_status(attest(f, token, f->csr, &svid), STATUS_OK);
    assert_string_equal(believed(f, svid).id.text, "spiffe://weft/agent/host-1");
    assert_int_equal(svid->expire_time->seconds, (f->clock.wall_ms + CA_SVID_LIFETIME_MS) / 1000);
    assert_int_equal(n_events(f, "agent.attest"), 1);
    assert_status(attest(f, token, f->csr, &svid), STATUS_UNAUTHENTICATED);
    assert_int_equal(n_events(f, "agent.attest"), 1);
}

static void what_was_not_committed_is_not_given_away(void **state)
{
    struct fixture *f = *state;
    const Weft__Registry__V1__Svid *svid;
    const char *token = token_of(f);

    f->store.fail_commit = 1;
    assert_status(attest(f, token, f->csr, &svid), STATUS_UNAVAILABLE);
    assert_status(attest(f, token, f->csr, &svid), STATUS_OK); /* not used up */
}

static void whoever_proves_nothing_is_refused(void **state)
{
    struct fixture *f = *state;
    const Weft__Registry__V1__Svid *svid;

    assert_status(attest(f, NULL, f->csr, &svid), STATUS_INVALID_ARGUMENT);
    assert_status(attest(f, "weft_join_x", f->csr, &svid), STATUS_UNAUTHENTICATED);
    assert_status(attest(f, token_of(f), bytes_of("no request"), &svid), STATUS_INVALID_ARGUMENT);
}

static void a_host_whose_certificate_expired_comes_back_by_its_key(void **state)
{
    struct fixture *f = *state;
    const Weft__Registry__V1__Svid *svid;
    const Weft__Registry__V1__AttestAgentResponse *response;
    Weft__Registry__V1__AttestAgentRequest request;
    Weft__Registry__V1__ExpiredSvid proof;
    uint8_t signature[P256_SIGNATURE_BYTES];

    assert_status(attest(f, token_of(f), f->csr, &svid), STATUS_OK);
    fake_clock_advance_ms(&f->clock, 3 * CA_DAY_MS);
    p256_sign(f->key, ca_proof_text(f->call.arena, "host-1", f->csr, f->clock.wall_ms), signature);
    weft__registry__v1__expired_svid__init(&proof);
    proof.certificate = svid->certificate_chain;
    proof.signature = message_data((bytes){ signature, sizeof signature });
    proof.time_ms = f->clock.wall_ms;
    weft__registry__v1__attest_agent_request__init(&request);
    request.host_id = message_text("host-1");
    request.csr = message_data(f->csr);
    request.proof_case = WEFT__REGISTRY__V1__ATTEST_AGENT_REQUEST__PROOF_EXPIRED_SVID;
    request.expired_svid = &proof;
    assert_status(ca_peer_attest_agent(f->peer, &f->call, &request, &response), STATUS_OK);
    assert_string_equal(believed(f, response->svid).id.text, "spiffe://weft/agent/host-1");
    signature[10] ^= 1;
    assert_status(ca_peer_attest_agent(f->peer, &f->call, &request, &response),
                  STATUS_UNAUTHENTICATED);
}

static void a_workload_gets_what_its_entry_says(void **state)
{
    struct fixture *f = *state;
    const Weft__Registry__V1__SignWorkloadResponse *response;
    Weft__Registry__V1__SignWorkloadRequest request;

    weft__registry__v1__sign_workload_request__init(&request);
    request.spiffe_id = message_text("spiffe://weft/tenant");
    request.csr = message_data(f->csr);
    assert_status(ca_peer_sign_workload(f->peer, &f->call, &request, &response), STATUS_OK);
    struct x509_certificate certificate = believed(f, response->svid);
    assert_string_equal(certificate.id.text, "spiffe://weft/tenant");
    assert_int_equal(certificate.n_dns_names, 1);
    assert_string_equal(certificate.dns_names[0], "tenant");
    request.spiffe_id = message_text("spiffe://weft/search");
    assert_status(ca_peer_sign_workload(f->peer, &f->call, &request, &response), STATUS_NOT_FOUND);
    request.spiffe_id = message_text("spiffe://weft/tenant");
    f->store.fail_commit = 1;
    assert_status(ca_peer_sign_workload(f->peer, &f->call, &request, &response),
                  STATUS_UNAVAILABLE);
}

static void an_agent_renews_its_own_and_nobody_elses(void **state)
{
    struct fixture *f = *state;
    const Weft__Registry__V1__RenewAgentResponse *response;
    Weft__Registry__V1__RenewAgentRequest request;

    weft__registry__v1__renew_agent_request__init(&request);
    request.csr = message_data(f->csr);
    f->call.peer_id = "spiffe://weft/agent/host-1";
    assert_status(ca_peer_renew_agent(f->peer, &f->call, &request, &response), STATUS_OK);
    assert_string_equal(believed(f, response->svid).id.text, "spiffe://weft/agent/host-1");
    f->call.peer_id = "spiffe://weft/tenant";
    assert_status(ca_peer_renew_agent(f->peer, &f->call, &request, &response),
                  STATUS_PERMISSION_DENIED);
}

static void entries_and_bundle_come_now_and_at_each_change(void **state)
{
    struct fixture *f = *state;
    struct test_stream stream;
    Weft__Registry__V1__WatchEntriesRequest request;

    test_stream_init(&stream, &ca_service_methods, "WatchEntries", f->service, &f->call);
    weft__registry__v1__watch_entries_request__init(&request);
    assert_status(test_stream_message(&stream, &request.base), STATUS_OK);
    const Weft__Registry__V1__WatchEntriesResponse *response =
        (const Weft__Registry__V1__WatchEntriesResponse *)test_stream_take(&stream);
    assert_int_equal(response->n_entries, 1);
    assert_string_equal(response->entries[0]->spiffe_id, "spiffe://weft/tenant");
    assert_int_equal(response->entries[0]->n_selectors, 2);
    assert_int_equal(response->entries[0]->selectors[0]->kind,
                     WEFT__REGISTRY__V1__SELECTOR_KIND__SELECTOR_KIND_UID);
    assert_string_equal(response->entries[0]->selectors[0]->value, "7");
    bytes bundle = ca_bundle(f->ca, f->call.arena);
    assert_int_equal(response->bundle.len, bundle.size);
    assert_status(test_stream_half_close(&stream), STATUS_OK); /* it goes on listening */
    assert_null(test_stream_take(&stream));
    uint64_t revision = response->revision;
    stream.is_full = true;
    entries_touch(f->entries);
    assert_status(test_stream_wake(&stream), STATUS_OK);
    assert_null(test_stream_take(&stream));
    stream.is_full = false;
    assert_status(test_stream_writable(&stream), STATUS_OK);
    response = (const Weft__Registry__V1__WatchEntriesResponse *)test_stream_take(&stream);
    assert_true(response->revision > revision);
    test_stream_close(&stream);
}

/* ---- Founding ---- */

static void the_registry_issues_its_own_identity(void **state)
{
    struct fixture *f = *state;
    bytes pem;
    bytes chain;
    struct x509_certificate certificate;

    assert_status(founding_issue_own_svid(&f->founding, f->call.arena), STATUS_OK);
    assert_status(files_read(&f->svid_files.files, f->call.arena, IDENTITY_SVID_FILE, 65536, &pem),
                  STATUS_OK);
    assert_status(x509_from_pem(f->call.arena, pem, &chain), STATUS_OK);
    assert_status(x509_verify(f->call.arena,
                              &(struct x509_verify_options){
                                  .chain = chain,
                                  .bundle = ca_bundle(f->ca, f->call.arena),
                                  .trust_domain = "weft",
                                  .now_ms = f->clock.wall_ms,
                              },
                              &certificate),
                  STATUS_OK);
    assert_string_equal(certificate.id.text, "spiffe://weft/registry");
    f->store.fail_commit = 1;
    assert_status(founding_issue_own_svid(&f->founding, f->call.arena), STATUS_UNAVAILABLE);
}

static void agents_are_given_the_bundle_that_is_believed(void **state)
{
    struct fixture *f = *state;
    bytes pem;
    bytes bundle;

    assert_status(founding_write_bundle(&f->founding, f->call.arena), STATUS_OK);
    assert_status(files_read(&f->files.files, f->call.arena, "bundle.pem", 65536, &pem), STATUS_OK);
    assert_status(x509_from_pem(f->call.arena, pem, &bundle), STATUS_OK);
    bytes believed_bundle = ca_bundle(f->ca, f->call.arena);
    assert_int_equal(bundle.size, believed_bundle.size);
    assert_memory_equal(bundle.data, believed_bundle.data, bundle.size);
}

static void a_join_token_is_good_for_an_hour(void **state)
{
    struct fixture *f = *state;
    const Weft__Registry__V1__Svid *svid;
    const char *token = token_of(f);

    fake_clock_advance_ms(&f->clock, FOUNDING_TOKEN_MS);
    assert_status(attest(f, token, f->csr, &svid), STATUS_UNAUTHENTICATED);
}

static void a_full_disk_is_told(void **state)
{
    struct fixture *f = *state;

    f->files.full = f->svid_files.full = true;
    assert_status(founding_write_bundle(&f->founding, f->call.arena), STATUS_RESOURCE_EXHAUSTED);
    assert_status(founding_write_join_token(&f->founding, f->call.arena),
                  STATUS_RESOURCE_EXHAUSTED);
    assert_status(founding_issue_own_svid(&f->founding, f->call.arena), STATUS_RESOURCE_EXHAUSTED);
}

static void every_rpc_has_a_row(void **state)
{
    (void)state;
    assert_null(service_first_unhandled(&ca_service_methods));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_join_token_makes_a_host_a_member_once),
        TEST(what_was_not_committed_is_not_given_away),
        TEST(whoever_proves_nothing_is_refused),
        TEST(a_host_whose_certificate_expired_comes_back_by_its_key),
        TEST(a_workload_gets_what_its_entry_says),
        TEST(an_agent_renews_its_own_and_nobody_elses),
        TEST(entries_and_bundle_come_now_and_at_each_change),
        TEST(the_registry_issues_its_own_identity),
        TEST(agents_are_given_the_bundle_that_is_believed),
        TEST(a_join_token_is_good_for_an_hour),
        TEST(a_full_disk_is_told),
        cmocka_unit_test(every_rpc_has_a_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
