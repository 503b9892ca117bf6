/* feed_internal - what a feed is made of, and the messages made of it. */

#ifndef SERVICES_AUTH_FEED_INTERNAL_H_
#define SERVICES_AUTH_FEED_INTERNAL_H_

#include "libs/base/map.h"
#include "services/auth/feed.h"

#include <stdatomic.h>

struct feed_message {
    _Atomic int refs;
    size_t size;
    uint8_t data[];
};

/* All messages of one revision's whole. */
struct feed_whole {
    _Atomic int refs;
    uint64_t revision;
    size_t n_messages;
    struct feed_message *messages[];
};

struct feed_state_tenant {
    Weft__Auth__V1__TenantState state; /* its tenant_id is owned */
    uint64_t revision;
};

struct feed_state_revocation {
    int64_t epoch_ms;
    int64_t forget_ms;
};

/* What is so now; the feed's lock guards it. */
struct feed_state {
    uint64_t revision;
    char *jwks;
    struct map revocations, tenants; /* of the two above */
};

/* As calloc(); aborts when there is none. */
void *feed_allocate(size_t size) RETURNS_NONNULL;

/* With one ref, as both. */
struct feed_message *feed_message_new(const Weft__Auth__V1__Snapshot *snapshot)
    NONNULL RETURNS_NONNULL;
struct feed_message *feed_message_ref(struct feed_message *message) NONNULL RETURNS_NONNULL;

struct feed_whole *feed_whole_new(const struct feed_state *state) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void feed_whole_unref(struct feed_whole *whole);

#endif
