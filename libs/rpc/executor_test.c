#include "libs/rpc/executor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct counted {
    struct executor_task task;
    atomic_int *count;
    atomic_bool *gate; /* waits until it is open; NULL does not */
};

static void count(struct executor_task *task)
{
    struct counted *self = (struct counted *)task;

    while (self->gate != NULL && !atomic_load(self->gate)) {
        (void)usleep(100);
    }
    atomic_fetch_add(self->count, 1);
}

static void every_task_runs_once(void **state)
{
    static struct counted tasks[20000];
    atomic_int n = 0;
    struct executor *executor = executor_new(4, 0);

    (void)state;
    for (int i = 0; i < 20000; i++) {
        tasks[i] = (struct counted){ .task = { .run = count }, .count = &n };
        assert_true(executor_submit(executor, &tasks[i].task));
        if (i % 1000 == 0) {
            (void)usleep(300); /* so that threads fall asleep now and then */
        }
    }
    executor_free(executor);
    assert_int_equal(n, 20000);
}

static void one_task_at_a_time_is_not_forgotten(void **state)
{
    atomic_int n = 0;
    struct executor *executor = executor_new(3, 0);

    (void)state;
    for (int i = 1; i <= 500; i++) {
        struct counted task = { .task = { .run = count }, .count = &n };
        assert_true(executor_submit(executor, &task.task));
        for (int wait = 0; wait < 50000 && atomic_load(&n) < i; wait++) {
            (void)usleep(20);
        }
        assert_int_equal(n, i);
    }
    executor_free(executor);
}

static void a_full_queue_says_so(void **state)
{
    struct counted tasks[4];
    atomic_bool gate = false;
    atomic_int n = 0;
    struct executor *executor = executor_new(1, 2);

    (void)state;
    for (int i = 0; i < 4; i++) {
        tasks[i] = (struct counted){ .task = { .run = count }, .count = &n, .gate = &gate };
    }
    assert_true(executor_submit(executor, &tasks[0].task));
    while (executor_waiting(executor) > 0) { /* until the thread has taken it */
        (void)usleep(100);
    }
    assert_true(executor_submit(executor, &tasks[1].task));
    assert_true(executor_submit(executor, &tasks[2].task));
    assert_false(executor_submit(executor, &tasks[3].task));
    atomic_store(&gate, true);
    executor_free(executor);
    assert_int_equal(n, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(one_task_at_a_time_is_not_forgotten),
        cmocka_unit_test(a_full_queue_says_so),
    };

    return cmocka_run_group_tests_name("executor", tests, NULL, NULL);
}
