/* secret - memory that is wiped when its arena goes.
 *
 * A key that was exported, a token, an API key: what must not be found later in memory that
 * somebody else got, in a core file or in the swap.  Comparing secrets is
 * CRYPTO_memcmp()'s affair, and printing them is nobody's.
 */

#ifndef LIBS_CRYPTO_SECRET_H_
#define LIBS_CRYPTO_SECRET_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdint.h>

/* As arena_alloc(). */
uint8_t *secret_alloc(struct arena *arena, size_t size) NONNULL RETURNS_NONNULL;

/* A copy with a NUL behind it, which is not counted in size. */
uint8_t *secret_copy(struct arena *arena, bytes data) NONNULL_ARGS(1) RETURNS_NONNULL;

/* Wipes at once what the caller owns though it came as bytes: a key file that was read. */
void secret_wipe(bytes data);

#endif
