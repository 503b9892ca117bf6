/* retry_rules - which failures may be tried again, and after how long. */

#ifndef LIBS_RETRY_RETRY_RULES_H_
#define LIBS_RETRY_RETRY_RULES_H_

#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/retry/backoff.h"

#include <stdbool.h>

/* Only UNAVAILABLE says that the same call may succeed soon, and it does not say that nothing
 * was done: the connection may have broken between the work and the answer.  So it is retried
 * when the rpc is idempotent: done twice it is as done once.  What surely was never sent the C core
 * sends again by itself (gRFC A6's transparent retry).
 *
 * Not retried, though it is tempting: DEADLINE_EXCEEDED (the time is up), RESOURCE_EXHAUSTED (more
 * calls are no cure for too many calls), ABORTED (the caller must read again first), INTERNAL and
 * UNKNOWN (nobody knows). */
bool retry_is_safe(enum status_code code, bool idempotent);

/* The backoff's wait, or what the server asked for (google.rpc.RetryInfo), whichever is longer. */
int64_t retry_wait_ms(struct backoff *backoff, status failure) NONNULL_ARGS(1);

#endif
