/* policy_board - the mesh policy in force, and who obeys it.
 *
 *     UpdatePolicy --> publish ---> wakes every point ---> its lease sends the policy down
 *          |                                                        |
 *          +--- wait for the receipt <--- obeyed <--- the acknowledgement comes up
 *
 * A point is an enforcement point: the process at the other end of one lease.  Publishing answers
 * at once; the receipt says how many points there were, how many have said that they obey, and
 * names the others: those that are silent, and those that went away, which deny by themselves once
 * their lease is over.
 *
 * Safe on any threads.
 */

#ifndef SERVICES_REGISTRY_POLICY_BOARD_H_
#define SERVICES_REGISTRY_POLICY_BOARD_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"

#include <stddef.h>
#include <stdint.h>

struct policy_board;

/* clock is borrowed.  The caller owns the board: policy_board_free(), when all points have left. */
struct policy_board *policy_board_new(const struct clock *clock) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void policy_board_free(struct policy_board *board);

/* Makes a packed weft.registry.v1.Policy the one in force; copies it.  An older revision than the
 * one in force is passed over: two updates may arrive in either order. */
void policy_board_publish(struct policy_board *board, uint64_t revision, bytes packed) NONNULL;

/* The policy in force, copied into arena; 0 when none was published. */
uint64_t policy_board_get(struct policy_board *board, struct arena *arena, bytes *ret_packed)
    NONNULL;
uint64_t policy_board_revision(struct policy_board *board) NONNULL;

/* One enforcement point.  Its owner fills in the first three and leaves the rest alone. */
struct policy_point {
    void (*wake)(void *object); /* under the board's lock: must not block nor ask the board */
    void *object;
    const char *name; /* for receipts: SPIFFE ID and instance; borrowed until it leaves */
    struct policy_point *next;
    struct policy_point *previous;
    uint64_t serial;
    uint64_t obeyed; /* revision */
};

/* Borrows the point until policy_board_leave(); after that, wake() is not called any more. */
void policy_board_join(struct policy_board *board, struct policy_point *point) NONNULL;
void policy_board_leave(struct policy_board *board, struct policy_point *point) NONNULL;
void policy_board_obeyed(struct policy_board *board, struct policy_point *point, uint64_t revision)
    NONNULL;

struct policy_receipt {
    uint64_t revision;
    size_t n_points;
    size_t n_obeyed;
    const char *const *fenced; /* arena */
    size_t n_fenced;
    int64_t elapsed_us;
};

/* Waits until each point that is there now obeys revision or has left, or timeout_ms are over.
 * Blocks. */
struct policy_receipt policy_board_wait(struct policy_board *board, struct arena *arena,
                                        uint64_t revision, int64_t timeout_ms) NONNULL;

#endif
