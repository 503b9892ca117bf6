#include "services/audit/audit_keys.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/temp_folder.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct arena *arena;
    const char *path;
    struct failing_store store;
    struct fake_clock clock;
    struct seeded_random random;
    struct aead_key master;
    struct audit_keys *keys;
};

static const struct audit_subject ada = { "acme", "user:ada" };
static const struct audit_subject bob = { "acme", "user:bob" };
static const struct audit_subject other_ada = { "globex", "user:ada" };

static void open_store(struct fixture *f)
{
    struct store *store;

    assert_status(store_open(f->arena, arena_printf(f->arena, "sqlite:%s", f->path), &store),
                  STATUS_OK);
    assert_status(audit_keys_migrate(store, f->arena), STATUS_OK);
    failing_store_init(&f->store, store);
}

static status make_keys(struct fixture *f)
{
    audit_keys_free(f->keys);
    f->keys = NULL;
    return audit_keys_new(&(struct audit_keys_options){ .store = &f->store.store,
                                                        .master = &f->master,
                                                        .random = &f->random.source,
                                                        .clock = &f->clock.clock },
                          f->arena, &f->keys);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    f.path = arena_printf(f.arena, "%s/keys.db", temp_folder(f.arena));
    fake_clock_init(&f.clock, 1700000000000);
    seeded_random_init(&f.random, 4);
    aead_generate(&f.random.source, &f.master);
    open_store(&f);
    assert_status(make_keys(&f), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    audit_keys_free(f->keys);
    store_close(&f->store.store);
    arena_free(f->arena);
    return 0;
}

static struct audit_data_key key_of(struct fixture *f, struct audit_subject subject)
{
    struct audit_data_key key;

    assert_status(audit_keys_of(f->keys, f->arena, &subject, 1, &key), STATUS_OK);
    return key;
}

static status erase(struct fixture *f, struct audit_subject subject)
{
    struct store_write *write = store_write_new(f->arena);

    audit_keys_erase(f->keys, write, &subject);
    status s = store_commit(&f->store.store, f->arena, write);
    audit_keys_forget(f->keys, &subject);
    return s;
}

static void a_subject_keeps_its_key(void **state)
{
    struct fixture *f = *state;
    const struct audit_subject both[3] = { ada, bob, ada };
    struct audit_data_key keys[3];
    struct aead_key found;
    const char *tenant_id;

    struct audit_data_key first = key_of(f, ada);
    assert_status(audit_keys_of(f->keys, f->arena, both, 3, keys), STATUS_OK);
    assert_memory_equal(&keys[0], &first, sizeof first);
    assert_memory_equal(&keys[2], &first, sizeof first);
    assert_memory_not_equal(&keys[1], &first, sizeof first);
    assert_status(make_keys(f), STATUS_OK); /* nothing lies in memory now */
    struct audit_data_key again = key_of(f, ada);
    assert_memory_equal(&again, &first, sizeof first);
    assert_status(audit_keys_find(f->keys, f->arena, &first.id, &found), STATUS_OK);
    assert_memory_equal(&found, &first.key, sizeof found);
    assert_status(audit_keys_tenant(f->keys, f->arena, &first.id, &tenant_id), STATUS_OK);
    assert_string_equal(tenant_id, "acme");
}

static void subjects_of_one_name_in_two_tenants_are_two(void **state)
{
    struct audit_data_key here = key_of(*state, ada);
    struct audit_data_key there = key_of(*state, other_ada);

    assert_memory_not_equal(&here, &there, sizeof here);
}

static void many_new_subjects_cost_one_commit(void **state)
{
    enum { MANY = 100 };
    struct fixture *f = *state;
    struct audit_subject subjects[MANY];
    struct audit_data_key keys[MANY];

    for (int i = 0; i < MANY; i++) {
        subjects[i] = (struct audit_subject){ "acme", arena_printf(f->arena, "user:%d", i % 90) };
    }
    f->store.fail_commit = 2; /* the second would fail */
    assert_status(audit_keys_of(f->keys, f->arena, subjects, MANY, keys), STATUS_OK);
    assert_memory_equal(&keys[95], &keys[5], sizeof keys[5]);
    assert_int_equal(f->store.fail_commit, 1);
}

static void an_erased_key_is_gone_and_the_next_is_another(void **state)
{
    struct fixture *f = *state;
    struct audit_data_key before = key_of(f, ada);
    struct audit_data_key his = key_of(f, bob);
    struct aead_key found;
    const char *tenant_id;

    assert_status(erase(f, ada), STATUS_OK);
    assert_status(audit_keys_find(f->keys, f->arena, &before.id, &found), STATUS_NOT_FOUND);
    assert_status(audit_keys_tenant(f->keys, f->arena, &before.id, &tenant_id), STATUS_OK);
    assert_status(audit_keys_find(f->keys, f->arena, &his.id, &found), STATUS_OK);
    assert_status(erase(f, ada), STATUS_NOT_FOUND);
    assert_status(erase(f, other_ada), STATUS_NOT_FOUND);
    struct audit_data_key after = key_of(f, ada);
    assert_memory_not_equal(&after, &before, sizeof after);
    assert_status(audit_keys_find(f->keys, f->arena, &before.id, &found), STATUS_NOT_FOUND);
    assert_status(erase(f, ada), STATUS_OK); /* and again */
}

static bytes read_database(struct fixture *f)
{
    FILE *file = fopen(f->path, "rb");
    uint8_t *data = arena_alloc(f->arena, 1 << 20);

    assert_non_null(file);
    size_t size = fread(data, 1, 1 << 20, file);
    (void)fclose(file);
    return (bytes){ data, size };
}

static bytes wrapped_key(struct fixture *f, const struct audit_data_key *key)
{
    const struct store_statement query = {
        .sql = "SELECT wrapped FROM audit_key WHERE key_id = $1",
        .params = PARAMS(store_blob((bytes){ key->id.data, AUDIT_KEY_ID_SIZE })),
    };
    struct store_rows rows;

    assert_status(store_query(&f->store.store, f->arena, &query, &rows), STATUS_OK);
    return store_blob_at(&rows, 0, 0);
}

static void an_erased_key_is_not_left_in_the_file(void **state)
{
    struct fixture *f = *state;
    struct audit_data_key key = key_of(f, ada);
    bytes wrapped = wrapped_key(f, &key);

    for (int erased = 0; erased < 2; erased++) {
        store_close(&f->store.store); /* the write-ahead log goes into the file */
        bytes file = read_database(f);
        bool found = memmem(file.data, file.size, wrapped.data, wrapped.size) != NULL;
        assert_int_equal(found, !erased);
        assert_null(memmem(file.data, file.size, key.key.data, AEAD_KEY_SIZE));
        assert_null(memmem(file.data, file.size, "user:ada", strlen("user:ada")));
        open_store(f);
        if (!erased) {
            assert_status(erase(f, ada), STATUS_OK);
        }
    }
}

static void another_master_key_is_noticed(void **state)
{
    struct fixture *f = *state;

    (void)key_of(f, ada);
    f->master.data[0] ^= 1;
    assert_status(make_keys(f), STATUS_DATA_LOSS);
    f->master.data[0] ^= 1;
    assert_status(make_keys(f), STATUS_OK);
}

static void a_wrapped_key_does_not_open_in_another_row(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    struct audit_data_key key = key_of(f, ada);
    struct audit_data_key his = key_of(f, bob);
    struct aead_key found;

    bytes stolen = wrapped_key(f, &his);
    store_write_add(write,
                    (struct store_statement){
                        .sql = "UPDATE audit_key SET wrapped = $1 WHERE key_id = $2",
                        .params = PARAMS(store_blob(stolen),
                                         store_blob((bytes){ key.id.data, AUDIT_KEY_ID_SIZE })),
                    });
    assert_status(store_commit(&f->store.store, f->arena, write), STATUS_OK);
    audit_keys_forget(f->keys, &ada);
    assert_status(audit_keys_find(f->keys, f->arena, &key.id, &found), STATUS_DATA_LOSS);
}

static void more_subjects_than_lie_in_memory_are_found_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct audit_data_key first = key_of(f, ada);

    for (int done = 0; done <= AUDIT_KEYS_MAX_CACHED; done += 500) {
        struct audit_subject subjects[500];
        struct audit_data_key keys[500];
        for (int i = 0; i < 500; i++) {
            subjects[i] =
                (struct audit_subject){ "acme", arena_printf(f->arena, "user:%d", done + i) };
        }
        assert_status(audit_keys_of(f->keys, f->arena, subjects, 500, keys), STATUS_OK);
    }
    struct audit_data_key again = key_of(f, ada);
    assert_memory_equal(&again, &first, sizeof first);
}

static void a_store_that_fails_is_said(void **state)
{
    struct fixture *f = *state;
    struct audit_data_key key;
    struct aead_key found;

    f->store.fail_query = 1;
    assert_status(audit_keys_of(f->keys, f->arena, &ada, 1, &key), STATUS_UNAVAILABLE);
    f->store.fail_commit = 1;
    assert_status(audit_keys_of(f->keys, f->arena, &ada, 1, &key), STATUS_UNAVAILABLE);
    key = key_of(f, ada);
    audit_keys_forget(f->keys, &ada);
    f->store.fail_query = 1;
    assert_status(audit_keys_find(f->keys, f->arena, &key.id, &found), STATUS_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_subject_keeps_its_key),
        TEST(subjects_of_one_name_in_two_tenants_are_two),
        TEST(many_new_subjects_cost_one_commit),
        TEST(an_erased_key_is_gone_and_the_next_is_another),
        TEST(an_erased_key_is_not_left_in_the_file),
        TEST(another_master_key_is_noticed),
        TEST(a_wrapped_key_does_not_open_in_another_row),
        TEST(more_subjects_than_lie_in_memory_are_found_all_the_same),
        TEST(a_store_that_fails_is_said),
    };

    return cmocka_run_group_tests_name("audit_keys", tests, NULL, NULL);
}
