#include "services/auth/tokens.h"

#include "libs/authz/guard.h"

/* An account may have the name of one that was removed a moment ago, whose tokens are refused up
 * to TOKENS_REMOVAL_MS after: its own are of a later time, which verifiers' leeway of 30 s takes.
 */
static int64_t issued_s(const struct token_wish *wish)
{
    int64_t earliest_s = wish->account->earliest_ms / 1000 + 1;
    int64_t now_s = wish->now_ms / 1000;

    return now_s > earliest_s ? now_s : earliest_s;
}

status token_make(struct signing_keys *keys, struct arena *arena,
                  const struct random_source *random, const struct token_wish *wish,
                  const char **ret_token)
{
    static const char *const audience[] = { AUTHZ_AUDIENCE };
    const struct jose_claims claims = {
        .issuer = AUTHZ_ISSUER,
        .subject = arena_printf(arena, "sa:%s", wish->account->account_id),
        .audiences = { audience, 1 },
        .issued_s = issued_s(wish),
        .expires_s = wish->expire_ms / 1000,
        .id = random_ulid(random, arena, wish->now_ms),
        .tenant = wish->account->tenant_id,
        .credential = wish->credential,
        .roles = { wish->roles.texts, wish->roles.n_texts },
        .permissions = { wish->permissions.texts, wish->permissions.n_texts },
    };

    return signing_keys_sign(keys, arena, &claims, ret_token);
}
