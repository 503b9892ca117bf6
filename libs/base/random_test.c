#include "libs/base/random.h"

#include "libs/testing/seeded_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_ulid_sorts_by_time_and_never_repeats(void **state)
{
    const char *first = random_ulid(&system_random, *state, 1700000000000);
    const char *second = random_ulid(&system_random, *state, 1700000000000);
    const char *later = random_ulid(&system_random, *state, 1700000000001);

    assert_int_equal(strlen(first), 26);
    assert_string_not_equal(first, second);
    assert_true(strcmp(first, later) < 0 && strcmp(second, later) < 0);
    assert_memory_equal(first, "01hf7yat00", 10); /* the published ULID of that time begins so */
}

static void below_stays_below_and_reaches_all(void **state)
{
    bool seen[7] = { false };

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = random_below(&system_random, 7);
        assert_true(value < 7);
        seen[value] = true;
    }
    for (int i = 0; i < 7; i++) {
        assert_true(seen[i]);
    }
}

static void one_seed_gives_one_sequence(void **state)
{
    struct seeded_random a, b, c;

    seeded_random_init(&a, 42);
    seeded_random_init(&b, 42);
    seeded_random_init(&c, 43);
    const char *id = random_ulid(&a.source, *state, 0);
    assert_string_equal(id, random_ulid(&b.source, *state, 0));
    assert_string_not_equal(id, random_ulid(&c.source, *state, 0));
}

static int set_up(void **state)
{
    *state = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ulid_sorts_by_time_and_never_repeats),
        TEST(below_stays_below_and_reaches_all),
        TEST(one_seed_gives_one_sequence),
    };

    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
