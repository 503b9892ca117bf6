/* p256 - keys on the curve P-256, and their signatures (ECDSA with SHA-256, which JOSE calls
 * ES256).
 *
 * One key, three uses: it stands in a certificate (x509_issue.h), it signs tokens (jose.h), and
 * it proves that whoever shows a certificate also holds its key:
 *
 *     agent: p256_sign(key, nonce)  --->  registry: p256_verify(key of the certificate, nonce)
 *
 * Keys are prepared once, so that signing and verifying cost the arithmetic and little else.
 * On libcrypto, which is 40 times as fast here as mbedTLS.  The secret of a key comes from the
 * random_source, so a simulation makes the same keys again; the nonce inside a signature is
 * libcrypto's own affair, so the signatures differ.
 *
 * Secrets are wiped: a key's when it is freed, exported forms when their arena goes.
 *
 * All functions are safe on any thread, with a key shared between threads too.  Out of memory
 * aborts.
 */

#ifndef LIBS_CRYPTO_P256_H_
#define LIBS_CRYPTO_P256_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

#include <stdbool.h>

enum {
    P256_SECRET_BYTES = 32,
    P256_POINT_BYTES = 65,     /* 04, x, y (SEC 1, 2.3.3, not compressed) */
    P256_SIGNATURE_BYTES = 64, /* r, s (RFC 7518, 3.4) */
    P256_PKCS8_BYTES = 138,    /* RFC 5958 around RFC 5915, as OpenSSL and we write it */
    P256_SPKI_BYTES = 91,      /* SubjectPublicKeyInfo (RFC 5480) */
};

struct p256_key;
struct p256_public;

/* ---- A key pair ---- */

/* The caller owns the key: p256_key_free(). */
struct p256_key *p256_key_generate(const struct random_source *random) NONNULL RETURNS_NONNULL;

/* Takes PKCS#8 in DER, in the one form of it that p256_key_der() and OpenSSL write.  The caller
 * owns the key.  INVALID_ARGUMENT: it is none; nothing of the data is in the message. */
status p256_key_parse(struct arena *arena, bytes pkcs8, struct p256_key **ret_key)
    NONNULL_ARGS(1, 3);

/* Wipes it.  NULL is allowed. */
void p256_key_free(struct p256_key *key);

/* PKCS#8 in DER: secret.  Wiped when the arena goes. */
bytes p256_key_der(const struct p256_key *key, struct arena *arena) NONNULL;

/* The same in PEM, "PRIVATE KEY".  Wiped when the arena goes. */
const char *p256_key_pem(const struct p256_key *key, struct arena *arena) NONNULL RETURNS_NONNULL;

/* The public half, SubjectPublicKeyInfo in DER. */
bytes p256_key_spki(const struct p256_key *key, struct arena *arena) NONNULL;

/* The public half as a key to verify with; borrowed, as long as the key. */
const struct p256_public *p256_key_public(const struct p256_key *key) NONNULL RETURNS_NONNULL;

void p256_sign(const struct p256_key *key, bytes message,
               uint8_t ret_signature[P256_SIGNATURE_BYTES]) NONNULL_ARGS(1, 3);

/* ---- A public key ---- */

/* The caller owns the key: p256_public_free().  INVALID_ARGUMENT: another algorithm or curve, a
 * compressed point, or a point that is not on the curve. */
status p256_public_parse(struct arena *arena, bytes spki, struct p256_public **ret_key)
    NONNULL_ARGS(1, 3);

/* The same from the point; NULL when it is not on the curve. */
struct p256_public *p256_public_from_point(const uint8_t point[P256_POINT_BYTES]) NONNULL;

/* NULL is allowed. */
void p256_public_free(struct p256_public *key);

/* P256_POINT_BYTES bytes; borrowed, as long as the key. */
const uint8_t *p256_public_point(const struct p256_public *key) NONNULL RETURNS_NONNULL;

/* Whether signature is key's over message.  Any signature but one of 64 bytes with r and s in
 * their range is not. */
bool p256_verify(const struct p256_public *key, bytes message, bytes signature) NONNULL_ARGS(1);

#endif
