#include "services/scheduler/line.h"

struct line *seat_line(const struct seat *seat)
{
    return seat->lane != NULL ? &seat->lane->line : &seat->pool->line;
}

void seat_leave(struct seat *seat)
{
    struct line *line = seat_line(seat);

    if (!seat->is_waiting) {
        return;
    }
    *(seat->previous != NULL ? &seat->previous->next : &line->first) = seat->next;
    *(seat->next != NULL ? &seat->next->previous : &line->last) = seat->previous;
    seat->previous = NULL;
    seat->next = NULL;
    seat->is_waiting = false;
}

void seat_join(struct seat *seat)
{
    struct line *line = seat_line(seat);

    seat_leave(seat);
    seat->previous = line->last;
    *(line->last != NULL ? &line->last->next : &line->first) = seat;
    line->last = seat;
    seat->is_waiting = true;
}
