#include "libs/crypto/x509.h"

#include "libs/base/text.h"
#include "libs/crypto/x509_issue.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static const int64_t now_ms = 1795000000000; /* in 2026 */

struct authority {
    struct p256_key *key;
    bytes der;
};

struct fixture {
    struct arena *arena;
    struct seeded_random random;
    struct authority ours;  /* of weft.example, since yesterday for ten days */
    struct authority next;  /* the same, another key */
    struct authority other; /* of other.example */
    struct p256_key *key;
    bytes svid; /* by ours, since now for one day */
    struct x509_verify_options options;
};

static struct authority authority_of(struct fixture *f, const char *trust_domain)
{
    struct authority authority = { .key = p256_key_generate(&f->random.source) };

    assert_status(x509_issue_authority(f->arena,
                                       &(struct x509_authority_options){
                                           .random = &f->random.source,
                                           .key = authority.key,
                                           .trust_domain = trust_domain,
                                           .now_ms = now_ms - DAY_MS,
                                           .lifetime_ms = 10 * DAY_MS,
                                       },
                                       &authority.der),
                  STATUS_OK);
    return authority;
}

static bytes svid_of(struct fixture *f, const struct authority *authority, const char *trust_domain)
{
    struct x509_svid_options options = {
        .random = &f->random.source,
        .key = authority->key,
        .authority = authority->der,
        .spki = p256_key_spki(f->key, f->arena),
        .now_ms = now_ms,
        .lifetime_ms = DAY_MS,
    };
    bytes der = { 0 };

    assert_status(spiffe_id_make(f->arena, trust_domain, "/service/search", &options.id),
                  STATUS_OK);
    assert_status(x509_issue_svid(f->arena, &options, &der), STATUS_OK);
    return der;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->arena = arena_new();
    seeded_random_init(&f->random, 6);
    f->ours = authority_of(f, "weft.example");
    f->next = authority_of(f, "weft.example");
    f->other = authority_of(f, "other.example");
    f->key = p256_key_generate(&f->random.source);
    f->svid = svid_of(f, &f->ours, "weft.example");
    f->options = (struct x509_verify_options){
        .chain = f->svid,
        .bundle = f->ours.der,
        .trust_domain = "weft.example",
        .now_ms = now_ms,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    p256_key_free(f->ours.key);
    p256_key_free(f->next.key);
    p256_key_free(f->other.key);
    p256_key_free(f->key);
    arena_free(f->arena);
    free(f);
    return 0;
}

static bytes join(struct fixture *f, bytes first, bytes second)
{
    const bytes values[] = { first, second };

    return x509_join(f->arena, &(struct der_list){ .values = values, .n_values = 2 });
}

/* ---- Believing ---- */

static void what_the_bundle_signed_is_believed(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate svid;

    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_OK);
    assert_string_equal(svid.id.text, "spiffe://weft.example/service/search");
}

/* While authorities change, both are in the bundle, in any order. */
static void any_authority_of_the_bundle_will_do(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate svid;

    f->options.bundle = join(f, f->next.der, f->ours.der);
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_OK);
    f->options.bundle = join(f, f->ours.der, f->next.der);
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_OK);
    f->options.bundle = f->next.der;
    status s = x509_verify(f->arena, &f->options, &svid);
    assert_status(s, STATUS_UNAUTHENTICATED);
    assert_non_null(strstr(s.message, "signed by none"));
}

/* The only times that count are the certificate's and the caller's: in both directions far from
 * the machine's. */
static void the_time_is_the_callers(void **state)
{
    static const struct {
        int64_t at_ms;
        int64_t grace_ms;
        enum status_code want;
        const char *message;
    } cases[] = {
        { .at_ms = 0, .want = STATUS_OK },
        { .at_ms = -X509_BACKDATE_MS, .want = STATUS_OK },
        { -X509_BACKDATE_MS - 1, 0, STATUS_UNAUTHENTICATED, "not valid yet" },
        { .at_ms = DAY_MS, .want = STATUS_OK },
        { DAY_MS + 1, 0, STATUS_UNAUTHENTICATED, "expired" },
        { DAY_MS + 1, 1, STATUS_OK, "" },
        { 3 * DAY_MS, 2 * DAY_MS, STATUS_OK, "" },
        { 3 * DAY_MS + 1, 2 * DAY_MS, STATUS_UNAUTHENTICATED, "expired" },
        { -X509_BACKDATE_MS - 1, 2 * DAY_MS, STATUS_UNAUTHENTICATED, "not valid yet" },
        /* the authority's end, for which there is no grace */
        { 9 * DAY_MS, 30 * DAY_MS, STATUS_OK, "" },
        { 9 * DAY_MS + 1, 30 * DAY_MS, STATUS_UNAUTHENTICATED, "expired" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct x509_certificate svid;
        f->options.now_ms = now_ms + cases[i].at_ms;
        f->options.grace_ms = cases[i].grace_ms;
        status s = x509_verify(f->arena, &f->options, &svid);
        if (s.code != cases[i].want ||
            (cases[i].message != NULL && strstr(s.message, cases[i].message) == NULL)) {
            fail_msg("case %zu: %s (%s)", i, status_code_name(s.code), s.message);
        }
    }
}

static void another_trust_domain_is_not_believed(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate svid;

    f->options.chain = svid_of(f, &f->other, "other.example");
    f->options.bundle = f->other.der;
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_UNAUTHENTICATED);
    f->options.trust_domain = "other.example";
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_OK);
    f->options.bundle = f->ours.der; /* which speaks for weft.example */
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_INVALID_ARGUMENT);
}

static void a_changed_certificate_is_not_believed(void **state)
{
    struct fixture *f = *state;
    uint8_t *changed = arena_alloc(f->arena, f->svid.size);

    f->options.chain = (bytes){ .data = changed, .size = f->svid.size };
    for (size_t i = 0; i < f->svid.size; i += 7) {
        struct x509_certificate svid;
        memcpy(changed, f->svid.data, f->svid.size);
        changed[i] ^= 1;
        assert_false(status_is_ok(x509_verify(f->arena, &f->options, &svid)));
    }
}

/* An authority is no workload, a workload no authority: not even for itself. */
static void the_kinds_are_not_taken_for_each_other(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate certificate;

    assert_status(x509_parse_svid(f->arena, f->ours.der, &certificate), STATUS_INVALID_ARGUMENT);
    assert_status(x509_parse_authority(f->arena, f->svid, &certificate), STATUS_INVALID_ARGUMENT);
    f->options.bundle = f->svid;
    assert_status(x509_verify(f->arena, &f->options, &certificate), STATUS_INVALID_ARGUMENT);
    f->options.bundle = f->ours.der;
    f->options.chain = f->ours.der;
    assert_status(x509_verify(f->arena, &f->options, &certificate), STATUS_INVALID_ARGUMENT);
}

static void what_follows_the_leaf_makes_nobody_trusted(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate svid;

    f->options.chain = join(f, f->svid, f->ours.der);
    f->options.bundle = f->next.der;
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_UNAUTHENTICATED);
    f->options.bundle = f->ours.der;
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_OK);
}

static void without_a_chain_or_a_bundle_nobody_is_believed(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate svid;

    f->options.bundle = (bytes){ 0 };
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_INVALID_ARGUMENT);
    f->options.bundle = f->ours.der;
    f->options.chain = (bytes){ 0 };
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_INVALID_ARGUMENT);
}

/* ---- Reading ---- */

static void a_certificate_that_is_cut_off_is_refused(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate read;
    uint8_t *longer = arena_alloc(f->arena, f->svid.size + 1);

    for (size_t size = 0; size < f->svid.size; size++) {
        assert_status(x509_parse_svid(f->arena, (bytes){ f->svid.data, size }, &read),
                      STATUS_INVALID_ARGUMENT);
    }
    memcpy(longer, f->svid.data, f->svid.size);
    assert_status(x509_parse_svid(f->arena, (bytes){ longer, f->svid.size + 1 }, &read),
                  STATUS_INVALID_ARGUMENT);
}

static void a_certificate_that_is_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate read;
    bytes large = { .data = arena_alloc(f->arena, X509_MAX_BYTES + 1), .size = X509_MAX_BYTES + 1 };
    status s = x509_parse_svid(f->arena, large, &read);

    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.message, "a certificate has 8192 bytes at most");
}

/* What somebody else might make, by his own key, as openssl.cnf would say it; NULL leaves out. */
struct foreign {
    const char *curve; /* NULL is P-256's */
    const char *constraints;
    const char *usage;
    const char *extended;
    const char *names;
};

static void extend(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = value == NULL ? NULL : X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_true(value == NULL || extension != NULL);
    if (extension != NULL) {
        assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
        X509_EXTENSION_free(extension);
    }
}

static bytes foreign_certificate(struct fixture *f, const struct foreign *foreign)
{
    EVP_PKEY *key = EVP_EC_gen(foreign->curve != NULL ? foreign->curve : "prime256v1");
    X509 *certificate = X509_new();
    uint8_t *der = NULL;

    assert_non_null(key);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(now_ms / 1000)));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(now_ms / 1000) + 3600));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "O",
                                                MBSTRING_ASC, (const uint8_t *)"Foreign", -1, -1,
                                                0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)), 1);
    extend(certificate, NID_basic_constraints, foreign->constraints);
    extend(certificate, NID_key_usage, foreign->usage);
    extend(certificate, NID_ext_key_usage, foreign->extended);
    extend(certificate, NID_subject_alt_name, foreign->names);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    size_t size = (size_t)i2d_X509(certificate, &der);
    uint8_t *copy = arena_alloc(f->arena, size);
    memcpy(copy, der, size);
    OPENSSL_free(der);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return (bytes){ .data = copy, .size = size };
}

#define LEAF      "critical,CA:FALSE"
#define SIGNATURE "critical,digitalSignature"
#define BOTH      "serverAuth,clientAuth"
#define SEARCH    "URI:spiffe://weft/search"

/* X.509-SVID, section 5.2: what a validator must refuse. */
static void what_is_no_svid_is_refused_with_the_reason(void **state)
{
    static const struct {
        struct foreign made;
        const char *message; /* NULL: it is one */
    } cases[] = {
        { { NULL, LEAF, SIGNATURE, BOTH, SEARCH }, NULL },
        { { NULL, NULL, SIGNATURE, BOTH, SEARCH }, NULL },
        { { NULL, LEAF, SIGNATURE, NULL, SEARCH }, NULL },
        { { NULL, LEAF, SIGNATURE, BOTH, SEARCH ",DNS:a,email:a@b.c,IP:1.2.3.4" }, NULL },
        { { "secp384r1", LEAF, SIGNATURE, BOTH, SEARCH }, NULL },
        { { NULL, "CA:TRUE", SIGNATURE, BOTH, SEARCH }, "an authority's" },
        { { NULL, LEAF, NULL, BOTH, SEARCH }, "key usage" },
        { { NULL, LEAF, "keyAgreement", BOTH, SEARCH }, "key usage" },
        { { NULL, LEAF, "digitalSignature,keyCertSign", BOTH, SEARCH }, "key usage" },
        { { NULL, LEAF, "digitalSignature,cRLSign", BOTH, SEARCH }, "key usage" },
        { { NULL, LEAF, SIGNATURE, "serverAuth", SEARCH }, "servers and clients" },
        { { NULL, LEAF, SIGNATURE, "clientAuth", SEARCH }, "servers and clients" },
        { { NULL, LEAF, SIGNATURE, BOTH, NULL }, "names no workload" },
        { { NULL, LEAF, SIGNATURE, BOTH, "DNS:search" }, "names no workload" },
        { { NULL, LEAF, SIGNATURE, BOTH, "URI:spiffe://weft" }, "names no workload" },
        { { NULL, LEAF, SIGNATURE, BOTH, SEARCH ",URI:spiffe://weft/b" }, "more than one" },
        { { NULL, LEAF, SIGNATURE, BOTH, SEARCH "," SEARCH }, "more than one" },
        { { NULL, LEAF, SIGNATURE, BOTH, "URI:https://weft/search" }, "no SPIFFE ID" },
        { { NULL, LEAF, SIGNATURE, BOTH, "URI:spiffe://weft/../a" }, "no SPIFFE ID" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct x509_certificate svid;
        bytes der = foreign_certificate(f, &cases[i].made);
        status s = x509_parse_svid(f->arena, der, &svid);
        if (status_is_ok(s) != (cases[i].message == NULL) ||
            (cases[i].message != NULL && strstr(s.message, cases[i].message) == NULL)) {
            fail_msg("case %zu: %s (%s)", i, status_code_name(s.code), s.message);
        }
    }
}

static void what_is_no_authority_is_refused(void **state)
{
    static const struct {
        struct foreign made;
        bool good;
    } cases[] = {
        { { NULL, "critical,CA:TRUE", "keyCertSign", NULL, "URI:spiffe://weft" }, true },
        { { NULL, "critical,CA:TRUE", "keyCertSign", NULL, NULL }, true },
        { { NULL, "critical,CA:TRUE", "cRLSign", NULL, NULL }, false },
        { { NULL, "critical,CA:TRUE", NULL, NULL, NULL }, false },
        { { NULL, "critical,CA:FALSE", "keyCertSign", NULL, NULL }, false },
        { { NULL, "critical,CA:TRUE", "keyCertSign", NULL, SEARCH }, false },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct x509_certificate authority;
        bytes der = foreign_certificate(f, &cases[i].made);
        status s = x509_parse_authority(f->arena, der, &authority);
        assert_int_equal(status_is_ok(s), cases[i].good);
    }
}

/* A nearly good one, signed by itself: that the names are right helps nobody. */
static void who_signs_himself_is_not_believed(void **state)
{
    struct fixture *f = *state;
    struct x509_certificate svid;

    f->options.chain = foreign_certificate(
        f, &(struct foreign){ NULL, LEAF, SIGNATURE, BOTH, "URI:spiffe://weft.example/a" });
    assert_status(x509_verify(f->arena, &f->options, &svid), STATUS_UNAUTHENTICATED);
}

static void chains_are_cut_and_joined(void **state)
{
    struct fixture *f = *state;
    struct der_list list;
    bytes chain = join(f, f->svid, f->ours.der);

    assert_status(x509_split(f->arena, chain, &list), STATUS_OK);
    assert_int_equal(list.n_values, 2);
    assert_int_equal(list.values[0].size, f->svid.size);
    assert_memory_equal(list.values[1].data, f->ours.der.data, f->ours.der.size);
    for (size_t size = 0; size < chain.size; size++) {
        status s = x509_split(f->arena, (bytes){ chain.data, size }, &list);
        assert_status(s, size == f->svid.size ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    }
}

static void chains_have_a_limit(void **state)
{
    struct fixture *f = *state;
    uint8_t many[(PEM_MAX_BLOCKS + 1) * 2];
    struct der_list list;

    for (size_t i = 0; i < sizeof many; i++) {
        many[i] = i % 2 == 0 ? 0x30 : 0;
    }
    assert_status(x509_split(f->arena, (bytes){ many, sizeof many - 2 }, &list), STATUS_OK);
    assert_int_equal(list.n_values, PEM_MAX_BLOCKS);
    assert_status(x509_split(f->arena, (bytes){ many, sizeof many }, &list),
                  STATUS_INVALID_ARGUMENT);
}

static void pem_goes_there_and_back(void **state)
{
    struct fixture *f = *state;
    bytes chain = join(f, f->svid, f->ours.der);
    const char *pem = NULL;
    bytes back = { 0 };

    assert_status(x509_to_pem(f->arena, chain, &pem), STATUS_OK);
    assert_status(x509_from_pem(f->arena, bytes_of(pem), &back), STATUS_OK);
    assert_int_equal(back.size, chain.size);
    assert_memory_equal(back.data, chain.data, chain.size);
    pem = arena_printf(f->arena, "%s%s", p256_key_pem(f->key, f->arena), pem);
    assert_status(x509_from_pem(f->arena, bytes_of(pem), &back), STATUS_OK);
    assert_int_equal(back.size, chain.size);
    pem = p256_key_pem(f->key, f->arena);
    assert_status(x509_from_pem(f->arena, bytes_of(pem), &back), STATUS_INVALID_ARGUMENT);
    pem = pem_encode(f->arena, "CERTIFICATE", chain); /* two in one block */
    assert_status(x509_from_pem(f->arena, bytes_of(pem), &back), STATUS_INVALID_ARGUMENT);
}

/* ---- Requests ---- */

static void a_request_changed_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    bytes request = { 0 };
    bytes spki = { 0 };

    assert_status(x509_make_request(f->arena, &f->random.source, f->key, &request), STATUS_OK);
    uint8_t *changed = arena_alloc(f->arena, request.size);
    for (size_t i = 0; i < request.size; i++) {
        memcpy(changed, request.data, request.size);
        changed[i] ^= 1;
        status s = x509_parse_request(f->arena, (bytes){ changed, request.size }, &spki);
        if (s.code != STATUS_INVALID_ARGUMENT) {
            fail_msg("byte %zu: %s", i, status_code_name(s.code));
        }
        assert_status(x509_parse_request(f->arena, (bytes){ request.data, i }, &spki),
                      STATUS_INVALID_ARGUMENT);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_bundle_signed_is_believed),
        TEST(any_authority_of_the_bundle_will_do),
        TEST(the_time_is_the_callers),
        TEST(another_trust_domain_is_not_believed),
        TEST(a_changed_certificate_is_not_believed),
        TEST(the_kinds_are_not_taken_for_each_other),
        TEST(what_follows_the_leaf_makes_nobody_trusted),
        TEST(without_a_chain_or_a_bundle_nobody_is_believed),
        TEST(a_certificate_that_is_cut_off_is_refused),
        TEST(a_certificate_that_is_too_large_is_refused),
        TEST(what_is_no_svid_is_refused_with_the_reason),
        TEST(what_is_no_authority_is_refused),
        TEST(who_signs_himself_is_not_believed),
        TEST(chains_are_cut_and_joined),
        TEST(chains_have_a_limit),
        TEST(pem_goes_there_and_back),
        TEST(a_request_changed_anywhere_is_refused),
    };

    return cmocka_run_group_tests_name("x509", tests, NULL, NULL);
}
