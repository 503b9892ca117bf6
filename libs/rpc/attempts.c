#include "libs/rpc/attempts.h"

#include "libs/retry/retry_rules.h"
#include "libs/rpc/method_options.h"
#include "libs/rpc/peer.h"

#include <string.h>

/* Read only after a failure, which costs more. */
static bool is_idempotent(const struct rpc *rpc)
{
    struct method_options options;

    if (rpc->descriptors.data == NULL) {
        return false;
    }
    struct arena *arena = arena_new();
    status s =
        method_options_read(arena, rpc->descriptors, rpc->service->name, rpc->method, &options);
    bool is = status_is_ok(s) && options.idempotent;
    arena_free(arena);
    return is;
}

/* The C core's words for endpoints of which there are none (services/registry/xds_endpoints.c). */
static bool is_nobodys_name(status s)
{
    return strstr(s.message, "contains no localities") != NULL;
}

bool attempts_go_on(struct attempts *self, status s, int64_t *ret_wait_ms)
{
    if (status_is_ok(s)) {
        retry_budget_success(self->budget);
        return false;
    }
    if (s.code != STATUS_UNAVAILABLE || is_nobodys_name(s) ||
        !retry_is_safe(s.code, is_idempotent(self->rpc))) {
        return false;
    }
    self->n_failed++;
    bool is_bearable = retry_budget_failure(self->budget);
    *ret_wait_ms = retry_wait_ms(&self->backoff, s);
    int64_t begin_us = clock_monotonic_us(self->clock) + *ret_wait_ms * 1000;
    return is_bearable && self->n_failed < PEER_MAX_ATTEMPTS && begin_us < self->deadline_us &&
           !call_is_cancelled(self->call);
}
