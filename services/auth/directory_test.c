#include "services/auth/directory.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"

#include <string.h>

enum { MANY = 2500 }; /* more than two pages of what is loaded */

struct fixture {
    struct arena *arena;
    struct failing_store store;
    struct fake_clock clock;
    struct feed *feed;
    struct directory *directory;
};

static void nobody_is_told(void *data)
{
    (void)data;
}

static int set_up(void **state)
{
    static struct fixture f;
    struct store *store;

    f = (struct fixture){ .arena = arena_new(), .directory = directory_new() };
    assert_status(store_open(f.arena, ":memory:", &store), STATUS_OK);
    assert_status(auth_store_migrate(store, f.arena), STATUS_OK);
    failing_store_init(&f.store, store);
    fake_clock_init(&f.clock, 1700000000000);
    f.feed = feed_new(
        &(struct feed_options){ .clock = &f.clock.clock, .epoch = 1, .changed = nobody_is_told });
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    directory_free(f->directory);
    feed_free(f->feed);
    store_close(&f->store.store);
    arena_free(f->arena);
    return 0;
}

static struct account_record account(const char *tenant_id, const char *id, const char *uid)
{
    return (struct account_record){
        .tenant_id = tenant_id, .account_id = id, .uid = uid, .display_name = ""
    };
}

static struct key_record key(const char *id, const struct account_record *of)
{
    return (struct key_record){
        .tenant_id = of->tenant_id,
        .key_id = id,
        .account_id = of->account_id,
        .account_uid = of->uid,
        .display_name = "",
    };
}

static bool has_key(struct fixture *f, const char *id)
{
    struct directory_key found;

    return directory_find_key(f->directory, f->arena, id, &found);
}

static void a_key_goes_with_its_account(void **state)
{
    struct fixture *f = *state;
    const struct account_record robot = account("acme", "robot", "u1");
    const struct account_record other = account("acme", "other", "u2");
    const struct key_record keys[] = { key("k1", &robot), key("k2", &robot), key("k3", &other) };

    directory_put_account(f->directory, &robot);
    directory_put_account(f->directory, &other);
    for (int i = 0; i < 3; i++) {
        directory_put_key(f->directory, &keys[i]);
    }
    directory_remove_key(f->directory, "k1");
    assert_false(has_key(f, "k1"));
    assert_true(has_key(f, "k2"));
    directory_remove_account(f->directory, "acme", "robot");
    assert_false(has_key(f, "k2"));
    assert_true(has_key(f, "k3"));
    directory_remove_account(f->directory, "acme", "robot");
    directory_remove_key(f->directory, "k2");
}

static void an_expired_key_goes_when_another_is_made(void **state)
{
    struct fixture *f = *state;
    const struct account_record robot = account("acme", "robot", "u1");
    struct key_record keys[] = { key("k1", &robot), key("k2", &robot), key("k3", &robot),
                                 key("k4", &robot) };

    directory_put_account(f->directory, &robot);
    keys[0].expire_time_ms = 100;
    keys[1].expire_time_ms = 200;
    keys[3].create_time_ms = 150;
    for (int i = 0; i < 4; i++) {
        directory_put_key(f->directory, &keys[i]);
        assert_true(has_key(f, keys[i].key_id));
    }
    assert_false(has_key(f, "k1"));
    assert_true(has_key(f, "k2"));
    assert_true(has_key(f, "k3"));
    directory_remove_key(f->directory, "k2");
    directory_remove_key(f->directory, "k3");
    assert_true(has_key(f, "k4"));
}

static void a_key_of_an_account_that_had_the_name_before_is_none(void **state)
{
    struct fixture *f = *state;
    const struct account_record old = account("acme", "robot", "u1");
    const struct account_record new = account("acme", "robot", "u2");
    const struct key_record late = key("k1", &old);

    directory_put_account(f->directory, &new);
    directory_put_key(f->directory, &late);
    assert_false(has_key(f, "k1"));
    directory_put_account(f->directory, &old); /* takes the place of the other */
    directory_put_key(f->directory, &late);
    assert_true(has_key(f, "k1"));
}

static void names_that_run_together_are_not_mixed_up(void **state)
{
    struct fixture *f = *state;
    const struct account_record robot = account("acme", "robot", "u1");
    struct account_record found;

    directory_put_account(f->directory, &robot);
    assert_true(directory_find_account(f->directory, f->arena, "acme", "robot", &found));
    assert_false(directory_find_account(f->directory, f->arena, "acm", "e/robot", &found));
    assert_false(directory_find_account(f->directory, f->arena, "acme/robot", "", &found));
    assert_false(directory_find_account(f->directory, f->arena, "", "acme/robot", &found));
}

static void all_there_is_is_loaded(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    struct account_record found;

    for (int i = 0; i < MANY; i++) {
        struct account_record record =
            account(arena_printf(f->arena, "t%d", i / 7), arena_printf(f->arena, "a%d", i), "u");
        struct key_record *made = ARENA_NEW(f->arena, struct key_record);
        *made = key(arena_printf(f->arena, "k%d", i), &record);
        auth_store_insert_account(write, &record, MANY);
        auth_store_insert_key(write, made, 1);
    }
    assert_status(store_commit(&f->store.store, f->arena, write), STATUS_OK);
    (void)feed_revoke(f->feed, "tenant:t1:sa:a7", 12345, 1800000000000);
    assert_status(directory_load(f->directory, &f->store.store, f->feed, f->arena), STATUS_OK);
    for (int i = 0; i < MANY; i++) {
        assert_true(has_key(f, arena_printf(f->arena, "k%d", i)));
    }
    assert_true(directory_find_account(f->directory, f->arena, "t1", "a7", &found));
    assert_int_equal(found.earliest_ms, 12345);
}

static void a_store_that_fails_is_told(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 1; n <= 2; n++) {
        f->store.fail_query = n;
        assert_status(directory_load(f->directory, &f->store.store, f->feed, f->arena),
                      STATUS_UNAVAILABLE);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_goes_with_its_account),
        TEST(an_expired_key_goes_when_another_is_made),
        TEST(a_key_of_an_account_that_had_the_name_before_is_none),
        TEST(names_that_run_together_are_not_mixed_up),
        TEST(all_there_is_is_loaded),
        TEST(a_store_that_fails_is_told),
    };

    return cmocka_run_group_tests_name("directory", tests, NULL, NULL);
}
