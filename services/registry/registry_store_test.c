#include "services/registry/registry_store.h"

#include "libs/base/text.h"
#include "libs/store/store_contract.h"
#include "libs/testing/assert_status.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct store *store;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    assert_status(store_open(f.arena, ":memory:", &f.store), STATUS_OK);
    assert_status(registry_store_migrate(f.store, f.arena), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    arena_free(f->arena);
    return 0;
}

static status put(struct fixture *f, uint64_t revision, const char *text)
{
    struct store_write *write = store_write_new(f->arena);

    registry_store_put_policy(write, f->arena, revision, bytes_of(text));
    return store_commit(f->store, f->arena, write);
}

static void a_policy_replaces_the_one_before_and_no_other(void **state)
{
    struct fixture *f = *state;
    uint64_t revision;
    bytes packed;

    assert_status(registry_store_get_policy(f->store, f->arena, &revision, &packed), STATUS_OK);
    assert_int_equal(revision, 0);
    assert_status(put(f, 1, "one"), STATUS_OK);
    assert_status(put(f, 2, "two"), STATUS_OK);
    assert_status(put(f, 2, "also two"), STATUS_ABORTED);
    assert_status(put(f, 4, "four"), STATUS_ABORTED);
    assert_status(registry_store_get_policy(f->store, f->arena, &revision, &packed), STATUS_OK);
    assert_int_equal(revision, 2);
    assert_int_equal(packed.size, 3);
    assert_memory_equal(packed.data, "two", 3);
}

static void services_are_remembered_once(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    const char *const *names;
    size_t n;

    registry_store_add_service(write, "tenant");
    registry_store_add_service(write, "search");
    registry_store_add_service(write, "tenant");
    assert_status(store_commit(f->store, f->arena, write), STATUS_OK);
    assert_status(registry_store_list_services(f->store, f->arena, &names, &n), STATUS_OK);
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "search");
    assert_string_equal(names[1], "tenant");
}

static void its_migrations_have_a_way_back(void **state)
{
    (void)state;
    store_migrations_contract(registry_store_migrate);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_policy_replaces_the_one_before_and_no_other),
        TEST(services_are_remembered_once),
        cmocka_unit_test(its_migrations_have_a_way_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
