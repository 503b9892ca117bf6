/* line - workers that have credit, in the order they have waited: a list of seats.
 *
 * Part of dispatcher.h, which has the types.
 */

#ifndef SERVICES_SCHEDULER_LINE_H_
#define SERVICES_SCHEDULER_LINE_H_

#include "libs/base/attributes.h"
#include "services/scheduler/dispatcher.h"

/* The line that seat belongs to. */
struct line *seat_line(const struct seat *seat) NONNULL RETURNS_NONNULL;

/* To the end of its line, from wherever it was. */
void seat_join(struct seat *seat) NONNULL;

/* One that is not waiting stays so. */
void seat_leave(struct seat *seat) NONNULL;

#endif
