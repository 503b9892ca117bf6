#include "libs/retry/circuit_breaker.h"

enum { STANDARD_FAILURES = 5, STANDARD_OPEN_MS = 1000 };

void circuit_breaker_init(struct circuit_breaker *self,
                          const struct circuit_breaker_options *options)
{
    *self = (struct circuit_breaker){
        .clock = options->clock,
        .max_failures = options->max_failures == 0 ? STANDARD_FAILURES : options->max_failures,
        .open_ms = options->open_ms == 0 ? STANDARD_OPEN_MS : options->open_ms,
    };
    pthread_mutex_init(&self->lock, NULL);
}

void circuit_breaker_reset(struct circuit_breaker *self)
{
    pthread_mutex_destroy(&self->lock);
}

/* The lock is held, here and below. */
static void change(struct circuit_breaker *self, enum circuit_state state)
{
    self->state = state;
    self->n_failures = 0;
    self->changed_ms = clock_monotonic_ms(self->clock);
    self->epoch++;
}

static int64_t wait_ms(const struct circuit_breaker *self)
{
    int64_t left = self->changed_ms + self->open_ms - clock_monotonic_ms(self->clock);

    return self->state == CIRCUIT_CLOSED || left < 0 ? 0 : left;
}

bool circuit_breaker_allow(struct circuit_breaker *self, uint64_t *ret_ticket)
{
    pthread_mutex_lock(&self->lock);
    bool may_go = wait_ms(self) == 0;
    if (may_go && self->state != CIRCUIT_CLOSED) {
        change(self, CIRCUIT_HALF_OPEN); /* this call is the probe, an earlier one is given up */
    }
    if (may_go) {
        *ret_ticket = self->epoch;
    }
    pthread_mutex_unlock(&self->lock);
    return may_go;
}

static void report(struct circuit_breaker *self, bool succeeded)
{
    if (succeeded) {
        self->n_failures = 0;
    } else {
        self->n_failures++;
    }
    if (self->state == CIRCUIT_HALF_OPEN) {
        change(self, succeeded ? CIRCUIT_CLOSED : CIRCUIT_OPEN);
    } else if (self->n_failures >= self->max_failures) {
        change(self, CIRCUIT_OPEN);
    }
}

void circuit_breaker_report(struct circuit_breaker *self, uint64_t ticket, bool succeeded)
{
    pthread_mutex_lock(&self->lock);
    if (ticket == self->epoch) {
        report(self, succeeded);
    }
    pthread_mutex_unlock(&self->lock);
}

enum circuit_state circuit_breaker_state(struct circuit_breaker *self)
{
    pthread_mutex_lock(&self->lock);
    enum circuit_state state = self->state;
    pthread_mutex_unlock(&self->lock);
    return state;
}

int64_t circuit_breaker_wait_ms(struct circuit_breaker *self)
{
    pthread_mutex_lock(&self->lock);
    int64_t wait = wait_ms(self);
    pthread_mutex_unlock(&self->lock);
    return wait;
}
