/* link - a stream to a peer that is opened again whenever it ends.
 *
 * The part that identity, lease and subscription have in common: they open one stream, hear from it
 * for as long as it lives, and open it again after a back-off when it ends.
 *
 *     struct link link;
 *     link_init(&link, &(struct link_options){ .peer = peer, .service = ..., .method = "Lease",
 *                                              .message = on_message, .state = self, ... });
 *     link_tick(&link)            from the keeper: opens it when it is down and due
 *     link_reset(&link)
 *
 * The events are WORKER ones: they may block.  `first` makes the message that a new stream begins
 * with.
 */

#ifndef LIBS_MESH_LINK_H_
#define LIBS_MESH_LINK_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/obs/log.h"
#include "libs/retry/backoff.h"
#include "libs/rpc/peer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* How long a goodbye is waited for: the answer takes a millisecond, and who ends does not wait for
 * one that stands still. */
enum { LINK_GOODBYE_MS = 500 };

struct link_options {
    struct peer *peer;                         /* required; borrowed */
    const ProtobufCServiceDescriptor *service; /* required */
    const char *method;                        /* required */
    const char *name;                          /* for the log: "lease"; a constant */
    const struct clock *clock;                 /* required; borrowed */
    const struct random_source *random;        /* required; borrowed */
    struct log *log;                           /* borrowed; may be NULL */
    /* A new stream's first message, in arena. */
    const ProtobufCMessage *(*first)(void *state, struct arena *arena);
    status (*message)(struct stream *stream, void *state, const ProtobufCMessage *message);
    status (*writable)(struct stream *stream, void *state); /* may be NULL */
    void (*down)(void *state, status why);                  /* may be NULL */
    void *state;                                            /* of the four */
    /* At the end the other side is told by a half-close that we go by our own will, and has so long
     * to end the stream: LINK_GOODBYE_MS, or 0, which cancels it. */
    int64_t goodbye_ms;
};

struct link {
    struct link_options options;
    pthread_mutex_t lock;
    pthread_cond_t closed;
    struct stream *stream; /* NULL when down */
    bool sent_first;
    _Atomic bool stopping;
    bool worked; /* something came since it was opened */
    int64_t due_us;
    struct backoff backoff;
};

void link_init(struct link *self, const struct link_options *options) NONNULL;
/* Ends the stream and waits for its last event. */
void link_reset(struct link *self) NONNULL;

/* From the keeper. */
void link_tick(struct link *self) NONNULL;
/* Any thread: a writable event, when it is up. */
void link_wake(struct link *self) NONNULL;

#endif
