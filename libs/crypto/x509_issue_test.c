#include "libs/crypto/x509_issue.h"

#include "libs/base/text.h"
#include "libs/crypto/x509.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };

static const int64_t now_ms = 1795000000000; /* in 2026 */
static const char *const dns_names[] = { "search", "localhost" };

struct fixture {
    struct arena *arena;
    struct seeded_random random;
    struct p256_key *authority_key;
    struct p256_key *key;
    bytes authority;
    struct x509_svid_options svid; /* tests change it */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->arena = arena_new();
    seeded_random_init(&f->random, 5);
    f->authority_key = p256_key_generate(&f->random.source);
    f->key = p256_key_generate(&f->random.source);
    assert_status(x509_issue_authority(f->arena,
                                       &(struct x509_authority_options){
                                           .random = &f->random.source,
                                           .key = f->authority_key,
                                           .trust_domain = "weft.example",
                                           .now_ms = now_ms,
                                           .lifetime_ms = (int64_t)365 * DAY_MS,
                                       },
                                       &f->authority),
                  STATUS_OK);
    f->svid = (struct x509_svid_options){
        .random = &f->random.source,
        .key = f->authority_key,
        .authority = f->authority,
        .dns_names = dns_names,
        .n_dns_names = 2,
        .spki = p256_key_spki(f->key, f->arena),
        .now_ms = now_ms,
        .lifetime_ms = DAY_MS,
    };
    assert_status(spiffe_id_make(f->arena, "weft.example", "/service/search", &f->svid.id),
                  STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    p256_key_free(f->authority_key);
    p256_key_free(f->key);
    arena_free(f->arena);
    free(f);
    return 0;
}

static X509 *openssl_certificate(bytes der)
{
    const uint8_t *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);

    assert_non_null(certificate);
    assert_ptr_equal(at, der.data + der.size);
    return certificate;
}

/* What `openssl verify -x509_strict -purpose ...` asks. */
static int openssl_verify(bytes svid, bytes authority, int purpose, int64_t at_ms)
{
    X509 *leaf = openssl_certificate(svid);
    X509 *root = openssl_certificate(authority);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();

    assert_int_equal(X509_STORE_add_cert(store, root), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, leaf, NULL), 1);
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_set_time(context, 0, (time_t)(at_ms / 1000));
    assert_int_equal(X509_STORE_CTX_set_purpose(context, purpose), 1);
    int error = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(leaf);
    X509_free(root);
    return error;
}

static void openssl_believes_what_we_issue(void **state)
{
    struct fixture *f = *state;
    bytes svid = { 0 };

    assert_status(x509_issue_svid(f->arena, &f->svid, &svid), STATUS_OK);
    assert_int_equal(openssl_verify(svid, f->authority, X509_PURPOSE_SSL_SERVER, now_ms),
                     X509_V_OK);
    assert_int_equal(openssl_verify(svid, f->authority, X509_PURPOSE_SSL_CLIENT, now_ms),
                     X509_V_OK);
    assert_int_equal(
        openssl_verify(svid, f->authority, X509_PURPOSE_SSL_CLIENT, now_ms + DAY_MS - 1000),
        X509_V_OK);
    assert_int_equal(
        openssl_verify(svid, f->authority, X509_PURPOSE_SSL_CLIENT, now_ms + DAY_MS + 1000),
        X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_equal(
        openssl_verify(svid, f->authority, X509_PURPOSE_SSL_CLIENT, now_ms - X509_BACKDATE_MS),
        X509_V_OK);
    assert_int_equal(openssl_verify(svid, f->authority, X509_PURPOSE_SSL_CLIENT,
                                    now_ms - X509_BACKDATE_MS - 1000),
                     X509_V_ERR_CERT_NOT_YET_VALID);
}

static bool is_critical(X509 *certificate, int nid)
{
    int at = X509_get_ext_by_NID(certificate, nid, -1);

    assert_true(at >= 0);
    return X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) != 0;
}

static void an_svid_has_what_spiffe_asks_for(void **state)
{
    struct fixture *f = *state;
    bytes der = { 0 };

    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_OK);
    X509 *svid = openssl_certificate(der);
    assert_int_equal(X509_get_version(svid), 2);
    assert_int_equal(X509_get_key_usage(svid), KU_DIGITAL_SIGNATURE);
    assert_true(is_critical(svid, NID_key_usage));
    assert_int_equal(X509_get_extended_key_usage(svid), XKU_SSL_SERVER | XKU_SSL_CLIENT);
    assert_int_equal(X509_check_ca(svid), 0);
    assert_non_null(X509_get0_subject_key_id(svid));
    assert_non_null(X509_get0_authority_key_id(svid));
    assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(svid)), X509_SERIAL_BYTES);
    assert_int_equal(X509_check_host(svid, "search", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(svid, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(svid, "audit", 0, 0, NULL), 0);
    GENERAL_NAMES *names = X509_get_ext_d2i(svid, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(names), 3);
    const GENERAL_NAME *uri = sk_GENERAL_NAME_value(names, 0);
    assert_int_equal(uri->type, GEN_URI);
    assert_string_equal(ASN1_STRING_get0_data(uri->d.uniformResourceIdentifier),
                        "spiffe://weft.example/service/search");
    GENERAL_NAMES_free(names);
    X509_free(svid);
}

static void an_authority_has_what_spiffe_asks_for(void **state)
{
    struct fixture *f = *state;
    X509 *authority = openssl_certificate(f->authority);

    assert_int_equal(X509_check_ca(authority), 1);
    assert_true(is_critical(authority, NID_basic_constraints));
    assert_true(is_critical(authority, NID_key_usage));
    assert_int_equal(X509_get_key_usage(authority), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_get_pathlen(authority), 0);
    assert_int_equal(X509_get_extension_flags(authority) & EXFLAG_SS, EXFLAG_SS);
    X509_free(authority);

    struct x509_certificate read;
    assert_status(x509_parse_authority(f->arena, f->authority, &read), STATUS_OK);
    assert_string_equal(read.id.text, "spiffe://weft.example");
}

static void what_was_issued_can_be_read(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate read;
    bytes der = { 0 };

    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_OK);
    assert_status(x509_parse_svid(f->arena, der, &read), STATUS_OK);
    assert_string_equal(read.id.text, "spiffe://weft.example/service/search");
    assert_int_equal(read.not_before_ms, now_ms - X509_BACKDATE_MS);
    assert_int_equal(read.not_after_ms, now_ms + DAY_MS);
    assert_int_equal(read.serial.size, X509_SERIAL_BYTES);
    assert_int_equal(read.spki.size, f->svid.spki.size);
    assert_memory_equal(read.spki.data, f->svid.spki.data, read.spki.size);
    assert_int_equal(read.n_dns_names, 2);
    assert_string_equal(read.dns_names[1], "localhost");
}

static void the_same_seed_makes_the_same_certificate(void **state)
{
    struct fixture *f = *state;
    bytes first = { 0 };
    bytes second = { 0 };
    bytes third = { 0 };

    seeded_random_init(&f->random, 9);
    assert_status(x509_issue_svid(f->arena, &f->svid, &first), STATUS_OK);
    assert_status(x509_issue_svid(f->arena, &f->svid, &second), STATUS_OK);
    seeded_random_init(&f->random, 9);
    assert_status(x509_issue_svid(f->arena, &f->svid, &third), STATUS_OK);
    assert_int_equal(first.size, third.size);
    assert_memory_equal(first.data, third.data, first.size);
    assert_memory_not_equal(first.data, second.data, 64); /* the serial is in it */
}

static const char *long_path(struct arena *arena, size_t size)
{
    struct text path = text_new(arena);

    text_add(&path, "/");
    while (path.size < size) {
        text_add(&path, "a");
    }
    return text_string(&path);
}

/* Lengths in DER have one, two or three bytes. */
static void ids_of_all_lengths_fit(void **state)
{
    static const size_t sizes[] = { 2, 80, 90, 100, 101, 200, 210, 220, 222, 230, 1000, 2027 };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct x509_certificate read;
        bytes der = { 0 };
        const char *path = long_path(f->arena, sizes[i]);
        assert_status(spiffe_id_make(f->arena, "weft.example", path, &f->svid.id), STATUS_OK);
        assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_OK);
        assert_status(x509_parse_svid(f->arena, der, &read), STATUS_OK);
        assert_string_equal(read.id.path, path);
        assert_int_equal(openssl_verify(der, f->authority, X509_PURPOSE_SSL_SERVER, now_ms),
                         X509_V_OK);
    }
}

static void the_largest_certificate_stays_below_the_limit(void **state)
{
    struct fixture *f = *state;
    const char *names[X509_MAX_DNS_NAMES];
    const char *label = long_path(f->arena, 62) + 1;
    struct x509_certificate read;
    bytes der = { 0 };

    for (size_t i = 0; i < X509_MAX_DNS_NAMES; i++) {
        names[i] = arena_printf(f->arena, "%s.%s.%s.%s.aaa", label, label, label, label);
    }
    f->svid.dns_names = names;
    f->svid.n_dns_names = X509_MAX_DNS_NAMES;
    assert_status(spiffe_id_make(f->arena, "weft.example", long_path(f->arena, 2027), &f->svid.id),
                  STATUS_OK);
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_OK);
    assert_status(x509_parse_svid(f->arena, der, &read), STATUS_OK);
    assert_int_equal(read.n_dns_names, X509_MAX_DNS_NAMES);
}

static void an_svid_ends_with_its_authority(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate read;
    bytes der = { 0 };

    f->svid.now_ms = now_ms + (int64_t)365 * DAY_MS - HOUR_MS;
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_OK);
    assert_status(x509_parse_svid(f->arena, der, &read), STATUS_OK);
    assert_int_equal(read.not_after_ms, now_ms + (int64_t)365 * DAY_MS);
    f->svid.now_ms += HOUR_MS;
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_FAILED_PRECONDITION);
    f->svid.now_ms = now_ms - X509_BACKDATE_MS - 1000;
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_FAILED_PRECONDITION);
}

static void another_key_cannot_sign_for_the_authority(void **state)
{
    struct fixture *f = *state;
    bytes der = { 0 };

    f->svid.key = f->key;
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_FAILED_PRECONDITION);
}

static void what_should_not_be_issued_is_not(void **state)
{
    struct fixture *f = *state;
    struct x509_svid_options good = f->svid;
    bytes der = { 0 };

    assert_status(spiffe_id_make(f->arena, "other.example", "/a", &f->svid.id), STATUS_OK);
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_INVALID_ARGUMENT);
    assert_status(spiffe_id_make(f->arena, "weft.example", "", &f->svid.id), STATUS_OK);
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_INVALID_ARGUMENT);
    f->svid = good;
    f->svid.spki.size--;
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_INVALID_ARGUMENT);
    f->svid = good;
    f->svid.lifetime_ms = 0;
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_INVALID_ARGUMENT);
    f->svid = good;
    f->svid.n_dns_names = X509_MAX_DNS_NAMES + 1;
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_INVALID_ARGUMENT);
    f->svid = good;
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_OK);
    f->svid.authority = der; /* a workload signs nothing */
    f->svid.key = f->key;
    assert_status(x509_issue_svid(f->arena, &f->svid, &der), STATUS_INVALID_ARGUMENT);
}

static void dns_names_are_of_the_rfc(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *name;
        bool good;
    } cases[] = {
        { "a", true },
        { "search", true },
        { "search.weft.example", true },
        { "1-2.a-b", true },
        { arena_printf(f->arena, "%s.a", long_path(f->arena, 64) + 1), true },
        { arena_printf(f->arena, "%s.a", long_path(f->arena, 65) + 1), false },
        { long_path(f->arena, 65) + 1, false },
        { "", false },
        { ".", false },
        { "a.", false },
        { ".a", false },
        { "a..b", false },
        { "-a", false },
        { "a-", false },
        { "a.-b", false },
        { "a-.b", false },
        { "Search", false },
        { "*.weft", false },
        { "a b", false },
        { "a_b", false },
        { "a,b", false },
        { "b\xc3\xbc", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bytes der = { 0 };
        f->svid.dns_names = &cases[i].name;
        f->svid.n_dns_names = 1;
        status s = x509_issue_svid(f->arena, &f->svid, &der);
        if (status_is_ok(s) != cases[i].good) {
            fail_msg("'%s': %s", cases[i].name, status_code_name(s.code));
        }
    }
}

static void an_authority_needs_a_trust_domain_and_a_time(void **state)
{
    struct fixture *f = *state;
    struct x509_authority_options options = {
        .random = &f->random.source,
        .key = f->authority_key,
        .trust_domain = "Weft",
        .now_ms = now_ms,
        .lifetime_ms = DAY_MS,
    };
    bytes der = { 0 };

    assert_status(x509_issue_authority(f->arena, &options, &der), STATUS_INVALID_ARGUMENT);
    options.trust_domain = "weft";
    assert_status(x509_issue_authority(f->arena, &options, &der), STATUS_OK);
    options.now_ms = 0;
    assert_status(x509_issue_authority(f->arena, &options, &der), STATUS_INVALID_ARGUMENT);
    options.now_ms = now_ms;
    options.lifetime_ms = 253402300799000;
    assert_status(x509_issue_authority(f->arena, &options, &der), STATUS_INVALID_ARGUMENT);
}

static void times_from_2050_are_written_in_full(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate read;
    bytes der = { 0 };

    assert_status(x509_issue_authority(f->arena,
                                       &(struct x509_authority_options){
                                           .random = &f->random.source,
                                           .key = f->authority_key,
                                           .trust_domain = "weft",
                                           .now_ms = 2500000000000, /* in 2049 */
                                           .lifetime_ms = (int64_t)3650 * DAY_MS,
                                       },
                                       &der),
                  STATUS_OK);
    assert_status(x509_parse_authority(f->arena, der, &read), STATUS_OK);
    assert_int_equal(read.not_after_ms, 2500000000000 + (int64_t)3650 * DAY_MS);
}

static void a_request_gives_its_key(void **state)
{
    struct fixture *f = *state;
    bytes request = { 0 };
    bytes spki = { 0 };

    assert_status(x509_make_request(f->arena, &f->random.source, f->key, &request), STATUS_OK);
    assert_status(x509_parse_request(f->arena, request, &spki), STATUS_OK);
    assert_int_equal(spki.size, f->svid.spki.size);
    assert_memory_equal(spki.data, f->svid.spki.data, spki.size);

    const uint8_t *at = request.data;
    X509_REQ *theirs = d2i_X509_REQ(NULL, &at, (long)request.size);
    assert_non_null(theirs);
    assert_int_equal(X509_REQ_verify(theirs, X509_REQ_get0_pubkey(theirs)), 1);
    X509_REQ_free(theirs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(openssl_believes_what_we_issue),
        TEST(an_svid_has_what_spiffe_asks_for),
        TEST(an_authority_has_what_spiffe_asks_for),
        TEST(what_was_issued_can_be_read),
        TEST(the_same_seed_makes_the_same_certificate),
        TEST(ids_of_all_lengths_fit),
        TEST(the_largest_certificate_stays_below_the_limit),
        TEST(an_svid_ends_with_its_authority),
        TEST(another_key_cannot_sign_for_the_authority),
        TEST(what_should_not_be_issued_is_not),
        TEST(dns_names_are_of_the_rfc),
        TEST(an_authority_needs_a_trust_domain_and_a_time),
        TEST(times_from_2050_are_written_in_full),
        TEST(a_request_gives_its_key),
    };

    return cmocka_run_group_tests_name("x509_issue", tests, NULL, NULL);
}
