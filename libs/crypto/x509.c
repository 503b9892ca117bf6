#include "libs/crypto/x509.h"

#include "libs/base/text.h"
#include "libs/crypto/p256.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <string.h>
#include <time.h>

/* Of a subjectAltName: [2] IA5String, [6] IA5String (RFC 5280, 4.2.1.6). */
enum { TAG_DNS_NAME = 0x82, TAG_URI = 0x86 };

static void free_certificate(mbedtls_x509_crt *certificate)
{
    mbedtls_x509_crt_free(certificate);
}

static void free_request(mbedtls_x509_csr *request)
{
    mbedtls_x509_csr_free(request);
}

static status invalid(struct arena *arena, const char *what)
{
    return status_error(arena, STATUS_INVALID_ARGUMENT, "%s", what);
}

/* ---- Reading ---- */

static bytes copy_bytes(struct arena *arena, const mbedtls_x509_buf *from)
{
    uint8_t *copy = arena_alloc(arena, from->len + 1);

    memcpy(copy, from->p, from->len);
    return (bytes){ .data = copy, .size = from->len };
}

static int64_t time_ms(const mbedtls_x509_time *time)
{
    struct tm fields = {
        .tm_year = time->year - 1900,
        .tm_mon = time->mon - 1,
        .tm_mday = time->day,
        .tm_hour = time->hour,
        .tm_min = time->min,
        .tm_sec = time->sec,
    };

    return (int64_t)timegm(&fields) * 1000;
}

/* Its one URI, when there is one, into id.  Two are none that can be trusted. */
static status read_uri(struct arena *arena, const mbedtls_x509_crt *parsed,
                       struct spiffe_id *ret_id)
{
    const mbedtls_x509_buf *uri = NULL;

    for (const mbedtls_x509_sequence *at = &parsed->subject_alt_names; at != NULL; at = at->next) {
        if (at->buf.tag == TAG_URI && uri != NULL) {
            return invalid(arena, "the certificate has more than one URI");
        }
        uri = at->buf.tag == TAG_URI ? &at->buf : uri;
    }
    return uri == NULL ? status_ok() : spiffe_id_parse(arena, copy_bytes(arena, uri), ret_id);
}

static void read_dns_names(struct arena *arena, const mbedtls_x509_crt *parsed,
                           struct x509_certificate *certificate)
{
    const char **names = ARENA_NEW_ARRAY(arena, const char *, X509_MAX_DNS_NAMES);
    size_t n = 0;

    for (const mbedtls_x509_sequence *at = &parsed->subject_alt_names; at != NULL; at = at->next) {
        if (at->buf.tag == TAG_DNS_NAME && n < X509_MAX_DNS_NAMES) {
            names[n++] = (const char *)copy_bytes(arena, &at->buf).data;
        }
    }
    certificate->dns_names = names;
    certificate->n_dns_names = n;
}

/* What both kinds have.  The caller frees parsed, whatever comes back. */
static status read_certificate(struct arena *arena, bytes der, mbedtls_x509_crt *parsed,
                               struct x509_certificate *certificate)
{
    if (der.size == 0 || der.size > X509_MAX_BYTES) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "a certificate has %d bytes at most",
                            X509_MAX_BYTES);
    }
    if (mbedtls_x509_crt_parse_der(parsed, der.data, der.size) != 0 ||
        parsed->raw.len != der.size) {
        return invalid(arena, "the certificate is not well formed");
    }
    *certificate = (struct x509_certificate){
        .der = copy_bytes(arena, &parsed->raw),
        .id = { .text = "", .trust_domain = "", .path = "" },
        .serial = copy_bytes(arena, &parsed->serial),
        .spki = copy_bytes(arena, &parsed->pk_raw),
        .not_before_ms = time_ms(&parsed->valid_from),
        .not_after_ms = time_ms(&parsed->valid_to),
    };
    read_dns_names(arena, parsed, certificate);
    return read_uri(arena, parsed, &certificate->id);
}

static bool has(const mbedtls_x509_crt *parsed, unsigned usage)
{
    return (parsed->ext_types & MBEDTLS_X509_EXT_KEY_USAGE) != 0 &&
           (parsed->key_usage & usage) != 0;
}

static bool may_serve_and_ask(const mbedtls_x509_crt *parsed)
{
    return mbedtls_x509_crt_check_extended_key_usage(
               parsed, MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) == 0 &&
           mbedtls_x509_crt_check_extended_key_usage(
               parsed, MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)) == 0;
}

/* X.509-SVID, 2 and 4: what a leaf must and must not have. */
static status check_svid(struct arena *arena, const mbedtls_x509_crt *parsed,
                         const struct x509_certificate *certificate)
{
    if (parsed->ca_istrue != 0) {
        return invalid(arena, "the certificate is an authority's, not a workload's");
    }
    if (!has(parsed, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) ||
        has(parsed, MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN)) {
        return invalid(arena, "the certificate's key usage is not a workload's");
    }
    if (!may_serve_and_ask(parsed)) {
        return invalid(arena, "the certificate is not for servers and clients both");
    }
    if (!spiffe_id_names_workload(&certificate->id)) {
        return invalid(arena, "the certificate names no workload");
    }
    return status_ok();
}

static status check_authority(struct arena *arena, const mbedtls_x509_crt *parsed,
                              const struct x509_certificate *certificate)
{
    if (parsed->ca_istrue == 0 || !has(parsed, MBEDTLS_X509_KU_KEY_CERT_SIGN)) {
        return invalid(arena, "the certificate is not an authority's");
    }
    if (spiffe_id_names_workload(&certificate->id)) {
        return invalid(arena, "the authority names a workload");
    }
    return status_ok();
}

status x509_parse_svid(struct arena *arena, bytes der, struct x509_certificate *ret_certificate)
{
    CLEANUP(free_certificate) mbedtls_x509_crt parsed;
    struct x509_certificate certificate;

    mbedtls_x509_crt_init(&parsed);
    TRY(read_certificate(arena, der, &parsed, &certificate));
    TRY(check_svid(arena, &parsed, &certificate));
    *ret_certificate = certificate;
    return status_ok();
}

status x509_parse_authority(struct arena *arena, bytes der,
                            struct x509_certificate *ret_certificate)
{
    CLEANUP(free_certificate) mbedtls_x509_crt parsed;
    struct x509_certificate certificate;

    mbedtls_x509_crt_init(&parsed);
    TRY(read_certificate(arena, der, &parsed, &certificate));
    TRY(check_authority(arena, &parsed, &certificate));
    *ret_certificate = certificate;
    return status_ok();
}

/* ---- Several ---- */

status x509_split(struct arena *arena, bytes chain, struct der_list *ret_list)
{
    uint8_t *copy = arena_alloc(arena, chain.size + 1);
    bytes *values = ARENA_NEW_ARRAY(arena, bytes, PEM_MAX_BLOCKS);
    size_t n = 0;

    if (chain.size > 0) {
        memcpy(copy, chain.data, chain.size);
    }
    for (uint8_t *at = copy, *end = copy + chain.size; at < end; n++) {
        uint8_t *start = at;
        size_t size = 0;
        if (n == PEM_MAX_BLOCKS) {
            return status_error(arena, STATUS_INVALID_ARGUMENT, "more than %d certificates",
                                PEM_MAX_BLOCKS);
        }
        if (mbedtls_asn1_get_tag(&at, end, &size,
                                 MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0) {
            return status_error(arena, STATUS_INVALID_ARGUMENT,
                                "certificate %zu is cut off or none", n + 1);
        }
        at += size;
        values[n] = (bytes){ .data = start, .size = (size_t)(at - start) };
    }
    if (n == 0) {
        return invalid(arena, "there is no certificate");
    }
    *ret_list = (struct der_list){ .values = values, .n_values = n };
    return status_ok();
}

bytes x509_join(struct arena *arena, const struct der_list *list)
{
    size_t size = 0;

    for (size_t i = 0; i < list->n_values; i++) {
        size += list->values[i].size;
    }
    uint8_t *chain = arena_alloc(arena, size + 1);
    uint8_t *at = chain;
    for (size_t i = 0; i < list->n_values; i++) {
        memcpy(at, list->values[i].data, list->values[i].size);
        at += list->values[i].size;
    }
    return (bytes){ .data = chain, .size = size };
}

status x509_to_pem(struct arena *arena, bytes chain, const char **ret_pem)
{
    struct text pem = text_new(arena);
    struct der_list list;

    TRY(x509_split(arena, chain, &list));
    for (size_t i = 0; i < list.n_values; i++) {
        text_add(&pem, "%s", pem_encode(arena, "CERTIFICATE", list.values[i]));
    }
    *ret_pem = text_string(&pem);
    return status_ok();
}

status x509_from_pem(struct arena *arena, bytes pem, bytes *ret_chain)
{
    struct der_list blocks, list;

    TRY(pem_decode(arena, pem, "CERTIFICATE", &blocks));
    bytes chain = x509_join(arena, &blocks);
    TRY(x509_split(arena, chain, &list));
    if (list.n_values != blocks.n_values) {
        return invalid(arena, "a block has not one certificate in it");
    }
    *ret_chain = chain;
    return status_ok();
}

/* ---- Believing ---- */

static const mbedtls_x509_crt_profile our_profile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1),
};

/* Replaces what mbedTLS thinks of the time, which is the machine's. */
static int judge_time(void *data, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    const struct x509_verify_options *options = data;
    int64_t grace_ms = depth == 0 ? options->grace_ms : 0;

    *flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
    if (options->now_ms < time_ms(&certificate->valid_from)) {
        *flags |= MBEDTLS_X509_BADCERT_FUTURE;
    }
    if (options->now_ms > time_ms(&certificate->valid_to) + grace_ms) {
        *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
    }
    return 0;
}

static const char *reason(uint32_t flags)
{
    return (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0 ? "is signed by none that is trusted"
           : (flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0   ? "has expired"
           : (flags & MBEDTLS_X509_BADCERT_FUTURE) != 0    ? "is not valid yet"
                                                           : "is not of the kind we issue";
}

static status unauthenticated(struct arena *arena, const struct x509_certificate *svid,
                              const char *why)
{
    return status_error(arena, STATUS_UNAUTHENTICATED, "the certificate of '%s' %s", svid->id.text,
                        why);
}

/* Adds all of chain to parsed; the first may be checked by the caller before. */
static status parse_all(struct arena *arena, bytes chain, mbedtls_x509_crt *parsed)
{
    struct der_list list;

    TRY(x509_split(arena, chain, &list));
    for (size_t i = 0; i < list.n_values; i++) {
        bytes der = list.values[i];
        if (der.size > X509_MAX_BYTES ||
            mbedtls_x509_crt_parse_der(parsed, der.data, der.size) != 0) {
            return status_error(arena, STATUS_INVALID_ARGUMENT,
                                "certificate %zu is not well formed", i + 1);
        }
    }
    return status_ok();
}

/* mbedTLS would take a workload's own certificate as its authority, were it in the bundle. */
static status check_bundle(struct arena *arena, const struct x509_verify_options *options)
{
    struct der_list list;

    TRY(x509_split(arena, options->bundle, &list));
    for (size_t i = 0; i < list.n_values; i++) {
        struct x509_certificate authority;
        TRY(x509_parse_authority(arena, list.values[i], &authority));
        if (authority.id.text[0] != '\0' &&
            strcmp(authority.id.trust_domain, options->trust_domain) != 0) {
            return invalid(arena, "the bundle has an authority of another trust domain");
        }
    }
    return status_ok();
}

static status check_leaf(struct arena *arena, const struct x509_verify_options *options,
                         struct x509_certificate *ret_svid)
{
    struct der_list list;

    TRY(x509_split(arena, options->chain, &list));
    TRY(x509_parse_svid(arena, list.values[0], ret_svid));
    if (strcmp(ret_svid->id.trust_domain, options->trust_domain) != 0) {
        return unauthenticated(arena, ret_svid, "is of another trust domain");
    }
    return status_ok();
}

status x509_verify(struct arena *arena, const struct x509_verify_options *options,
                   struct x509_certificate *ret_svid)
{
    CLEANUP(free_certificate) mbedtls_x509_crt chain;
    CLEANUP(free_certificate) mbedtls_x509_crt bundle;
    struct x509_verify_options copy = *options; /* mbedTLS passes it on as not const */
    struct x509_certificate svid;
    uint32_t flags = 0;

    mbedtls_x509_crt_init(&chain);
    mbedtls_x509_crt_init(&bundle);
    TRY(check_leaf(arena, options, &svid));
    TRY(check_bundle(arena, options));
    TRY(parse_all(arena, options->chain, &chain));
    TRY(parse_all(arena, options->bundle, &bundle));
    if (mbedtls_x509_crt_verify_with_profile(&chain, &bundle, NULL, &our_profile, NULL, &flags,
                                             judge_time, &copy) != 0) {
        return unauthenticated(arena, &svid, reason(flags));
    }
    *ret_svid = svid;
    return status_ok();
}

/* ---- Certificate requests ---- */

static bool signature_is_good(mbedtls_x509_csr *request)
{
    uint8_t digest[32];

    return request->sig_md == MBEDTLS_MD_SHA256 && request->sig_pk == MBEDTLS_PK_ECDSA &&
           mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), request->cri.p,
                      request->cri.len, digest) == 0 &&
           mbedtls_pk_verify(&request->pk, MBEDTLS_MD_SHA256, digest, sizeof digest, request->sig.p,
                             request->sig.len) == 0;
}

status x509_parse_request(struct arena *arena, bytes der, bytes *ret_spki)
{
    CLEANUP(free_request) mbedtls_x509_csr request;
    uint8_t *spki = arena_alloc(arena, P256_SPKI_BYTES);

    mbedtls_x509_csr_init(&request);
    if (der.size == 0 || der.size > X509_MAX_BYTES ||
        mbedtls_x509_csr_parse_der(&request, der.data, der.size) != 0) {
        return invalid(arena, "the certificate request is not well formed");
    }
    if (mbedtls_pk_get_type(&request.pk) != MBEDTLS_PK_ECKEY ||
        mbedtls_pk_ec(request.pk)->grp.id != MBEDTLS_ECP_DP_SECP256R1) {
        return invalid(arena, "the certificate request's key is not one of P-256");
    }
    if (!signature_is_good(&request)) {
        return invalid(arena, "the certificate request is not signed by its own key");
    }
    if (mbedtls_pk_write_pubkey_der(&request.pk, spki, P256_SPKI_BYTES) != P256_SPKI_BYTES) {
        return invalid(arena, "the certificate request's key has another form than ours");
    }
    *ret_spki = (bytes){ .data = spki, .size = P256_SPKI_BYTES };
    return status_ok();
}
