/* jose - tokens: who somebody is and what he may do, signed, as one line of text.
 *
 *     header . claims . signature          each in base64url (RFC 7515, compact; RFC 7519)
 *
 *     {"alg":"ES256","kid":"...","typ":"at+jwt"}
 *
 * One algorithm, ES256, and never the token's choice of it: there is nothing to confuse.  The
 * key is found by its name, `kid`, in a set that the verifier already has; keys and addresses
 * that a token brings along (jwk, jku, x5c, x5u) are passed over.  A token with `crit` is
 * refused, since we know no extension.
 *
 * auth signs; everybody verifies, in process, against the set that auth's snapshot brought:
 *
 *     auth:     jose_sign(key, claims) ---- token ---->  caller ---- token ---->  any service:
 *               jose_jwks(keys) --- JWKS in the snapshot ----------------------> jose_verify()
 *
 * A set is prepared once, so that verifying costs little more than the signature: 50 us
 * (crypto_bench.c).
 *
 * A token is a secret: it is wiped with its arena, and neither it nor a part of it is ever in an
 * error's message.
 */

#ifndef LIBS_CRYPTO_JOSE_H_
#define LIBS_CRYPTO_JOSE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/crypto/p256.h"

#include <stddef.h>
#include <stdint.h>

enum {
    /* What gRPC takes as metadata of one call, by default. */
    JOSE_MAX_TOKEN_BYTES = 8192,
    /* An issuer has two, one that signs and one that did or will. */
    JOSE_MAX_KEYS = 16,
    /* JOSE_MAX_KEYS of another kind, with their certificates, passed over. */
    JOSE_MAX_JWKS_BYTES = 65536,
    JOSE_MAX_KID_BYTES = 128, /* ours have 43 */
};

/* Types of tokens, so that one made for one thing is not taken for another (RFC 8725, 3.11). */
#define JOSE_ACCESS_TOKEN "at+jwt" /* RFC 9068 */
#define JOSE_JWT_SVID     "JWT"    /* SPIFFE JWT-SVID, 2.2 */

struct jose_texts {
    const char *const *texts;
    size_t n_texts;
};

/* What a token says.  Texts that are NULL or empty, and lists that are empty, are left out of a
 * token; reading gives "" and empty lists for what is not there.  Times are in seconds since
 * 1970, as in the token. */
struct jose_claims {
    const char *issuer;            /* iss */
    const char *subject;           /* sub: "user:ada", or a SPIFFE ID */
    struct jose_texts audiences;   /* aud */
    int64_t expires_s;             /* exp; required */
    int64_t not_before_s;          /* nbf; 0 is none */
    int64_t issued_s;              /* iat; 0 is none */
    const char *id;                /* jti */
    const char *tenant;            /* tenant */
    const char *credential;        /* cred: what it was given for, which may be revoked:
                                      "key:...", "job:...:2" */
    struct jose_texts roles;       /* roles */
    struct jose_texts permissions; /* permissions */
};

/* ---- Signing ---- */

/* The name of a key: its thumbprint, 43 characters (RFC 7638). */
const char *jose_kid(struct arena *arena, const struct p256_public *key) NONNULL RETURNS_NONNULL;

/* A token of type (JOSE_ACCESS_TOKEN), secret, wiped with its arena.
 * INVALID_ARGUMENT: it would be longer than JOSE_MAX_TOKEN_BYTES, or has no expires_s. */
status jose_sign(struct arena *arena, const struct p256_key *key, const char *type,
                 const struct jose_claims *claims, const char **ret_token) NONNULL;

/* The public keys as a JWKS, for jose_keys_parse() and for everybody else's library (RFC 7517).
 * use is "sig", or "jwt-svid" in a SPIFFE bundle. */
const char *jose_jwks(struct arena *arena, const struct p256_public *const *keys, size_t n_keys,
                      const char *use) NONNULL_ARGS(1, 4) RETURNS_NONNULL;

/* ---- Verifying ---- */

/* A set of keys; never changes, so any number of threads may use it. */
struct jose_keys;

/* Takes what is for ES256 and for signatures; passes over other kinds of keys, as RFC 7517,
 * section 5, asks.  The caller owns the set: jose_keys_free().
 * INVALID_ARGUMENT: no JWKS, or a key of our kind is broken, has no name or the name of another,
 * or is a private one.  RESOURCE_EXHAUSTED: too many, or too long. */
status jose_keys_parse(struct arena *arena, bytes jwks, struct jose_keys **ret_keys)
    NONNULL_ARGS(1, 3);

/* NULL is allowed. */
void jose_keys_free(struct jose_keys *keys);

size_t jose_keys_count(const struct jose_keys *keys) NONNULL;

/* What a token must say to be taken. */
struct jose_expectation {
    const char *type;     /* required */
    const char *issuer;   /* NULL: any whose key is in the set */
    const char *audience; /* must be among the token's; NULL: any */
    int64_t now_ms;
    int64_t leeway_ms; /* how far clocks may differ */
};

/* UNAUTHENTICATED: it is no token, or not to be taken; the message says why. */
status jose_verify(struct arena *arena, const struct jose_keys *keys, bytes token,
                   const struct jose_expectation *expectation, struct jose_claims *ret_claims)
    NONNULL_ARGS(1, 2, 4, 5);

/* ---- For the parts of this library ---- */

/* NULL when there is none of that name. */
const struct p256_public *jose_keys_find(const struct jose_keys *keys, const char *kid) NONNULL;

#endif
