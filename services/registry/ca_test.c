#include "services/registry/ca.h"

#include "libs/base/text.h"
#include "libs/crypto/api_key.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/temp_folder.h"
#include "services/registry/ca_store.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

enum { HOUR_MS = 3600 * 1000 };

static const int64_t start_ms = 1795000000000; /* in 2026 */

struct fixture {
    struct arena *arena;
    struct fake_clock clock;
    struct seeded_random random;
    struct crash_files files;
    struct failing_store store;
    struct ca_options options;
    struct ca *ca; /* NULL when a test has closed it */
    struct p256_key *key;
    bytes csr; /* of key */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store *real = NULL;

    f->arena = arena_new();
    fake_clock_init(&f->clock, start_ms);
    seeded_random_init(&f->random, 3);
    crash_files_init(&f->files);
    assert_status(store_open(f->arena, ":memory:", &real), STATUS_OK);
    failing_store_init(&f->store, real);
    f->options = (struct ca_options){
        .files = &f->files.files,
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .trust_domain = "weft",
    };
    assert_status(ca_open(f->arena, &f->options, &f->ca), STATUS_OK);
    f->key = p256_key_generate(&f->random.source);
    assert_status(x509_make_request(f->arena, &f->random.source, f->key, &f->csr), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    ca_close(f->ca);
    store_close(&f->store.store);
    crash_files_reset(&f->files);
    p256_key_free(f->key);
    arena_free(f->arena);
    free(f);
    return 0;
}

static status reopen(struct fixture *f)
{
    ca_close(f->ca);
    f->ca = NULL;
    status s = ca_open(f->arena, &f->options, &f->ca);
    assert(!status_is_ok(s) || f->ca != NULL);
    return s;
}

static status commit(struct fixture *f, const struct store_write *write)
{
    return store_commit(&f->store.store, f->arena, write);
}

static void assert_same(bytes a, bytes b)
{
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
}

static bool are_same(bytes a, bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static bool is_believed(struct fixture *f, bytes chain, bytes bundle)
{
    const struct x509_verify_options options = {
        .chain = chain,
        .bundle = bundle,
        .trust_domain = "weft",
        .now_ms = f->clock.wall_ms,
    };
    struct x509_certificate svid;

    return status_is_ok(x509_verify(f->arena, &options, &svid));
}

/* ---- Starting ---- */

static void the_authority_of_the_first_start_stays(void **state)
{
    struct fixture *f = *state;
    bytes bundle = ca_bundle(f->ca, f->arena);

    crash_files_crash(&f->files);
    assert_status(reopen(f), STATUS_OK);
    assert_same(ca_bundle(f->ca, f->arena), bundle);
}

static void the_file_is_for_nobody_else(void **state)
{
    struct fixture *f = *state;
    const char *folder = temp_folder(f->arena);
    struct disk_files files;
    struct stat info;

    assert_status(disk_files_init(&files, f->arena, folder), STATUS_OK);
    f->options.files = &files.files;
    assert_status(reopen(f), STATUS_OK);
    assert_int_equal(stat(arena_printf(f->arena, "%s/authority.pem", folder), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    ca_close(f->ca);
    f->ca = NULL;
    disk_files_reset(&files);
}

static void a_first_start_may_crash_anywhere(void **state)
{
    struct fixture *f = *state;
    bool was_over = false;

    for (unsigned n = 1; !was_over; n++) {
        struct ca *ca = NULL;
        bytes acknowledged = { 0 };
        crash_files_reset(&f->files);
        crash_files_init(&f->files);
        f->files.crash_after = n;
        was_over = status_is_ok(ca_open(f->arena, &f->options, &ca));
        if (was_over) {
            acknowledged = ca_bundle(ca, f->arena);
        }
        ca_close(ca);
        crash_files_crash(&f->files);
        assert_status(ca_open(f->arena, &f->options, &ca), STATUS_OK);
        if (was_over) {
            assert_same(ca_bundle(ca, f->arena), acknowledged);
        }
        ca_close(ca);
        assert_true(n < 20);
    }
}

static void each_sync_of_a_first_start_is_needed(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 1; n <= 2; n++) {
        struct ca *ca = NULL;
        crash_files_reset(&f->files);
        crash_files_init(&f->files);
        f->files.skip_sync = n;
        assert_status(ca_open(f->arena, &f->options, &ca), STATUS_OK);
        assert_int_equal(f->files.n_syncs, 2);
        bytes acknowledged = ca_bundle(ca, f->arena);
        ca_close(ca);
        ca = NULL;
        crash_files_crash(&f->files);
        status s = ca_open(f->arena, &f->options, &ca);
        assert_false(status_is_ok(s) && are_same(ca_bundle(ca, f->arena), acknowledged));
        ca_close(ca);
    }
}

static void a_full_disk_makes_no_authority(void **state)
{
    struct fixture *f = *state;
    struct ca *ca = NULL;

    crash_files_reset(&f->files);
    crash_files_init(&f->files);
    f->files.full = true;
    assert_status(ca_open(f->arena, &f->options, &ca), STATUS_RESOURCE_EXHAUSTED);
    f->files.full = false;
    assert_status(ca_open(f->arena, &f->options, &ca), STATUS_OK);
    ca_close(ca);
}

static void a_store_that_fails_opens_nothing(void **state)
{
    struct fixture *f = *state;
    struct ca *ca = NULL;

    crash_files_reset(&f->files);
    crash_files_init(&f->files);
    for (unsigned n = 1; n <= 2; n++) { /* the version of the tables, and what was issued */
        f->store.fail_query = n;
        assert_status(ca_open(f->arena, &f->options, &ca), STATUS_UNAVAILABLE);
    }
    f->store.fail_query = 0;
    assert_status(ca_open(f->arena, &f->options, &ca), STATUS_OK);
    ca_close(ca);
}

static void a_damaged_file_is_not_replaced(void **state)
{
    struct fixture *f = *state;

    crash_files_flip(&f->files, "authority.pem", 3);
    assert_status(reopen(f), STATUS_DATA_LOSS);
    assert_status(reopen(f), STATUS_DATA_LOSS);
}

static void another_trust_domain_does_not_start(void **state)
{
    struct fixture *f = *state;

    f->options.trust_domain = "other";
    assert_status(reopen(f), STATUS_FAILED_PRECONDITION);
}

/* ---- Workloads ---- */

static const char *const dns_names[] = { "search", "localhost" };

static struct ca_workload search(const struct fixture *f)
{
    return (struct ca_workload){
        .spiffe_id = "spiffe://weft/search",
        .dns_names = dns_names,
        .n_dns_names = 2,
        .csr = f->csr,
    };
}

static void a_workload_gets_an_svid_for_its_key(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    struct ca_workload workload = search(f);
    struct x509_certificate certificate;
    struct ca_svid svid;

    assert_status(ca_sign_workload(f->ca, f->arena, write, &workload, &svid), STATUS_OK);
    assert_true(is_believed(f, svid.chain, svid.bundle));
    assert_same(svid.bundle, ca_bundle(f->ca, f->arena));
    assert_status(x509_parse_svid(f->arena, svid.chain, &certificate), STATUS_OK);
    assert_string_equal(certificate.id.text, "spiffe://weft/search");
    assert_int_equal(certificate.n_dns_names, 2);
    assert_int_equal(certificate.not_after_ms, start_ms + CA_SVID_LIFETIME_MS);
    assert_same(certificate.spki, p256_key_spki(f->key, f->arena));
}

static void a_serial_is_on_record_with_the_commit(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    struct ca_workload workload = search(f);
    struct ca_certificate_record record;
    struct ca_svid svid;

    assert_status(ca_sign_workload(f->ca, f->arena, write, &workload, &svid), STATUS_OK);
    assert_status(ca_store_get_certificate(&f->store.store, f->arena, svid.serial, &record),
                  STATUS_NOT_FOUND);
    assert_status(commit(f, write), STATUS_OK);
    assert_status(ca_store_get_certificate(&f->store.store, f->arena, svid.serial, &record),
                  STATUS_OK);
    assert_string_equal(record.spiffe_id, "spiffe://weft/search");
    assert_int_equal(record.issue_time_ms, start_ms);
    assert_int_equal(record.expire_time_ms, svid.expire_time_ms);
}

static void what_should_not_be_signed_is_not(void **state)
{
    struct fixture *f = *state;
    const char *const bad_names[] = { "*" };
    bytes large = { .data = arena_alloc(f->arena, CA_MAX_REQUEST_BYTES + 1),
                    .size = CA_MAX_REQUEST_BYTES + 1 };
    const struct {
        struct ca_workload workload;
        const char *message;
    } cases[] = {
        { { "spiffe://weft/agent/host", NULL, 0, f->csr }, "is an agent's" },
        { { "spiffe://other/search", NULL, 0, f->csr }, "no workload of the authority's" },
        { { "spiffe://weft", NULL, 0, f->csr }, "no workload of the authority's" },
        { { "search", NULL, 0, f->csr }, "spiffe_id is refused" },
        { { "spiffe://weft/search", bad_names, 1, f->csr }, "no DNS name" },
        { { "spiffe://weft/search", NULL, 0, { 0 } }, "csr is refused" },
        { { "spiffe://weft/search", NULL, 0, { f->csr.data, f->csr.size - 1 } }, "csr is refused" },
        { { "spiffe://weft/search", NULL, 0, large }, "csr is longer than 4096" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_write *write = store_write_new(f->arena);
        struct ca_svid svid;
        status s = ca_sign_workload(f->ca, f->arena, write, &cases[i].workload, &svid);
        if (s.code != STATUS_INVALID_ARGUMENT || strstr(s.message, cases[i].message) == NULL) {
            fail_msg("case %zu: %s (%s)", i, status_code_name(s.code), s.message);
        }
        assert_null(write->first);
    }
}

static void without_its_file_a_mesh_does_not_begin_anew(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    struct ca_workload workload = search(f);
    struct ca_svid svid;

    assert_status(ca_sign_workload(f->ca, f->arena, write, &workload, &svid), STATUS_OK);
    assert_status(commit(f, write), STATUS_OK);
    assert_status(files_remove(&f->files.files, f->arena, "authority.pem"), STATUS_OK);
    status s = reopen(f);
    assert_status(s, STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(s.message, "restore it from a backup"));
}

static void an_agent_renews_and_nobody_else(void **state)
{
    static const char *const others[] = { "spiffe://weft/search", "spiffe://other/agent/host",
                                          "spiffe://weft/agents/host", "" };
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    struct ca_svid svid;

    assert_status(ca_renew_agent(f->ca, f->arena, write, "spiffe://weft/agent/host", f->csr, &svid),
                  STATUS_OK);
    assert_string_equal(svid.id.path, "/agent/host");
    assert_status(commit(f, write), STATUS_OK);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_status(ca_renew_agent(f->ca, f->arena, write, others[i], f->csr, &svid),
                      STATUS_PERMISSION_DENIED);
    }
}

/* ---- Joining with a token ---- */

static const char *token_for(struct fixture *f, const char *host_id)
{
    struct store_write *write = store_write_new(f->arena);
    const char *token = NULL;

    assert_status(ca_make_join_token(f->ca, f->arena, write, host_id, HOUR_MS, &token), STATUS_OK);
    assert_status(commit(f, write), STATUS_OK);
    return token;
}

/* With the commit, as the service does. */
static status admit(struct fixture *f, const char *host_id, const char *token,
                    struct ca_svid *ret_svid)
{
    struct store_write *write = store_write_new(f->arena);

    TRY(ca_admit(f->ca, f->arena, write,
                 &(struct ca_join){ .host_id = host_id, .csr = f->csr, .token = token }, ret_svid));
    return commit(f, write);
}

static void a_token_lets_one_host_in_once(void **state)
{
    struct fixture *f = *state;
    const char *token = token_for(f, "");
    struct ca_svid svid;

    assert_status(admit(f, "host-1", token, &svid), STATUS_OK);
    assert_string_equal(svid.id.text, "spiffe://weft/agent/host-1");
    assert_true(is_believed(f, svid.chain, svid.bundle));
    status s = admit(f, "host-2", token, &svid);
    assert_status(s, STATUS_UNAUTHENTICATED);
    assert_string_equal(s.message, "the join token is unknown, used or expired");
    assert_status(reopen(f), STATUS_OK);
    assert_status(admit(f, "host-1", token, &svid), STATUS_UNAUTHENTICATED);
}

/* Both find the token unused; the second's commit finds it used. */
static void of_two_at_the_same_time_one_gets_in(void **state)
{
    struct fixture *f = *state;
    const char *token = token_for(f, "");
    struct store_write *first = store_write_new(f->arena);
    struct store_write *second = store_write_new(f->arena);
    struct ca_join join = { .host_id = "host-1", .csr = f->csr, .token = token };
    struct ca_certificate_record record;
    struct ca_svid svid, other;

    assert_status(ca_admit(f->ca, f->arena, first, &join, &svid), STATUS_OK);
    assert_status(ca_admit(f->ca, f->arena, second, &join, &other), STATUS_OK);
    assert_status(commit(f, first), STATUS_OK);
    assert_status(commit(f, second), STATUS_UNAUTHENTICATED);
    assert_status(ca_store_get_certificate(&f->store.store, f->arena, other.serial, &record),
                  STATUS_NOT_FOUND);
}

static void a_join_that_fails_uses_nothing_up(void **state)
{
    struct fixture *f = *state;
    const char *token = token_for(f, "");
    struct ca_svid svid;

    f->store.fail_commit = 1;
    assert_status(admit(f, "host", token, &svid), STATUS_UNAVAILABLE);
    for (unsigned n = 1; n <= 2; n++) { /* the token's use, and the serial */
        f->store.fail_statement = n;
        assert_status(admit(f, "host", token, &svid), STATUS_UNAVAILABLE);
    }
    f->store.fail_query = 1;
    assert_status(admit(f, "host", token, &svid), STATUS_UNAVAILABLE);
    assert_status(admit(f, "host", token, &svid), STATUS_OK);
}

static void a_token_expires(void **state)
{
    struct fixture *f = *state;
    const char *token = token_for(f, "");
    struct ca_svid svid;

    f->clock.wall_ms += HOUR_MS;
    assert_status(admit(f, "host", token, &svid), STATUS_UNAUTHENTICATED);
    f->clock.wall_ms -= 1;
    assert_status(admit(f, "host", token, &svid), STATUS_OK);
}

static void a_token_for_one_host_lets_no_other_in(void **state)
{
    struct fixture *f = *state;
    const char *token = token_for(f, "host-1");
    struct ca_svid svid;

    assert_status(admit(f, "host-2", token, &svid), STATUS_UNAUTHENTICATED);
    assert_status(admit(f, "host-1", token, &svid), STATUS_OK);
}

static void what_is_no_token_lets_nobody_in(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    struct sha256 wrong = sha256_of(bytes_of("another secret"));
    struct api_key key;
    struct ca_svid svid;
    const char *unknown = api_key_generate(f->arena, &f->random.source, "join", &key);
    const char *purpose = api_key_generate(f->arena, &f->random.source, "sa", &key);
    const char *guessed = api_key_generate(f->arena, &f->random.source, "join", &key);
    const char *shortened = api_key_generate(f->arena, &f->random.source, "join", &key);

    /* A row of that id, and a hash of another secret. */
    ca_store_add_join_token(write,
                            &(struct ca_join_token_record){
                                .token_id = strtok(arena_strdup(f->arena, guessed + 10), "_"),
                                .hash = sha256_bytes(&wrong),
                                .host_id = "",
                                .expire_time_ms = start_ms + HOUR_MS,
                            });
    ca_store_add_join_token(write, &(struct ca_join_token_record){
                                       .token_id = key.id,
                                       .hash = { wrong.data, 0 },
                                       .host_id = "",
                                       .expire_time_ms = start_ms + HOUR_MS,
                                   });
    assert_status(commit(f, write), STATUS_OK);
    assert_status(admit(f, "host", unknown, &svid), STATUS_UNAUTHENTICATED);
    assert_status(admit(f, "host", guessed, &svid), STATUS_UNAUTHENTICATED);
    assert_status(admit(f, "host", shortened, &svid), STATUS_UNAUTHENTICATED);
    status s = admit(f, "host", purpose, &svid);
    assert_string_equal(s.message, "no join token: it is for 'sa'");
    s = admit(f, "host", arena_printf(f->arena, "%.*s", 50, unknown), &svid);
    assert_status(s, STATUS_UNAUTHENTICATED);
    assert_null(strstr(s.message, unknown + 27));
}

static void a_host_has_a_name(void **state)
{
    struct fixture *f = *state;
    const char *const names[] = { "",     "1host", "-host",
                                  "Host", "a/b",   "..",
                                  "a_b",  "a b",   arena_printf(f->arena, "a%063d", 0) };
    const char *token = token_for(f, "");
    struct ca_svid svid;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_status(admit(f, names[i], token, &svid), STATUS_INVALID_ARGUMENT);
    }
    assert_status(admit(f, arena_printf(f->arena, "a%062d", 0), token, &svid), STATUS_OK);
}

static void a_token_is_made_within_limits(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    const char *token = NULL;

    assert_status(ca_make_join_token(f->ca, f->arena, write, "", 0, &token),
                  STATUS_INVALID_ARGUMENT);
    assert_status(ca_make_join_token(f->ca, f->arena, write, "", CA_TOKEN_MAX_AGE_MS + 1, &token),
                  STATUS_INVALID_ARGUMENT);
    assert_status(ca_make_join_token(f->ca, f->arena, write, "Host", HOUR_MS, &token),
                  STATUS_INVALID_ARGUMENT);
    assert_status(ca_make_join_token(f->ca, f->arena, write, "", CA_TOKEN_MAX_AGE_MS, &token),
                  STATUS_OK);
}

/* ---- Coming back ---- */

struct proof {
    const char *host_id;
    int64_t age_ms;
    const struct p256_key *key; /* NULL: the certificate's */
    bytes signed_csr;           /* size 0: the one sent */
};

static status readmit(struct fixture *f, bytes certificate, const struct proof *proof,
                      struct ca_svid *ret_svid)
{
    struct store_write *write = store_write_new(f->arena);
    uint8_t signature[P256_SIGNATURE_BYTES];
    struct ca_rejoin rejoin = {
        .host_id = proof->host_id,
        .csr = f->csr,
        .certificate = certificate,
        .signature = { signature, sizeof signature },
        .proof_time_ms = f->clock.wall_ms - proof->age_ms,
    };
    bytes csr = proof->signed_csr.size > 0 ? proof->signed_csr : f->csr;

    p256_sign(proof->key != NULL ? proof->key : f->key,
              ca_proof_text(f->arena, proof->host_id, csr, rejoin.proof_time_ms), signature);
    TRY(ca_readmit(f->ca, f->arena, write, &rejoin, ret_svid));
    return commit(f, write);
}

static bytes svid_of_host(struct fixture *f)
{
    struct ca_svid svid;

    assert_status(admit(f, "host", token_for(f, ""), &svid), STATUS_OK);
    return svid.chain;
}

static void a_machine_that_was_off_comes_back(void **state)
{
    static const struct {
        int64_t after_ms;
        bool comes_back;
    } cases[] = {
        { 0, true },
        { HOUR_MS, true },
        { CA_SVID_LIFETIME_MS + 7 * CA_DAY_MS, true },
        { CA_SVID_LIFETIME_MS + CA_GRACE_MS, true },
        { CA_SVID_LIFETIME_MS + CA_GRACE_MS + 1, false },
        { 40 * CA_DAY_MS, false },
    };
    struct fixture *f = *state;
    bytes certificate = svid_of_host(f);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ca_svid svid;
        f->clock.wall_ms = start_ms + cases[i].after_ms;
        status s = readmit(f, certificate, &(struct proof){ .host_id = "host" }, &svid);
        assert_status(s, cases[i].comes_back ? STATUS_OK : STATUS_UNAUTHENTICATED);
        if (cases[i].comes_back) {
            assert_true(is_believed(f, svid.chain, svid.bundle));
            assert_string_equal(svid.id.path, "/agent/host");
        }
    }
}

static void who_cannot_prove_himself_does_not(void **state)
{
    struct fixture *f = *state;
    bytes certificate = svid_of_host(f);
    struct p256_key *other = p256_key_generate(&f->random.source);
    const struct {
        struct proof proof;
        enum status_code want;
        const char *message;
    } cases[] = {
        { { .host_id = "host" }, STATUS_OK, "" },
        { { .host_id = "host", .age_ms = CA_PROOF_MAX_AGE_MS }, STATUS_OK, "" },
        { { .host_id = "host", .age_ms = -CA_PROOF_MAX_AGE_MS }, STATUS_OK, "" },
        { { .host_id = "host", .age_ms = CA_PROOF_MAX_AGE_MS + 1 },
          STATUS_UNAUTHENTICATED,
          "5 minutes away" },
        { { .host_id = "host", .age_ms = -CA_PROOF_MAX_AGE_MS - 1 },
          STATUS_UNAUTHENTICATED,
          "5 minutes away" },
        { { .host_id = "host", .key = other }, STATUS_UNAUTHENTICATED, "not by the certificate's" },
        { { .host_id = "host", .signed_csr = certificate },
          STATUS_UNAUTHENTICATED,
          "not by the certificate's" },
        { { .host_id = "other" }, STATUS_UNAUTHENTICATED, "is of '/agent/host'" },
        { { .host_id = "Host" }, STATUS_INVALID_ARGUMENT, "host_id" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ca_svid svid;
        status s = readmit(f, certificate, &cases[i].proof, &svid);
        if (s.code != cases[i].want || strstr(s.message, cases[i].message) == NULL) {
            fail_msg("case %zu: %s (%s)", i, status_code_name(s.code), s.message);
        }
    }
    p256_key_free(other);
}

static void no_other_certificate_brings_a_host_back(void **state)
{
    struct fixture *f = *state;
    struct fixture *stranger = NULL;
    struct ca_workload workload = search(f);
    struct store_write *write = store_write_new(f->arena);
    struct ca_svid svid;

    assert_status(ca_sign_workload(f->ca, f->arena, write, &workload, &svid), STATUS_OK);
    bytes of_search = svid.chain;
    assert_status(readmit(f, of_search, &(struct proof){ .host_id = "search" }, &svid),
                  STATUS_UNAUTHENTICATED);
    assert_status(readmit(f, (bytes){ 0 }, &(struct proof){ .host_id = "host" }, &svid),
                  STATUS_UNAUTHENTICATED);
    assert_status(readmit(f, svid.bundle, &(struct proof){ .host_id = "host" }, &svid),
                  STATUS_UNAUTHENTICATED);

    assert_int_equal(set_up((void **)&stranger), 0); /* an authority of the same name */
    seeded_random_init(&stranger->random, 99);
    crash_files_reset(&stranger->files);
    crash_files_init(&stranger->files);
    assert_status(reopen(stranger), STATUS_OK);
    bytes foreign = svid_of_host(stranger);
    assert_status(readmit(f, foreign, &(struct proof){ .host_id = "host" }, &svid),
                  STATUS_UNAUTHENTICATED);
    assert_int_equal(tear_down((void **)&stranger), 0);
}

/* ---- Authorities change ---- */

static size_t bundle_size(struct fixture *f)
{
    struct der_list list;

    assert_status(x509_split(f->arena, ca_bundle(f->ca, f->arena), &list), STATUS_OK);
    return list.n_values;
}

static bool step_at(struct fixture *f, int64_t after_ms)
{
    bool changed = false;

    f->clock.wall_ms = start_ms + after_ms;
    assert_status(ca_step(f->ca, f->arena, &changed), STATUS_OK);
    return changed;
}

static bytes sign_now(struct fixture *f)
{
    struct store_write *write = store_write_new(f->arena);
    struct ca_workload workload = search(f);
    struct ca_svid svid;

    assert_status(ca_sign_workload(f->ca, f->arena, write, &workload, &svid), STATUS_OK);
    assert_true(is_believed(f, svid.chain, svid.bundle));
    return svid.chain;
}

static void everybody_trusts_the_next_before_it_signs(void **state)
{
    const int64_t third_ms = CA_LIFETIME_MS - CA_LIFETIME_MS / 3 + 1;
    struct fixture *f = *state;
    bytes first = ca_bundle(f->ca, f->arena);

    assert_false(step_at(f, 0));
    assert_false(step_at(f, third_ms - 2000));
    assert_int_equal(bundle_size(f), 1);

    assert_true(step_at(f, third_ms)); /* made */
    bytes both = ca_bundle(f->ca, f->arena);
    assert_int_equal(bundle_size(f), 2);
    assert_false(step_at(f, third_ms + CA_PUBLISH_MS - 2000));
    assert_true(is_believed(f, sign_now(f), first));

    assert_status(reopen(f), STATUS_OK); /* and that over a restart */
    assert_same(ca_bundle(f->ca, f->arena), both);

    assert_true(step_at(f, third_ms + CA_PUBLISH_MS)); /* signs */
    assert_int_equal(bundle_size(f), 2);
    assert_false(step_at(f, third_ms + CA_PUBLISH_MS + HOUR_MS)); /* and stays */
    bytes by_next = sign_now(f);
    assert_false(is_believed(f, by_next, first));
    assert_true(is_believed(f, by_next, both));

    assert_status(reopen(f), STATUS_OK);
    assert_true(is_believed(f, sign_now(f), both));
    assert_true(step_at(f, CA_LIFETIME_MS)); /* the first has expired */
    assert_int_equal(bundle_size(f), 1);
    assert_true(is_believed(f, sign_now(f), both));
}

/* After a year off nobody is left who could be told before. */
static void a_mesh_that_slept_for_years_wakes_up(void **state)
{
    struct fixture *f = *state;

    assert_true(step_at(f, 3 * CA_LIFETIME_MS));
    assert_int_equal(bundle_size(f), 1);
    (void)sign_now(f);
    assert_false(step_at(f, 3 * CA_LIFETIME_MS + HOUR_MS));
}

static void over_ten_years_somebody_always_signs(void **state)
{
    struct fixture *f = *state;

    for (int64_t day = 0; day < 3650; day++) {
        (void)step_at(f, day * CA_DAY_MS);
        assert_in_range(bundle_size(f), 1, 3);
        if (day % 50 == 0) {
            assert_true(is_believed(f, sign_now(f), ca_bundle(f->ca, f->arena)));
        }
    }
}

/* Whatever crashes: what was said is still so, and the bundle was never signed for too early. */
static void a_change_may_crash_anywhere(void **state)
{
    struct fixture *f = *state;
    bool was_over = false;

    f->clock.wall_ms = start_ms + CA_LIFETIME_MS - CA_LIFETIME_MS / 4;
    for (unsigned n = 1; !was_over; n++) {
        bytes before = ca_bundle(f->ca, f->arena);
        bytes after = before;
        bool changed = false;
        f->files.crash_after = (unsigned)f->files.n_operations + n;
        was_over = status_is_ok(ca_step(f->ca, f->arena, &changed));
        if (was_over) {
            assert_true(changed);
            after = ca_bundle(f->ca, f->arena);
        } else {
            assert_same(ca_bundle(f->ca, f->arena), before);
        }
        assert_true(is_believed(f, sign_now(f), before));
        crash_files_crash(&f->files);
        assert_status(reopen(f), STATUS_OK);
        assert_same(ca_bundle(f->ca, f->arena), after);
        assert_true(n < 20);
    }
}

static void each_sync_of_a_change_is_needed(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 1; n <= 2; n++) {
        bool changed = false;
        crash_files_reset(&f->files);
        crash_files_init(&f->files);
        f->clock.wall_ms = start_ms;
        assert_status(reopen(f), STATUS_OK);
        f->clock.wall_ms = start_ms + CA_LIFETIME_MS - CA_LIFETIME_MS / 4;
        f->files.skip_sync = (unsigned)f->files.n_syncs + n;
        assert_status(ca_step(f->ca, f->arena, &changed), STATUS_OK);
        assert_true(changed);
        bytes acknowledged = ca_bundle(f->ca, f->arena);
        crash_files_crash(&f->files);
        status s = reopen(f);
        assert_false(status_is_ok(s) && are_same(ca_bundle(f->ca, f->arena), acknowledged));
    }
}

static void what_has_expired_long_ago_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    struct ca_workload workload = search(f);
    struct ca_certificate_record record;
    struct ca_svid svid;

    assert_status(ca_sign_workload(f->ca, f->arena, write, &workload, &svid), STATUS_OK);
    assert_status(commit(f, write), STATUS_OK);
    (void)step_at(f, CA_SVID_LIFETIME_MS + CA_GRACE_MS);
    assert_status(ca_store_get_certificate(&f->store.store, f->arena, svid.serial, &record),
                  STATUS_OK);
    (void)step_at(f, CA_SVID_LIFETIME_MS + CA_GRACE_MS + 1);
    assert_status(ca_store_get_certificate(&f->store.store, f->arena, svid.serial, &record),
                  STATUS_NOT_FOUND);
}

static void *sign_many(void *data)
{
    struct fixture *f = data;
    struct arena *arena = arena_new();
    struct ca_workload workload = search(f);

    for (int i = 0; i < 20; i++) {
        struct store_write *write = store_write_new(arena);
        struct ca_svid svid;
        assert_status(ca_sign_workload(f->ca, arena, write, &workload, &svid), STATUS_OK);
        assert_status(store_commit(&f->store.store, arena, write), STATUS_OK);
    }
    arena_free(arena);
    return NULL;
}

static void while_authorities_change_others_sign(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[3];

    f->clock.wall_ms = start_ms + CA_LIFETIME_MS - CA_LIFETIME_MS / 4;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, f), 0);
    }
    bool changed = false;
    assert_status(ca_step(f->ca, f->arena, &changed), STATUS_OK);
    assert_true(changed);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(bundle_size(f), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_authority_of_the_first_start_stays),
        TEST(the_file_is_for_nobody_else),
        TEST(a_first_start_may_crash_anywhere),
        TEST(each_sync_of_a_first_start_is_needed),
        TEST(a_full_disk_makes_no_authority),
        TEST(a_store_that_fails_opens_nothing),
        TEST(a_damaged_file_is_not_replaced),
        TEST(another_trust_domain_does_not_start),
        TEST(a_workload_gets_an_svid_for_its_key),
        TEST(a_serial_is_on_record_with_the_commit),
        TEST(what_should_not_be_signed_is_not),
        TEST(without_its_file_a_mesh_does_not_begin_anew),
        TEST(an_agent_renews_and_nobody_else),
        TEST(a_token_lets_one_host_in_once),
        TEST(of_two_at_the_same_time_one_gets_in),
        TEST(a_join_that_fails_uses_nothing_up),
        TEST(a_token_expires),
        TEST(a_token_for_one_host_lets_no_other_in),
        TEST(what_is_no_token_lets_nobody_in),
        TEST(a_host_has_a_name),
        TEST(a_token_is_made_within_limits),
        TEST(a_machine_that_was_off_comes_back),
        TEST(who_cannot_prove_himself_does_not),
        TEST(no_other_certificate_brings_a_host_back),
        TEST(everybody_trusts_the_next_before_it_signs),
        TEST(a_mesh_that_slept_for_years_wakes_up),
        TEST(over_ten_years_somebody_always_signs),
        TEST(a_change_may_crash_anywhere),
        TEST(each_sync_of_a_change_is_needed),
        TEST(what_has_expired_long_ago_is_forgotten),
        TEST(while_authorities_change_others_sign),
    };

    return cmocka_run_group_tests_name("ca", tests, NULL, NULL);
}
