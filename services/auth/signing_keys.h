/* signing_keys - the keys that tokens are signed with, in a file of their own.
 *
 *     signing_keys.pem, mode 0600, replaced as a whole:
 *
 *         a line   "since 1795000000000": when the first began to sign
 *         first    signs
 *         second   is known to everybody and signs after the next rotation
 *         third    has signed until the last rotation; its tokens may still be about
 *
 * All of them are in the key set that enforcement points have, so no token is ever signed with a
 * key that somebody does not know yet, and none is refused because its key has gone too early.
 *
 * They rotate every SIGNING_KEYS_PERIOD_DAYS; what somebody could learn of a key's secret is then
 * worth no more.  Safe on any threads.
 */

#ifndef SERVICES_AUTH_SIGNING_KEYS_H_
#define SERVICES_AUTH_SIGNING_KEYS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/jose.h"

#include <stdbool.h>

#define SIGNING_KEYS_FILE "signing_keys.pem"

/* Far more than the hour that a token lives, so the third key is no longer needed when it goes; and
 * everybody has known the second for as long when it begins to sign. */
enum { SIGNING_KEYS_PERIOD_DAYS = 30 };

struct signing_keys;

struct signing_keys_options {
    struct files *files;                /* required; borrowed */
    const struct random_source *random; /* required; borrowed */
    const struct clock *clock;          /* required; borrowed */
};

/* Makes the file when there is none.  The caller owns the keys: signing_keys_free().
 * DATA_LOSS: the file holds no keys. */
status signing_keys_open(struct arena *arena, const struct signing_keys_options *options,
                         struct signing_keys **ret_keys) NONNULL;
/* NULL is allowed. */
void signing_keys_free(struct signing_keys *keys);

bool signing_keys_are_due(struct signing_keys *keys) NONNULL;

/* The second signs from now on, the first is kept for its tokens, and a new second is made.
 * Durable on return; when it fails everything is as before.  Publish the key set after it. */
status signing_keys_rotate(struct signing_keys *keys, struct arena *arena) NONNULL;

/* An access token (jose_sign()): a secret, wiped with its arena. */
status signing_keys_sign(struct signing_keys *keys, struct arena *arena,
                         const struct jose_claims *claims, const char **ret_token) NONNULL;
/* All of them, their public halves, as a JWKS. */
const char *signing_keys_jwks(struct signing_keys *keys, struct arena *arena)
    NONNULL RETURNS_NONNULL;

#endif
