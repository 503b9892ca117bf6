/* token_issuer - where the engine gets the tokens that workers act with.
 *
 * An interface, since tests need one that says no.  In production it asks the auth service
 * (AuthService.IssueJobTokens).
 */

#ifndef SERVICES_SCHEDULER_TOKEN_ISSUER_H_
#define SERVICES_SCHEDULER_TOKEN_ISSUER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* For one attempt of one job, in the name of who enqueued it. */
struct token_request {
    const char *tenant_id;
    const char *principal;
    const char *permissions; /* one a line; "": all that the principal has */
    const char *job_id;
    int64_t attempt;
    int64_t lifetime_ms;
};

/* PERMISSION_DENIED, NOT_FOUND, FAILED_PRECONDITION or INVALID_ARGUMENT when there will never be a
 * token, which fails the job; any other error puts it off. */
struct token_answer {
    status result;
    const char *token; /* arena; NULL with an error */
};

/* So many are asked for at once, at most. */
enum { TOKENS_AT_ONCE = 64 };

/* An issuer is a struct that begins with this one.  Safe on any thread. */
struct token_issuer {
    const struct token_issuer_ops *ops;
};

struct token_issuer_ops {
    /* Blocks.  An answer for each of the n requests, 1 to TOKENS_AT_ONCE, in order. */
    void (*issue)(struct token_issuer *issuer, struct arena *arena,
                  const struct token_request *const *requests, size_t n,
                  struct token_answer *ret_answers);
};

static inline void tokens_issue(struct token_issuer *issuer, struct arena *arena,
                                const struct token_request *const *requests, size_t n,
                                struct token_answer *ret_answers)
{
    issuer->ops->issue(issuer, arena, requests, n, ret_answers);
}

#endif
