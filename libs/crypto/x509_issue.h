/* x509_issue - making certificates: the authority's own, and those of workloads.
 *
 *     authority   CA:TRUE, signs certificates and revocation lists, URI spiffe://trust-domain
 *     SVID        CA:FALSE, critical digitalSignature, serverAuth + clientAuth,
 *                 URI spiffe://trust-domain/path, DNS names for tools that check names
 *
 * Both are P-256 with SHA-256, version 3, with a random serial of 16 bytes and both key
 * identifiers, and are valid from X509_BACKDATE_MS before now: the clocks of two machines
 * differ, and a certificate that is not valid yet stops a machine from joining.
 *
 * The same random bytes, time and key make the same certificate: signatures are deterministic
 * (RFC 6979).
 *
 * On mbedTLS: about 1 ms for each on one core.  Safe on any thread.
 */

#ifndef LIBS_CRYPTO_X509_ISSUE_H_
#define LIBS_CRYPTO_X509_ISSUE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/spiffe_id.h"

#include <stdint.h>

enum {
    X509_BACKDATE_MS = 5 * 60 * 1000, /* what Kerberos allows clocks to differ by */
    X509_SERIAL_BYTES = 16,           /* 126 bits of it random; RFC 5280 allows 20 bytes */
};

struct x509_authority_options {
    const struct random_source *random; /* required */
    const struct p256_key *key;         /* required */
    const char *trust_domain;           /* required */
    int64_t now_ms;
    int64_t lifetime_ms;
};

/* A new authority's certificate, signed by its own key, in DER.
 * INVALID_ARGUMENT: the trust domain is none, or the times are not in the years 1970 to 9999. */
status x509_issue_authority(struct arena *arena, const struct x509_authority_options *options,
                            bytes *ret_der) NONNULL;

struct x509_svid_options {
    const struct random_source *random; /* required */
    const struct p256_key *key;         /* required: the authority's */
    bytes authority;                    /* its certificate, in DER */
    struct spiffe_id id;                /* of the authority's trust domain, with a path */
    const char *const *dns_names;       /* at most X509_MAX_DNS_NAMES, lower case */
    size_t n_dns_names;
    bytes spki; /* the workload's public key; who holds it is for the caller to know */
    int64_t now_ms;
    int64_t lifetime_ms; /* from now; ends with the authority's own if that is earlier */
};

/* A workload's certificate, in DER.
 * INVALID_ARGUMENT: something of the options is not as it should be.  FAILED_PRECONDITION: the
 * authority is not valid now, or is not that key's. */
status x509_issue_svid(struct arena *arena, const struct x509_svid_options *options, bytes *ret_der)
    NONNULL;

/* A PKCS#10 request in DER, which shows that the sender holds key, and says nothing else. */
status x509_make_request(struct arena *arena, const struct random_source *random,
                         const struct p256_key *key, bytes *ret_der) NONNULL;

#endif
