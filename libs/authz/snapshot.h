/* snapshot - what an enforcement point decides by, as auth has streamed it.
 *
 * Keys to verify tokens with, what each role may do, who has been revoked, and how each tenant
 * stands.  It is changed by one thread (the subscription's) and read by all; readers hold a
 * read lock for a look-up and never wait for anything but such a change.
 *
 * It is a lease, too: without a beat for SNAPSHOT_STALE_MS it is stale, which a metric shows;
 * without one for SNAPSHOT_LEASE_MS it is over, and whoever decides by it denies.  So a revocation
 * is in force everywhere after that time, whatever the network does.
 */

#ifndef LIBS_AUTHZ_SNAPSHOT_H_
#define LIBS_AUTHZ_SNAPSHOT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/crypto/jose.h"
#include "weft/auth/v1/auth_service.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

enum { SNAPSHOT_STALE_MS = 5000, SNAPSHOT_LEASE_MS = 60000 };

struct snapshot;

/* Borrows the clock.  Empty, and its lease over, until the first beat. */
struct snapshot *snapshot_new(const struct clock *clock) NONNULL RETURNS_NONNULL;
void snapshot_free(struct snapshot *snapshot);

/* ---- By the subscription ---- */

/* Takes what has changed.  INVALID_ARGUMENT: the key set is none, or a change came before a whole
 * one; then nothing has happened. */
status snapshot_apply(struct snapshot *snapshot, struct arena *arena,
                      const Weft__Auth__V1__Snapshot *change) NONNULL;
/* auth is there, and this is its newest. */
void snapshot_beat(struct snapshot *snapshot) NONNULL;

/* ---- By everybody ---- */

/* 0 before the first. */
uint64_t snapshot_revision(struct snapshot *snapshot) NONNULL;
/* Whether the lease holds. */
bool snapshot_is_fresh(struct snapshot *snapshot) NONNULL;
/* Milliseconds since the last beat; INT64_MAX before the first. */
int64_t snapshot_age_ms(struct snapshot *snapshot) NONNULL;

/* UNAUTHENTICATED, as jose_verify(). */
status snapshot_verify(struct snapshot *snapshot, struct arena *arena, bytes token,
                       const struct jose_expectation *expectation, struct jose_claims *ret_claims)
    NONNULL_ARGS(1, 2, 4, 5);
/* Whether a subject's credentials of that time are no longer good. */
bool snapshot_is_revoked(struct snapshot *snapshot, const char *subject, int64_t issued_ms) NONNULL;

struct snapshot_patterns {
    const char *const *patterns; /* arena */
    size_t n_patterns;
};
/* What the roles together may do; unknown ones may nothing. */
struct snapshot_patterns snapshot_roles(struct snapshot *snapshot, struct arena *arena,
                                        const struct jose_texts *roles) NONNULL;

struct tenant_limits {
    Weft__Auth__V1__TenantStanding standing;
    int64_t max_projects, max_records, requests_per_minute; /* 0: none */
};
/* False when there is no such tenant. */
bool snapshot_tenant(struct snapshot *snapshot, const char *tenant_id,
                     struct tenant_limits *ret_limits) NONNULL;
/* Takes one request of the tenant's rate; false when it is used up, with the time until there is
 * another.  A tenant may spend 10 s of its rate at once. */
bool snapshot_take_request(struct snapshot *snapshot, const char *tenant_id,
                           int64_t *ret_retry_after_ms) NONNULL;

#endif
