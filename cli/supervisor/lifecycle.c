#include "cli/supervisor/lifecycle.h"

#include <stddef.h>

const char *lifecycle_word(enum lifecycle_state state)
{
    switch (state) {
#define X(name, word)      \
    case LIFECYCLE_##name: \
        return word;
        LIFECYCLE_STATES(X)
#undef X
    }
    return "unknown";
}

bool lifecycle_has_process(const struct lifecycle *self)
{
    return self->state == LIFECYCLE_STARTING || self->state == LIFECYCLE_READY ||
           self->state == LIFECYCLE_STOPPING;
}

void lifecycle_start(struct lifecycle *self, int64_t now_ms)
{
    self->n_restarts += self->started;
    self->started = true;
    self->state = LIFECYCLE_STARTING;
    self->started_ms = now_ms;
    self->ready_ms = 0;
}

void lifecycle_ready(struct lifecycle *self, int64_t now_ms)
{
    if (self->state == LIFECYCLE_STARTING) {
        self->state = LIFECYCLE_READY;
        self->ready_ms = now_ms;
        self->was_ready = true;
    }
}

static int64_t delay_after(int32_t n_failures)
{
    int64_t delay = LIFECYCLE_FIRST_DELAY_MS;

    for (int32_t i = 1; i < n_failures && delay < LIFECYCLE_LAST_DELAY_MS; i++) {
        delay *= 2;
    }
    return delay < LIFECYCLE_LAST_DELAY_MS ? delay : LIFECYCLE_LAST_DELAY_MS;
}

void lifecycle_exit(struct lifecycle *self, int64_t now_ms)
{
    if (self->state == LIFECYCLE_STOPPING) {
        self->state = LIFECYCLE_STOPPED;
        return;
    }
    if (self->end_asked) {
        self->state = LIFECYCLE_BACKOFF;
        self->delay_ms = 0;
        self->due_ms = now_ms;
        self->end_asked = false;
        return;
    }
    if (self->state == LIFECYCLE_READY && now_ms - self->ready_ms >= LIFECYCLE_PROVEN_MS) {
        self->n_failures = 0;
    }
    self->n_failures++;
    self->state = LIFECYCLE_BACKOFF;
    self->delay_ms = delay_after(self->n_failures);
    self->due_ms = now_ms + self->delay_ms;
}

bool lifecycle_restart(struct lifecycle *self)
{
    self->end_asked = self->state == LIFECYCLE_STARTING || self->state == LIFECYCLE_READY;
    return self->end_asked;
}

bool lifecycle_stop(struct lifecycle *self, int64_t now_ms)
{
    if (self->state == LIFECYCLE_STOPPING || self->state == LIFECYCLE_STOPPED) {
        return false;
    }
    if (!lifecycle_has_process(self)) {
        self->state = LIFECYCLE_STOPPED;
        return false;
    }
    self->state = LIFECYCLE_STOPPING;
    self->due_ms = now_ms + LIFECYCLE_KILL_AFTER_MS;
    self->killed = false;
    return true;
}

bool lifecycle_should_kill(struct lifecycle *self, int64_t now_ms)
{
    if (self->state != LIFECYCLE_STOPPING || self->killed || now_ms < self->due_ms) {
        return false;
    }
    self->killed = true;
    return true;
}

bool lifecycle_should_start(const struct lifecycle *self, int64_t now_ms)
{
    return self->state == LIFECYCLE_WAITING ||
           (self->state == LIFECYCLE_BACKOFF && now_ms >= self->due_ms);
}

int64_t lifecycle_next_ms(const struct lifecycle *self)
{
    bool due =
        self->state == LIFECYCLE_BACKOFF || (self->state == LIFECYCLE_STOPPING && !self->killed);

    return due ? self->due_ms : INT64_MAX;
}
