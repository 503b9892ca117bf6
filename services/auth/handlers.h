/* handlers - what the handlers of AuthService have in common. */

#ifndef SERVICES_AUTH_HANDLERS_H_
#define SERVICES_AUTH_HANDLERS_H_

#include "libs/base/attributes.h"
#include "libs/rpc/call.h"
#include "services/auth/auth_service.h"
#include "services/auth/subscribers.h"
#include "weft/auth/v1/auth_service.pb-c.h"

struct auth_service {
    struct auth_service_options options;
    struct subscribers subscribers;
    int64_t rotation_due_ms; /* monotonic: not tried before */
};

static inline const struct auth_service_options *options_of(const struct call *call)
{
    const struct auth_service *self = call->service;

    return &self->options;
}

/* The store blocks, so only a WORKER comes by it. */
struct store *store_of(const struct call *call) NONNULL RETURNS_NONNULL;

enum {
    /* Of a tenant's, that enforcement points must still know of: each has all of them in memory,
     * 100 bytes each.  Past it nothing new is made, which is the only thing that can be revoked. */
    MAX_REVOCATIONS = 10000,
};

/* NULL for 0. */
Google__Protobuf__Timestamp *timestamp_message(struct arena *arena, int64_t ms) NONNULL;

/* A change under way: what memory learns of it, and where it has come to. */
struct change {
    const struct auth_service_options *options;
    void (*apply)(struct change *change); /* on the store's thread */
    const struct account_record *account;
    const struct key_record *key;
    const struct revocation_record *revocation; /* NULL when nothing is revoked */
    uint64_t revision;                          /* of the feed, that has it */
    int64_t committed_us;                       /* monotonic */
};

/* Commits write with the event that tells of it, and applies the change.  The event is tenant_id's,
 * whoever did it. */
status commit_audited(struct call *call, struct store_write *write, struct change *change,
                      const char *tenant_id, const char *action, const char *target) NONNULL;

/* Waits until all obey the change's revision. */
Weft__Registry__V1__Receipt *await_receipt(struct call *call, const struct change *change,
                                           int64_t timeout_ms) NONNULL RETURNS_NONNULL;

/* Whether the caller has all of these to give. */
status check_may_grant(struct call *call, const struct text_list *gives) NONNULL;

#endif
