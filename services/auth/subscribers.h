/* subscribers - AuthService.Subscribe: the feed goes down, acknowledgements come up.
 *
 *     enforcement point                       auth
 *       { instance: "search/1" }  ------->
 *                                 <-------    whole, in one message or some
 *       { acknowledged: 41 }      ------->
 *                                 <-------    change 42
 *       { acknowledged: 42 }      ------->
 *                                 <-------    beat, each second
 *
 * A beat goes out only behind everything that has changed before it, so whoever has heard one
 * obeys what was revoked until then.  Until the feed is open nothing goes out, and no beat.
 */

#ifndef SERVICES_AUTH_SUBSCRIBERS_H_
#define SERVICES_AUTH_SUBSCRIBERS_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/rpc/stream.h"
#include "services/auth/feed.h"
#include "services/auth/point_memory.h"
#include "services/auth/points.h"

#include <stdbool.h>

enum { SUBSCRIBERS_BEAT_MS = 1000, SUBSCRIBERS_MAX_INSTANCE_BYTES = 128 };

/* All borrowed; they outlive the streams. */
struct subscribers {
    struct feed *feed;
    struct points *points;
    struct point_memory memory;
    const struct clock *clock;
    _Atomic bool is_draining;
};

/* Beats that are due go out; every fifth of a second or so. */
void subscribers_tick(struct subscribers *subscribers) NONNULL;
/* The process ends: all streams end with UNAVAILABLE, and who was there asks the next process. */
void subscribers_drain(struct subscribers *subscribers) NONNULL;

/* The events of a stream, for AuthService's table. */
status subscriber_open(struct subscribers *subscribers, struct stream *stream, void **ret_state)
    NONNULL;
status subscriber_message(struct stream *stream, void *state,
                          const Weft__Auth__V1__SubscribeRequest *request) NONNULL_ARGS(1, 2);
status subscriber_writable(struct stream *stream, void *state) NONNULL;
void subscriber_closed(struct stream *stream, void *state, status why) NONNULL_ARGS(1);

#endif
