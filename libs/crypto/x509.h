/* x509 - reading certificates, and whether they may be believed.
 *
 * Certificates are DER; several are one after the other, the leaf first, which is how SPIFFE's
 * Workload API carries a chain or a bundle.  This is "a chain" and "a bundle" below:
 *
 *     chain:   [ leaf ][ intermediate ]...
 *     bundle:  [ authority ][ authority ]...      all that are believed, in no order
 *
 * Two kinds are told apart when they are read (X.509-SVID, sections 2 to 4):
 *
 *     SVID       names one workload: exactly one URI, with a path; signs no certificates
 *     authority  signs certificates; may name its trust domain
 *
 * Only what our own authorities make is taken: P-256 with SHA-256.  What time it is, the caller
 * says; the machine's clock is not asked.
 *
 * On mbedTLS, which takes 2 ms for a signature; so this is for joining the mesh and rotating,
 * not for calls.  All functions are safe on any thread.
 */

#ifndef LIBS_CRYPTO_X509_H_
#define LIBS_CRYPTO_X509_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/crypto/pem.h"
#include "libs/crypto/spiffe_id.h"

#include <stdint.h>

enum {
    /* A SPIFFE ID has up to 2 KiB, X509_MAX_DNS_NAMES names 4 KiB, the rest about 600 bytes. */
    X509_MAX_BYTES = 8192,
    X509_MAX_DNS_NAMES = 16,
};

/* All of it in the arena it was read into. */
struct x509_certificate {
    bytes der;
    struct spiffe_id id; /* an authority that names nothing: all three are "" */
    bytes serial;        /* its bytes, big end first */
    bytes spki;          /* the public key, for p256_public_parse() */
    int64_t not_before_ms;
    int64_t not_after_ms; /* the last moment, in whole seconds */
    const char *const *dns_names;
    size_t n_dns_names;
};

/* ---- Reading ---- */

/* One certificate, and nothing behind it.  INVALID_ARGUMENT: it is none, or no SVID. */
status x509_parse_svid(struct arena *arena, bytes der, struct x509_certificate *ret_certificate)
    NONNULL_ARGS(1, 3);

/* The same for an authority. */
status x509_parse_authority(struct arena *arena, bytes der,
                            struct x509_certificate *ret_certificate) NONNULL_ARGS(1, 3);

/* ---- Several ---- */

/* Cuts a chain or bundle into its certificates, without looking into them.  INVALID_ARGUMENT: it
 * has none, or more than PEM_MAX_BLOCKS, or is cut off. */
status x509_split(struct arena *arena, bytes chain, struct der_list *ret_list) NONNULL_ARGS(1, 3);

/* The opposite. */
bytes x509_join(struct arena *arena, const struct der_list *list) NONNULL;

/* A chain as PEM, and PEM as a chain: what is no CERTIFICATE in it is passed over.
 * INVALID_ARGUMENT: there is none, or it is broken. */
status x509_to_pem(struct arena *arena, bytes chain, const char **ret_pem) NONNULL_ARGS(1, 3);
status x509_from_pem(struct arena *arena, bytes pem, bytes *ret_chain) NONNULL_ARGS(1, 3);

/* ---- Believing ---- */

struct x509_verify_options {
    bytes chain;              /* an SVID first, then what is between it and the bundle */
    bytes bundle;             /* the authorities of trust_domain */
    const char *trust_domain; /* required: the only one that this bundle may speak for */
    int64_t now_ms;
    /* For how long after its end the SVID is still taken, so that a machine that was off may
     * come back (architecture, section 6).  Authorities have no such grace.  0 in all else. */
    int64_t grace_ms;
};

/* Gives the SVID when it is to be believed.
 * INVALID_ARGUMENT: something is not what it should be.  UNAUTHENTICATED: signed by none of the
 * bundle, expired, not valid yet, or of another trust domain; the message says which. */
status x509_verify(struct arena *arena, const struct x509_verify_options *options,
                   struct x509_certificate *ret_svid) NONNULL;

/* ---- Certificate requests ---- */

/* Takes a PKCS#10 request and gives its public key, once its signature has shown that the sender
 * holds the key.  Nothing else in it means anything: who somebody is, the one who issues knows
 * from elsewhere.  INVALID_ARGUMENT: no request, no P-256, or the signature is not good. */
status x509_parse_request(struct arena *arena, bytes der, bytes *ret_spki) NONNULL_ARGS(1, 3);

#endif
