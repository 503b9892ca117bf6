/* token_issuer - where the engine gets the token that a worker acts with.
 *
 * An interface, since tests need one that says no.  In production it asks the auth service
 * (AuthService.IssueJobToken).
 */

#ifndef SERVICES_SCHEDULER_TOKEN_ISSUER_H_
#define SERVICES_SCHEDULER_TOKEN_ISSUER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

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

/* An issuer is a struct that begins with this one.  Safe on any thread. */
struct token_issuer {
    const struct token_issuer_ops *ops;
};

struct token_issuer_ops {
    /* Blocks.  *ret_token lives as long as arena.  PERMISSION_DENIED, NOT_FOUND,
     * FAILED_PRECONDITION or INVALID_ARGUMENT when there will never be one, which fails the job;
     * any other error puts it off. */
    status (*issue)(struct token_issuer *issuer, struct arena *arena,
                    const struct token_request *request, const char **ret_token);
};

static inline status token_issue(struct token_issuer *issuer, struct arena *arena,
                                 const struct token_request *request, const char **ret_token)
{
    return issuer->ops->issue(issuer, arena, request, ret_token);
}

#endif
