#include "libs/retry/retry_rules.h"

#include "libs/base/status_details.h"

bool retry_is_safe(enum status_code code, bool idempotent)
{
    return code == STATUS_UNAVAILABLE && idempotent;
}

int64_t retry_wait_ms(struct backoff *backoff, status failure)
{
    int64_t wait_ms = backoff_next_ms(backoff);

    if (failure.details != NULL && failure.details->retry_after_ms > wait_ms) {
        return failure.details->retry_after_ms;
    }
    return wait_ms;
}
