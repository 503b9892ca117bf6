#include "libs/obs/readiness.h"

#include "libs/obs/metrics.h"
#include "libs/testing/fake_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct arena *arena;
    struct fake_clock clock;
    struct readiness *readiness;
    int n_told;
    bool told;
};

static void changed(void *data)
{
    struct fixture *f = data;

    f->n_told++;
    f->told = readiness_is_ready(f->readiness); /* so no lock is held */
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->arena = arena_new();
    fake_clock_init(&f->clock, 1000);
    f->readiness = readiness_new(&(struct readiness_options){
        .clock = &f->clock.clock,
        .changed = changed,
        .data = f,
    });
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    readiness_free(f->readiness);
    arena_free(f->arena);
    free(f);
    return 0;
}

static void a_service_is_ready_while_all_it_needs_is(void **state)
{
    struct fixture *f = *state;

    assert_true(readiness_is_ready(f->readiness));
    struct dependency *store = readiness_add(f->readiness, "store", "opening");
    struct dependency *lease = readiness_add(f->readiness, "lease", "not asked for");
    assert_false(readiness_is_ready(f->readiness));
    readiness_set(store, true, "open");
    readiness_set(store, true, "open"); /* again, and counted once */
    assert_false(readiness_is_ready(f->readiness));
    readiness_set(lease, true, "held");
    assert_true(readiness_is_ready(f->readiness));
    readiness_set(store, false, "the disk is full");
    readiness_set(store, false, "the disk is full");
    assert_false(readiness_is_ready(f->readiness));
    readiness_set(store, true, "open");
    assert_true(readiness_is_ready(f->readiness));
}

static void who_listens_is_told_when_the_whole_changes_and_only_then(void **state)
{
    struct fixture *f = *state;
    struct dependency *store = readiness_add(f->readiness, "store", "opening");

    assert_int_equal(f->n_told, 1); /* from ready, for want of anything, to not */
    struct dependency *lease = readiness_add(f->readiness, "lease", "not asked for");
    readiness_set(store, true, "open");
    assert_int_equal(f->n_told, 1);
    readiness_set(lease, true, "held");
    assert_int_equal(f->n_told, 2);
    assert_true(f->told);
    readiness_set(lease, true, "held, renewed");
    assert_int_equal(f->n_told, 2);
    readiness_set(lease, false, "lost");
    assert_int_equal(f->n_told, 3);
    assert_false(f->told);
}

static void the_state_says_what_why_and_since_when(void **state)
{
    struct fixture *f = *state;
    char reason[300];
    struct dependency *store = readiness_add(f->readiness, "store", "opening");

    (void)readiness_add(f->readiness, "lease", "not asked for");
    fake_clock_advance_ms(&f->clock, 500);
    readiness_set(store, true, "open");
    fake_clock_advance_ms(&f->clock, 500);
    memset(reason, 'r', sizeof reason);
    reason[sizeof reason - 1] = '\0';
    readiness_set(store, true, reason); /* another reason, but not since then */

    struct readiness_state now = readiness_state(f->readiness, f->arena);
    assert_false(now.ready);
    assert_int_equal(now.n_dependencies, 2);
    assert_string_equal(now.dependencies[0].name, "store");
    assert_int_equal(strlen(now.dependencies[0].reason), 200);
    assert_int_equal(now.dependencies[0].since_ms, 1500);
    assert_string_equal(now.dependencies[1].reason, "not asked for");
    assert_int_equal(now.dependencies[1].since_ms, 1000);
    struct labels labels = { .name = metric_label_of("store") };
    assert_int_equal(gauge_value(GAUGE_ready, &labels), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_service_is_ready_while_all_it_needs_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_listens_is_told_when_the_whole_changes_and_only_then,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_state_says_what_why_and_since_when, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("readiness", tests, NULL, NULL);
}
