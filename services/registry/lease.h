/* lease - the stream that keeps an instance in the catalogue.
 *
 *     up:    register_instance, then beats (at least every 5 s), states, obeyed policies
 *     down:  granted, then the policy now and at each change, drained after DRAINING
 *
 * The instance's service must be the one that its certificate names.  How a stream ends says what
 * becomes of the instance:
 *
 *     the client sends its last       it is gone at once
 *     the stream breaks               it is lost: catalogue.h says how long it stays
 *     no message for 15 s             the same; DEADLINE_EXCEEDED.  Three beats missed: a process
 *                                     that is stopped or cut off, whose connection still stands
 *     another lease took its place    it is the other's now; ABORTED at the next message
 *
 * Safe on any threads.
 */

#ifndef SERVICES_REGISTRY_LEASE_H_
#define SERVICES_REGISTRY_LEASE_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/rpc/stream.h"
#include "services/registry/ads_service.h"
#include "services/registry/catalogue.h"
#include "services/registry/policy_board.h"
#include "weft/registry/v1/registry_service.pb-c.h"

#include <stdint.h>

enum { LEASE_TIMEOUT_MS = 15000 };

struct leases;

struct leases_options {
    struct catalogue *catalogue; /* required; all of these borrowed, and must outlive the leases */
    struct ads_service *ads;     /* required: who has yet to hear that an instance drains */
    struct policy_board *board;  /* required */
    const struct clock *clock;   /* required */
    const char *trust_domain;    /* required */
};

/* The caller owns them: leases_free(), after the server has stopped. */
struct leases *leases_new(const struct leases_options *options) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void leases_free(struct leases *leases);

/* Ends those that have been silent for too long; at least once a second. */
void leases_tick(struct leases *leases) NONNULL;

/* Those that drain look whether their clients know by now: for ads_service_on_progress(). */
void leases_progress(void *leases) NONNULL;

/* Calls lost(object) when an instance was lost, so that catalogue_step() is due soon: on a thread
 * of the server, and it must not block.  Set once, before the server starts. */
void leases_on_lost(struct leases *leases, void (*lost)(void *object), void *object)
    NONNULL_ARGS(1, 2);

/* A stream's events.  Its state is a lease. */
status leases_open(struct leases *leases, struct stream *stream, void **ret_state) NONNULL;
status lease_message(struct stream *stream, void *state,
                     const Weft__Registry__V1__LeaseRequest *request) NONNULL_ARGS(1, 2);
status lease_writable(struct stream *stream, void *state) NONNULL;
void lease_closed(struct stream *stream, void *state, status why) NONNULL_ARGS(1);

#endif
