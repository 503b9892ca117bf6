#include "libs/crypto/x509_issue.h"

#include "libs/base/encoding.h"
#include "libs/crypto/x509.h"

#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of a subjectAltName: [2] IA5String, [6] IA5String (RFC 5280, 4.2.1.6). */
enum { TAG_DNS_NAME = 0x82, TAG_URI = 0x86 };

/* "20261121124500" and its NUL. */
enum { TIME_BYTES = 15 };

/* Until the end of 9999, the last that X.509 can say. */
static const int64_t last_ms = 253402300799000;

/* SEQUENCE { serverAuth, clientAuth } */
static const uint8_t server_and_client[] = { 0x30, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05,
                                             0x05, 0x07, 0x03, 0x01, 0x06, 0x08, 0x2b, 0x06,
                                             0x01, 0x05, 0x05, 0x07, 0x03, 0x02 };

/* ---- The parts of a certificate ---- */

/* What a certificate is made of; the keys stay owned by whoever filled them in. */
struct draft {
    mbedtls_x509write_cert cert;
    mbedtls_pk_context subject_key;
    mbedtls_pk_context issuer_key;
    uint8_t serial[X509_SERIAL_BYTES];
};

static void draft_init(struct draft *draft)
{
    mbedtls_x509write_crt_init(&draft->cert);
    mbedtls_pk_init(&draft->subject_key);
    mbedtls_pk_init(&draft->issuer_key);
    mbedtls_x509write_crt_set_version(&draft->cert, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&draft->cert, MBEDTLS_MD_SHA256);
}

static void draft_reset(struct draft *draft)
{
    mbedtls_x509write_crt_free(&draft->cert);
    mbedtls_pk_free(&draft->subject_key); /* wipes them */
    mbedtls_pk_free(&draft->issuer_key);
}

/* mbedTLS asks for its randomness by a pointer that is not const. */
struct generator {
    const struct random_source *random;
};

static int fill(void *data, unsigned char *out, size_t size)
{
    const struct generator *generator = data;

    random_fill(generator->random, out, size);
    return 0;
}

static bool read_key(struct arena *arena, mbedtls_pk_context *pk, const struct p256_key *key)
{
    bytes der = p256_key_der(key, arena);

    return mbedtls_pk_parse_key(pk, der.data, der.size, NULL, 0) == 0;
}

static status internal(struct arena *arena)
{
    return status_error(arena, STATUS_INTERNAL, "a certificate could not be made");
}

/* Two bits are fixed, so that the number is positive and always of 16 bytes. */
static status set_serial(struct arena *arena, struct draft *draft,
                         const struct random_source *random)
{
    mbedtls_mpi number;

    random_fill(random, draft->serial, sizeof draft->serial);
    draft->serial[0] = (uint8_t)((draft->serial[0] & 0x3f) | 0x40);
    mbedtls_mpi_init(&number);
    bool done = mbedtls_mpi_read_binary(&number, draft->serial, sizeof draft->serial) == 0 &&
                mbedtls_x509write_crt_set_serial(&draft->cert, &number) == 0;
    mbedtls_mpi_free(&number);
    return done ? status_ok() : internal(arena);
}

static void write_time(int64_t ms, char ret_text[TIME_BYTES])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm fields;

    (void)gmtime_r(&seconds, &fields);
    (void)strftime(ret_text, TIME_BYTES, "%Y%m%d%H%M%S", &fields);
}

static status set_validity(struct arena *arena, struct draft *draft, int64_t now_ms, int64_t end_ms)
{
    char from[TIME_BYTES];
    char to[TIME_BYTES];

    if (now_ms < X509_BACKDATE_MS || end_ms <= now_ms || end_ms > last_ms) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "a certificate cannot be valid at such times");
    }
    write_time(now_ms - X509_BACKDATE_MS, from);
    write_time(end_ms, to);
    return mbedtls_x509write_crt_set_validity(&draft->cert, from, to) == 0 ? status_ok()
                                                                           : internal(arena);
}

/* mbedTLS writes DER from its end: the names last to first, then what stands before them. */
static int write_names(uint8_t **at, uint8_t *start, const char *uri,
                       const struct x509_svid_options *svid)
{
    int size = 0;
    int ret = 0;

    for (size_t i = svid != NULL ? svid->n_dns_names : 0; i > 0; i--) {
        const char *name = svid->dns_names[i - 1];
        MBEDTLS_ASN1_CHK_ADD(
            size, mbedtls_asn1_write_tagged_string(at, start, TAG_DNS_NAME, name, strlen(name)));
    }
    MBEDTLS_ASN1_CHK_ADD(size,
                         mbedtls_asn1_write_tagged_string(at, start, TAG_URI, uri, strlen(uri)));
    MBEDTLS_ASN1_CHK_ADD(size, mbedtls_asn1_write_len(at, start, (size_t)size));
    MBEDTLS_ASN1_CHK_ADD(
        size, mbedtls_asn1_write_tag(at, start, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
    return size;
}

/* svid is NULL for an authority, which has no DNS names. */
static status set_names(struct arena *arena, struct draft *draft, const char *uri,
                        const struct x509_svid_options *svid)
{
    uint8_t *buffer = arena_alloc(arena, X509_MAX_BYTES);
    uint8_t *at = buffer + X509_MAX_BYTES;
    int size = write_names(&at, buffer, uri, svid);

    if (size < 0 || mbedtls_x509write_crt_set_extension(
                        &draft->cert, MBEDTLS_OID_SUBJECT_ALT_NAME,
                        MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, at, (size_t)size) != 0) {
        return internal(arena);
    }
    return status_ok();
}

static bool set_key_identifiers(struct draft *draft)
{
    mbedtls_x509write_crt_set_subject_key(&draft->cert, &draft->subject_key);
    mbedtls_x509write_crt_set_issuer_key(&draft->cert, &draft->issuer_key);
    return mbedtls_x509write_crt_set_subject_key_identifier(&draft->cert) == 0 &&
           mbedtls_x509write_crt_set_authority_key_identifier(&draft->cert) == 0;
}

/* Signs.  mbedTLS leaves the certificate at the end of the buffer. */
static status finish(struct arena *arena, struct draft *draft, const struct random_source *random,
                     bytes *ret_der)
{
    struct generator generator = { .random = random };
    uint8_t *buffer = arena_alloc(arena, X509_MAX_BYTES);
    int size = mbedtls_x509write_crt_der(&draft->cert, buffer, X509_MAX_BYTES, fill, &generator);

    if (size <= 0) {
        return internal(arena);
    }
    *ret_der = (bytes){ .data = buffer + X509_MAX_BYTES - size, .size = (size_t)size };
    return status_ok();
}

/* ---- An authority ---- */

/* The name has the serial in it, so that of two authorities each is found by its name. */
static bool set_authority_rights(struct arena *arena, struct draft *draft)
{
    bytes serial = { .data = draft->serial, .size = sizeof draft->serial };
    const char *name = arena_printf(arena, "O=Weft,CN=Weft mesh authority,serialNumber=%s",
                                    hex_encode(arena, serial));

    return mbedtls_x509write_crt_set_subject_name(&draft->cert, name) == 0 &&
           mbedtls_x509write_crt_set_issuer_name(&draft->cert, name) == 0 &&
           mbedtls_x509write_crt_set_basic_constraints(&draft->cert, 1, 0) == 0 &&
           mbedtls_x509write_crt_set_key_usage(&draft->cert, MBEDTLS_X509_KU_KEY_CERT_SIGN |
                                                                 MBEDTLS_X509_KU_CRL_SIGN) == 0;
}

status x509_issue_authority(struct arena *arena, const struct x509_authority_options *options,
                            bytes *ret_der)
{
    CLEANUP(draft_reset) struct draft draft;
    struct spiffe_id id;

    draft_init(&draft);
    TRY(spiffe_id_make(arena, options->trust_domain, "", &id));
    TRY(set_serial(arena, &draft, options->random));
    TRY(set_validity(arena, &draft, options->now_ms, options->now_ms + options->lifetime_ms));
    TRY(set_names(arena, &draft, id.text, NULL));
    if (!read_key(arena, &draft.subject_key, options->key) ||
        !read_key(arena, &draft.issuer_key, options->key) || !set_key_identifiers(&draft) ||
        !set_authority_rights(arena, &draft)) {
        return internal(arena);
    }
    return finish(arena, &draft, options->random, ret_der);
}

/* ---- A workload ---- */

static bool set_svid_rights(struct draft *draft)
{
    return mbedtls_x509write_crt_set_subject_name(&draft->cert, "O=Weft") == 0 &&
           mbedtls_x509write_crt_set_basic_constraints(&draft->cert, 0, -1) == 0 &&
           mbedtls_x509write_crt_set_key_usage(&draft->cert, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) ==
               0 &&
           mbedtls_x509write_crt_set_extension(&draft->cert, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                                               MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0,
                                               server_and_client, sizeof server_and_client) == 0;
}

/* Both are ours, so what mbedTLS reads as text it writes back as the same bytes. */
static bool set_issuer_name(struct draft *draft, bytes authority)
{
    mbedtls_x509_crt parsed;
    char name[MBEDTLS_X509_MAX_DN_NAME_SIZE];

    mbedtls_x509_crt_init(&parsed);
    bool done = mbedtls_x509_crt_parse_der(&parsed, authority.data, authority.size) == 0 &&
                mbedtls_x509_dn_gets(name, sizeof name, &parsed.subject) > 0 &&
                mbedtls_x509write_crt_set_issuer_name(&draft->cert, name) == 0;
    mbedtls_x509_crt_free(&parsed);
    return done;
}

/* RFC 1123, 2.1, lower case. */
static bool is_dns_name(const char *name)
{
    size_t size = strlen(name);
    size_t label = 0;

    for (size_t i = 0; i < size; i++) {
        bool dot = name[i] == '.';
        bool edge = label == 0 || name[i + 1] == '.' || name[i + 1] == '\0';
        if ((dot && label == 0) || (name[i] == '-' && edge) || label > 63 ||
            strchr("abcdefghijklmnopqrstuvwxyz0123456789-.", name[i]) == NULL) {
            return false;
        }
        label = dot ? 0 : label + 1;
    }
    return size > 0 && size <= 253 && label > 0 && label <= 63;
}

static status check_dns_names(struct arena *arena, const struct x509_svid_options *options)
{
    if (options->n_dns_names > X509_MAX_DNS_NAMES) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "more than %d DNS names",
                            X509_MAX_DNS_NAMES);
    }
    for (size_t i = 0; i < options->n_dns_names; i++) {
        if (!is_dns_name(options->dns_names[i])) {
            return status_error(arena, STATUS_INVALID_ARGUMENT, "'%s' is no DNS name",
                                options->dns_names[i]);
        }
    }
    return status_ok();
}

static status check_authority(struct arena *arena, const struct x509_svid_options *options,
                              const struct x509_certificate *authority)
{
    bytes spki = p256_key_spki(options->key, arena);

    if (authority->spki.size != spki.size ||
        memcmp(authority->spki.data, spki.data, spki.size) != 0) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "the authority's certificate is not its key's");
    }
    if (options->now_ms < authority->not_before_ms || options->now_ms >= authority->not_after_ms) {
        return status_error(arena, STATUS_FAILED_PRECONDITION, "the authority is not valid now");
    }
    return status_ok();
}

static status check_svid_options(struct arena *arena, const struct x509_svid_options *options,
                                 const struct x509_certificate *authority)
{
    struct p256_public *key = NULL;

    TRY(p256_public_parse(arena, options->spki, &key));
    p256_public_free(key);
    if (!spiffe_id_names_workload(&options->id) ||
        strcmp(options->id.trust_domain, authority->id.trust_domain) != 0) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "'%s' is no workload of the authority's trust domain",
                            options->id.text);
    }
    TRY(check_dns_names(arena, options));
    return check_authority(arena, options, authority);
}

status x509_issue_svid(struct arena *arena, const struct x509_svid_options *options, bytes *ret_der)
{
    CLEANUP(draft_reset) struct draft draft;
    struct x509_certificate authority;
    int64_t end_ms = options->now_ms + options->lifetime_ms;

    draft_init(&draft);
    TRY(x509_parse_authority(arena, options->authority, &authority));
    TRY(check_svid_options(arena, options, &authority));
    end_ms = end_ms < authority.not_after_ms ? end_ms : authority.not_after_ms;
    TRY(set_serial(arena, &draft, options->random));
    TRY(set_validity(arena, &draft, options->now_ms, end_ms));
    TRY(set_names(arena, &draft, options->id.text, options));
    if (mbedtls_pk_parse_public_key(&draft.subject_key, options->spki.data, options->spki.size) !=
            0 ||
        !read_key(arena, &draft.issuer_key, options->key) || !set_key_identifiers(&draft) ||
        !set_issuer_name(&draft, options->authority) || !set_svid_rights(&draft)) {
        return internal(arena);
    }
    return finish(arena, &draft, options->random, ret_der);
}

/* ---- A request ---- */

status x509_make_request(struct arena *arena, const struct random_source *random,
                         const struct p256_key *key, bytes *ret_der)
{
    enum { MAX_BYTES = 512 }; /* of a P-256 key, one name and a signature: about 220 */
    struct generator generator = { .random = random };
    uint8_t *buffer = arena_alloc(arena, MAX_BYTES);
    mbedtls_pk_context pk;
    mbedtls_x509write_csr request;
    int size = 0;

    mbedtls_pk_init(&pk);
    mbedtls_x509write_csr_init(&request);
    mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
    if (read_key(arena, &pk, key) &&
        mbedtls_x509write_csr_set_subject_name(&request, "O=Weft") == 0) {
        mbedtls_x509write_csr_set_key(&request, &pk);
        size = mbedtls_x509write_csr_der(&request, buffer, MAX_BYTES, fill, &generator);
    }
    mbedtls_x509write_csr_free(&request);
    mbedtls_pk_free(&pk);
    *ret_der = (bytes){ .data = buffer + MAX_BYTES - size, .size = (size_t)size };
    return size > 0 ? status_ok() : internal(arena);
}
