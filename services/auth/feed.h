/* feed - what enforcement points decide by, and how it changes, encoded once for all of them.
 *
 * The state is in memory: the keys that tokens are verified with, what the roles may do, who was
 * revoked, and how each tenant stands.  Each change has a revision of its own, one more than the
 * one before, and is kept as it goes over the wire:
 *
 *     state  --whole-->  [chunk][chunk][chunk]           made when somebody new comes, and kept
 *     log    ... | 41 | 42 | 43 |                        until the next change
 *                       ^ a reader that has seen 41 gets 42, then 43
 *
 * A reader is a cursor: it gets the whole at first, then each change.  One that has fallen behind
 * the log gets the whole again, so the log is bounded, and a slow reader costs nobody anything.
 *
 * Revisions go on growing over restarts: the upper half is the epoch, a number that the store
 * counts up with each start.  So what an enforcement point has cached under a revision is never
 * taken for something else.
 *
 * The feed is closed until feed_open(): a whole without the tenants would refuse all of them.
 *
 * Safe on any threads; nothing blocks but feed_await_tenant().
 */

#ifndef SERVICES_AUTH_FEED_H_
#define SERVICES_AUTH_FEED_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "weft/auth/v1/auth_service.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Tenants, or revocations, in one message: some 150 KB, far below gRPC's 4 MiB. */
    FEED_CHUNK = 2000,
    /* Changes that are kept for readers who are a little behind: at 100 revocations a second, 10 s
     * of them. */
    FEED_LOG_CHANGES = 1024,
};

struct feed;

struct feed_options {
    const struct clock *clock; /* required; borrowed */
    uint32_t epoch;            /* of this start; 1 or more, and never used before */
    /* Called after each change, under the feed's lock: must not block nor ask the feed. */
    void (*changed)(void *data);
    void *data;
};

/* Has the roles of roles.h.  The caller owns the feed: feed_free(), when no cursor is left. */
struct feed *feed_new(const struct feed_options *options) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void feed_free(struct feed *feed);

/* ---- Changes; each returns the revision that has it.  Texts are copied. ---- */

uint64_t feed_set_keys(struct feed *feed, const char *jwks) NONNULL;
/* Credentials of subject up to epoch_ms are no longer good. */
uint64_t feed_revoke(struct feed *feed, const char *subject, int64_t epoch_ms, int64_t forget_ms)
    NONNULL;
/* Those that are as they were make no change. */
uint64_t feed_put_tenants(struct feed *feed, Weft__Auth__V1__TenantState *const *tenants,
                          size_t n_tenants) NONNULL_ARGS(1);
/* Everything is known: readers get it from now on. */
void feed_open(struct feed *feed) NONNULL;
/* Forgets revocations that no token can be as old as; readers do the same by themselves. */
void feed_forget(struct feed *feed) NONNULL;

/* ---- Look-ups ---- */

uint64_t feed_revision(struct feed *feed) NONNULL;
bool feed_is_open(struct feed *feed) NONNULL;

struct feed_tenant {
    Weft__Auth__V1__TenantStanding standing;
    uint64_t revision; /* that brought it */
};
/* False when there is none of that id. */
bool feed_find_tenant(struct feed *feed, const char *tenant_id, struct feed_tenant *ret_tenant)
    NONNULL;
/* The same, waiting up to timeout_ms for a tenant that was made a moment ago. */
bool feed_await_tenant(struct feed *feed, const char *tenant_id, int64_t timeout_ms,
                       struct feed_tenant *ret_tenant) NONNULL;

/* Up to when credentials of subject are no longer good; 0 when it was not revoked. */
int64_t feed_revoked_until(struct feed *feed, const char *subject) NONNULL;

/* ---- Readers ---- */

/* One message: a weft.auth.v1.Snapshot, encoded, with its length in front. */
struct feed_message;
/* As field 1 of a SubscribeResponse has it; lives as long as the message. */
bytes feed_message_data(const struct feed_message *message) NONNULL;
void feed_message_unref(struct feed_message *message) NONNULL;

struct feed_whole;

/* Begins as all zero. */
struct feed_cursor {
    uint64_t revision;        /* all of it was taken; 0: nothing yet */
    struct feed_whole *whole; /* being taken */
    size_t next;              /* of its messages */
};

/* The next message for this reader, with a ref for the caller; NULL when it has seen all. */
struct feed_message *feed_next(struct feed *feed, struct feed_cursor *cursor) NONNULL;
void feed_cursor_reset(struct feed_cursor *cursor) NONNULL;

#endif
