/* circuit_breaker - does not call a peer that is down, and finds out when it is back.
 *
 *               n failures in a row              open_ms have passed
 *     CLOSED ------------------------> OPEN ------------------------> HALF_OPEN
 *     all calls go                     none goes                      one goes, the probe
 *        ^                               ^                               |  |
 *        |                               +------------- it failed -------+  |
 *        +------------------------------------------------ it succeeded ----+
 *
 * Who is let through gets a ticket and must hand it back with the outcome.  Outcomes of calls
 * that began before the state last changed say nothing about it and are ignored.  A probe whose
 * outcome never comes is given up after open_ms, and another goes.
 *
 * Any thread; a short lock, never held while anything else happens.
 */

#ifndef LIBS_RETRY_CIRCUIT_BREAKER_H_
#define LIBS_RETRY_CIRCUIT_BREAKER_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF_OPEN };

struct circuit_breaker_options {
    const struct clock *clock; /* required; borrowed */
    unsigned max_failures;     /* in a row; 0 means 5, as Envoy's outlier detection */
    int64_t open_ms;           /* 0 means 1000: gRPC's own first reconnect comes after as long */
};

struct circuit_breaker {
    pthread_mutex_t lock;
    const struct clock *clock;
    unsigned max_failures;
    int64_t open_ms;
    enum circuit_state state;
    unsigned n_failures; /* in a row, while closed */
    int64_t changed_ms;  /* monotonic: when it opened, or the probe went */
    uint64_t epoch;      /* how often the state changed; a ticket is the epoch it was given in */
};

void circuit_breaker_init(struct circuit_breaker *breaker,
                          const struct circuit_breaker_options *options) NONNULL;
void circuit_breaker_reset(struct circuit_breaker *breaker) NONNULL;

/* Whether a call may go.  When it may, circuit_breaker_report() must follow. */
bool circuit_breaker_allow(struct circuit_breaker *breaker, uint64_t *ret_ticket) NONNULL;
/* Only what says that the peer is ill is a failure: UNAVAILABLE and DEADLINE_EXCEEDED, not
 * NOT_FOUND. */
void circuit_breaker_report(struct circuit_breaker *breaker, uint64_t ticket, bool succeeded)
    NONNULL;

enum circuit_state circuit_breaker_state(struct circuit_breaker *breaker) NONNULL;
/* How long until a call may go: 0 when one may now. */
int64_t circuit_breaker_wait_ms(struct circuit_breaker *breaker) NONNULL;

#endif
