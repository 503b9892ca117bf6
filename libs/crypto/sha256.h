/* sha256 - SHA-256, and what is made of it: HMAC and HKDF.
 *
 * All of them only compute, so nothing here fails.  Hashing is the log's inner loop (7 million
 * nodes a second), so it is libcrypto's code without the look-up of an algorithm by name, which
 * costs more than the hash of a short message.
 *
 *     SHA-256      FIPS 180-4
 *     HMAC         RFC 2104, with SHA-256
 *     HKDF         RFC 5869, with SHA-256, for one key of 32 bytes
 *
 * Safe on any thread.
 */

#ifndef LIBS_CRYPTO_SHA256_H_
#define LIBS_CRYPTO_SHA256_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32 };

/* A hash, or a key made of one: a value, copied and returned. */
struct sha256 {
    uint8_t data[SHA256_SIZE];
};

struct sha256 sha256_of(bytes data);

/* Of the parts one after the other, as if they were one. */
struct sha256 sha256_of_parts(const bytes *parts, size_t n_parts);

/* Of any key: one longer than 64 bytes is hashed first. */
struct sha256 hmac_sha256(bytes key, bytes data);

/* A key for one purpose out of secret, which is as random as a key; salt may be empty, and purpose
 * is a text of our own: keys for different purposes tell nothing of each other. */
struct sha256 hkdf_sha256(bytes secret, bytes salt, const char *purpose) NONNULL;

/* Its two halves, for who makes several keys of one secret: hkdf_sha256(secret, salt, purpose) is
 * hkdf_sha256_expand(hkdf_sha256_extract(secret, salt), purpose). */
struct sha256 hkdf_sha256_extract(bytes secret, bytes salt);
struct sha256 hkdf_sha256_expand(const struct sha256 *extracted, const char *purpose) NONNULL;

/* Takes as long for a difference in the first byte as for one in the last. */
bool sha256_equal(const struct sha256 *a, const struct sha256 *b) NONNULL;

/* Overwrites a hash that was a secret. */
void sha256_wipe(struct sha256 *hash) NONNULL;

static inline bytes sha256_bytes(const struct sha256 *hash)
{
    return (bytes){ .data = hash->data, .size = SHA256_SIZE };
}

#endif
