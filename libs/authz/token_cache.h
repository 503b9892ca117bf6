/* token_cache - tokens that were verified, so that each is verified once.
 *
 * A signature costs 50 us, a look-up less than one.  Entries are found by SHA-256 of the token,
 * never by a part of it, and hold no token.  There are two generations: when the young one is
 * full the old one goes, so what is used stays and the number is bounded.
 *
 * An entry is good for one revision of the snapshot: what roles allow may have changed.
 */

#ifndef LIBS_AUTHZ_TOKEN_CACHE_H_
#define LIBS_AUTHZ_TOKEN_CACHE_H_

#include "libs/authz/snapshot.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/crypto/jose.h"
#include "libs/rpc/call.h"

#include <stdint.h>

/* Of each generation: 2 MB for both, with some 500 bytes each. */
enum { TOKEN_CACHE_SIZE = 2048 };

struct cached_token {
    struct principal principal;
    const char *credential; /* "key:..." */
    const char *account;    /* "tenant:acme:sa:publisher": how auth names it when it revokes */
    int64_t issued_ms;
    uint64_t revision;
    struct arena *arena; /* of all of it */
    _Atomic int refs;
};

struct token_cache;

struct token_cache *token_cache_new(void) RETURNS_NONNULL;
void token_cache_free(struct token_cache *cache);

/* With a ref for the caller: token_unref().  NULL when it is not there, or of another revision. */
struct cached_token *token_cache_get(struct token_cache *cache, bytes token, uint64_t revision)
    NONNULL_ARGS(1);
/* Makes the entry of a token that was verified, with a ref for the caller. */
struct cached_token *token_cache_put(struct token_cache *cache, bytes token,
                                     struct snapshot *snapshot, const struct jose_claims *claims)
    NONNULL_ARGS(1, 3, 4) RETURNS_NONNULL;

/* A struct cached_token *, as arena_defer() has it. */
void token_unref(void *token);

#endif
