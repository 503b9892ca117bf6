/* tokens - tokens for those who have shown who they are.
 *
 * A token says all that an enforcement point asks: whose it is, what it may do, and what it was
 * given for, which may be revoked. */

#ifndef SERVICES_AUTH_TOKENS_H_
#define SERVICES_AUTH_TOKENS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "services/auth/auth_store.h"
#include "services/auth/signing_keys.h"

#include <stdint.h>

enum {
    /* A removal is in force for tokens up to so much later than it began, which is far more than
     * a commit takes: what was given out meanwhile is covered. */
    TOKENS_REMOVAL_MS = 10000,
    /* Longer than any token lives, with the clocks of two hosts apart. */
    TOKENS_FORGET_MS = (3600 + 300) * 1000,
};

struct token_wish {
    const struct account_record *account;
    struct text_list roles;
    struct text_list permissions;
    const char *credential; /* "key:...", "job:...:2" */
    int64_t now_ms;         /* read before the account was looked up */
    int64_t expire_ms;
};

/* A secret, wiped with its arena. */
status token_make(struct signing_keys *keys, struct arena *arena,
                  const struct random_source *random, const struct token_wish *wish,
                  const char **ret_token) NONNULL;

#endif
