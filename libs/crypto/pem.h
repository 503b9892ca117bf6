/* pem - DER as text, between lines that say what it is (RFC 7468).
 *
 *     -----BEGIN CERTIFICATE-----
 *     MIIB...
 *     -----END CERTIFICATE-----
 *
 * A text may hold several, of several kinds: a certificate file of ours has a key, a
 * certificate and its chain in it, so that one rename changes all of them together.  What is
 * made here is wiped when its arena goes, since it may be a key.
 */

#ifndef LIBS_CRYPTO_PEM_H_
#define LIBS_CRYPTO_PEM_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

/* Some DER values, one after the other; the list and what it points to are in one arena. */
struct der_list {
    const bytes *values;
    size_t n_values;
};

/* How many one text may hold: a bundle of a few authorities per federated domain is far below,
 * and what a stranger sends must end. */
enum { PEM_MAX_BLOCKS = 64 };

/* Ends with a newline, so texts can be put together. */
char *pem_encode(struct arena *arena, const char *label, bytes der) NONNULL RETURNS_NONNULL;

/* All blocks of that label, in their order; what is of other labels, and what stands outside of
 * blocks, is passed over.  No block at all is an empty list.  Encrypted ones are not taken.
 * INVALID_ARGUMENT: a block is broken.  RESOURCE_EXHAUSTED: more than PEM_MAX_BLOCKS. */
status pem_decode(struct arena *arena, bytes text, const char *label, struct der_list *ret_list)
    NONNULL_ARGS(1, 3, 4);

#endif
