/* crew - the threads of some queues: leader and follower (Schmidt et al., "Leader/Followers").
 *
 * A queue has two threads: one leads, so it takes what comes next and runs it, the other stands by.
 * What usually takes microseconds but may block now and then is best run by the leader: handing it
 * to another thread would cost two thread switches, more than the work itself.  The leader says so
 * with crew_begin() and crew_end().  When it has not ended after a millisecond or two, a watching
 * thread lets the follower lead, and the former leader stands by when it is done.  So what blocks
 * holds a queue up for at most that long, and while no follower stands by, crew_begin() refuses.
 *
 *                  +--- crew_begin ... crew_end ---+
 *                  v                               |
 *     stands by -> leads --------------------------+
 *         ^          |
 *         |          +--- crew_begin ... overdue: the other leads ... crew_end ---+
 *         +-----------------------------------------------------------------------+
 *
 * The watching thread sleeps while nothing is begun.
 */

#ifndef LIBS_RPC_CREW_H_
#define LIBS_RPC_CREW_H_

#include "libs/base/attributes.h"

#include <stdbool.h>
#include <stddef.h>

struct crew;

/* What a leader runs itself; a member of the caller's object. */
struct crew_task {
    /* Called by the watching thread, at most once, between crew_begin() and crew_end(), which waits
     * for it: must not block.  The queue has another leader then. */
    void (*overdue)(struct crew_task *task);
};

/* Blocks for what comes next and runs it; false when the queue is over. */
typedef bool crew_next(void *queue);

/* Starts the threads.  The queues are borrowed; to the functions below each is its index.  The
 * caller owns the crew: crew_free(). */
struct crew *crew_new(void *const *queues, size_t n_queues, crew_next *next) RETURNS_NONNULL;
/* Waits until next() has said of each queue that it is over, and ends the threads.  NULL is
 * allowed. */
void crew_free(struct crew *crew);

/* Only by the leader of that queue, so from inside next().  False when nobody stands by: then
 * nothing happens, and the task must be run elsewhere. */
bool crew_begin(struct crew *crew, size_t queue, struct crew_task *task) NONNULL;
/* By the thread that began it.  After that overdue() is not called any more. */
void crew_end(struct crew *crew, size_t queue, struct crew_task *task) NONNULL;

#endif
