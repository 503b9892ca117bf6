#include "libs/rpc/crew.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { MAX_EVENTS = 4096 };

struct event;

/* A queue as simple as can be: what it is given, one after the other. */
struct queue {
    size_t place;
    struct crew **crew;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct event *events[MAX_EVENTS];
    size_t n_events, n_taken;
    bool is_over;
    atomic_int n_leading; /* threads between next()'s begin and the event's crew_begin() or end */
};

struct event {
    void (*run)(struct event *event, struct queue *queue);
    struct crew_task task;
    atomic_int *count;
    atomic_bool *gate; /* is waited for, or opened */
    atomic_int n_overdue;
    atomic_bool is_begun, is_done;
    bool was_refused;
};

static bool next(void *data)
{
    struct queue *self = data;

    pthread_mutex_lock(&self->lock);
    while (self->n_taken == self->n_events && !self->is_over) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    struct event *event = self->n_taken < self->n_events ? self->events[self->n_taken++] : NULL;
    pthread_mutex_unlock(&self->lock);
    if (event == NULL) {
        return false;
    }
    assert_int_equal(atomic_fetch_add(&self->n_leading, 1), 0);
    event->run(event, self);
    return true;
}

static void add(struct queue *self, struct event *event)
{
    assert_true(self->n_events < MAX_EVENTS);
    pthread_mutex_lock(&self->lock);
    self->events[self->n_events++] = event;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void note_overdue(struct crew_task *task)
{
    struct event *self = (struct event *)(void *)((char *)task - offsetof(struct event, task));

    atomic_fetch_add(&self->n_overdue, 1);
}

/* ---- What events do ---- */

static void count(struct event *self, struct queue *queue)
{
    atomic_fetch_add(self->count, 1);
    atomic_fetch_sub(&queue->n_leading, 1);
    atomic_store(&self->is_done, true);
}

static void open_gate(struct event *self, struct queue *queue)
{
    atomic_fetch_sub(&queue->n_leading, 1);
    atomic_store(self->gate, true);
    atomic_store(&self->is_done, true);
}

/* Runs here, until the gate is open if there is one. */
static void run_here(struct event *self, struct queue *queue)
{
    self->task.overdue = note_overdue;
    atomic_fetch_sub(&queue->n_leading, 1); /* another may lead from when this is begun */
    self->was_refused = !crew_begin(*queue->crew, queue->place, &self->task);
    if (!self->was_refused) {
        atomic_store(&self->is_begun, true);
        while (self->gate != NULL && !atomic_load(self->gate)) {
            (void)usleep(100);
        }
        crew_end(*queue->crew, queue->place, &self->task);
        if (self->count != NULL) {
            atomic_fetch_add(self->count, 1);
        }
    }
    atomic_store(&self->is_done, true);
}

static void wait_for(atomic_bool *done)
{
    while (!atomic_load(done)) {
        (void)usleep(100);
    }
}

/* Until a task waits for its gate: in the first moments nobody stands by, and begins are refused.
 */
static void block(struct queue *queue, struct event *event, atomic_bool *gate)
{
    do {
        *event = (struct event){ .run = run_here, .gate = gate };
        add(queue, event);
        while (!atomic_load(&event->is_begun) && !atomic_load(&event->is_done)) {
            (void)usleep(100);
        }
    } while (!atomic_load(&event->is_begun));
}

/* ---- The tests ---- */

struct fixture {
    struct queue queues[2];
    struct crew *crew;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    void *queues[2];

    assert_non_null(f);
    for (size_t i = 0; i < 2; i++) {
        f->queues[i].place = i;
        f->queues[i].crew = &f->crew;
        pthread_mutex_init(&f->queues[i].lock, NULL);
        pthread_cond_init(&f->queues[i].changed, NULL);
        queues[i] = &f->queues[i];
    }
    f->crew = crew_new(queues, 2, next);
    *state = f;
    return 0;
}

static void end(struct fixture *f)
{
    for (size_t i = 0; i < 2; i++) {
        pthread_mutex_lock(&f->queues[i].lock);
        f->queues[i].is_over = true;
        pthread_cond_broadcast(&f->queues[i].changed);
        pthread_mutex_unlock(&f->queues[i].lock);
    }
    crew_free(f->crew);
    f->crew = NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    if (f->crew != NULL) {
        end(f);
    }
    free(f);
    return 0;
}

static void one_thread_leads_and_all_is_run_before_the_end(void **state)
{
    static struct event events[2][MAX_EVENTS];
    struct fixture *f = *state;
    atomic_int n = 0;

    for (size_t i = 0; i < MAX_EVENTS; i++) {
        for (size_t j = 0; j < 2; j++) {
            events[j][i] = (struct event){ .run = i % 3 == 0 ? run_here : count, .count = &n };
            add(&f->queues[j], &events[j][i]);
        }
    }
    end(f);
    for (size_t i = 0; i < MAX_EVENTS; i++) {
        n += events[0][i].was_refused + events[1][i].was_refused;
    }
    assert_int_equal(n, 2 * MAX_EVENTS);
}

static void what_blocks_lets_the_other_lead(void **state)
{
    struct fixture *f = *state;
    atomic_bool gate = false;
    struct event blocks, opens = { .run = open_gate, .gate = &gate };

    block(&f->queues[0], &blocks, &gate);
    add(&f->queues[0], &opens);
    wait_for(&opens.is_done);
    wait_for(&blocks.is_done);
    assert_int_equal(blocks.n_overdue, 1);
}

static void where_nobody_stands_by_nothing_is_begun(void **state)
{
    struct fixture *f = *state;
    atomic_bool gate = false;
    struct event blocks, second = { .run = run_here };

    block(&f->queues[0], &blocks, &gate);
    add(&f->queues[0], &second);
    wait_for(&second.is_done);
    assert_true(second.was_refused);
    atomic_store(&gate, true);
    wait_for(&blocks.is_done);
    gate = false;
    block(&f->queues[0], &second, &gate); /* the first leader stands by again */
    atomic_store(&gate, true);
    wait_for(&second.is_done);
}

static void a_queue_is_not_held_up_by_anothers_task(void **state)
{
    struct fixture *f = *state;
    atomic_bool gates[2] = { false, false };
    struct event blocks[2], second = { .run = run_here };

    block(&f->queues[0], &blocks[0], &gates[0]);
    block(&f->queues[1], &blocks[1], &gates[1]);
    atomic_store(&gates[1], true);
    wait_for(&blocks[1].is_done);
    add(&f->queues[1], &second);
    wait_for(&second.is_done);
    assert_false(blocks[0].is_done);
    atomic_store(&gates[0], true);
    wait_for(&blocks[0].is_done);
}

static void the_end_waits_for_what_is_overdue(void **state)
{
    struct fixture *f = *state;
    atomic_bool gate = false;
    struct event blocks, last = { .run = open_gate, .gate = &gate };

    block(&f->queues[0], &blocks, &gate);
    add(&f->queues[0], &last);
    end(f);
    assert_true(blocks.is_done);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_thread_leads_and_all_is_run_before_the_end),
        TEST(what_blocks_lets_the_other_lead),
        TEST(where_nobody_stands_by_nothing_is_begun),
        TEST(a_queue_is_not_held_up_by_anothers_task),
        TEST(the_end_waits_for_what_is_overdue),
    };

    return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
