/* The write-ahead log stays small, whoever writes; and a file that is damaged is said to be. */

#include "libs/store/store.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/crash_vfs.h"

#include <sched.h>
#include <string.h>

static const uint64_t mib = 1 << 20;
enum { ROW = 1 << 20 };

struct fixture {
    struct crash_files files;
    struct crash_vfs vfs;
    struct arena *arena;
    struct store *store;
    uint8_t content;
};

static status open_store(struct fixture *f)
{
    const struct store_options options = { .url = "sqlite:store.db",
                                           .vfs = crash_vfs_name(&f->vfs) };

    return store_open_with(f->arena, &options, &f->store);
}

static int set_up(void **state)
{
    static const struct store_migration table = {
        .up = "CREATE TABLE item (n BIGINT PRIMARY KEY, data BYTEA NOT NULL)"
    };
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    crash_files_init(&f.files);
    crash_vfs_init(&f.vfs, &f.files.files);
    assert_status(open_store(&f), STATUS_OK);
    assert_status(store_migrate(f.store, f.arena, "test", &table, 1), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    crash_vfs_reset(&f->vfs);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    return 0;
}

/* One MiB, always over the same row, so that only the log can grow. */
static void write_much(struct fixture *f, int n)
{
    static uint8_t data[ROW];

    for (int i = 0; i < n; i++) {
        memset(data, ++f->content, sizeof data); /* SQLite writes no page that stays as it is */
        struct arena *arena = arena_new();
        struct store_write *write = store_write_new(arena);
        store_write_add(write, (struct store_statement){
                                   .sql = "INSERT INTO item (n, data) VALUES (1, $1)"
                                          " ON CONFLICT (n) DO UPDATE SET data = $1",
                                   .params = PARAMS(store_blob((bytes){ data, sizeof data })),
                               });
        assert_status(store_commit(f->store, arena, write), STATUS_OK);
        arena_free(arena);
    }
}

static uint64_t size_of(struct fixture *f, const char *name)
{
    struct arena *arena = arena_new();
    struct file *file = NULL;
    uint64_t size = 0;

    assert_status(files_open(&f->files.files, arena, name, FILES_READ, &file), STATUS_OK);
    assert_status(file_size(file, arena, &size), STATUS_OK);
    file_close(file);
    arena_free(arena);
    return size;
}

static void who_always_writes_has_a_log_of_some_32_mib(void **state)
{
    struct fixture *f = *state;

    write_much(f, 100);
    assert_true(size_of(f, "store.db-wal") < 36 * mib);
    assert_true(size_of(f, "store.db") < 4 * mib);
}

/* Whatever was read before: the readers are still open, and no longer in the log. */
static void readers_do_not_keep_the_log_from_starting_anew(void **state)
{
    const struct store_statement query = { .sql = "SELECT length(data) FROM item" };
    struct fixture *f = *state;
    struct store_rows rows;

    for (int i = 0; i < 100; i++) {
        write_much(f, 1);
        assert_status(store_query(f->store, f->arena, &query, &rows), STATUS_OK);
    }
    assert_true(size_of(f, "store.db-wal") < 36 * mib);
}

/* Without another write: the test ends, or it does not. */
static void when_nobody_writes_the_log_goes_into_the_database(void **state)
{
    struct fixture *f = *state;

    write_much(f, 2);
    while (size_of(f, "store.db") < mib) {
        (void)sched_yield();
    }
}

static void a_damaged_file_is_said_to_be(void **state)
{
    const struct store_statement query = { .sql = "SELECT length(data) FROM item" };
    struct fixture *f = *state;
    struct store_rows rows;

    write_much(f, 1);
    store_close(f->store);
    f->store = NULL;
    crash_files_flip(&f->files, "store.db", 0); /* "SQLite format 3" */
    status s = open_store(f);
    assert_status(s, STATUS_DATA_LOSS);
    crash_files_flip(&f->files, "store.db", 0);
    assert_status(open_store(f), STATUS_OK);
    assert_status(store_query(f->store, f->arena, &query, &rows), STATUS_OK);
    assert_int_equal(store_int_at(&rows, 0, 0), ROW);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_always_writes_has_a_log_of_some_32_mib),
        TEST(readers_do_not_keep_the_log_from_starting_anew),
        TEST(when_nobody_writes_the_log_goes_into_the_database),
        TEST(a_damaged_file_is_said_to_be),
    };

    return cmocka_run_group_tests_name("store_log", tests, NULL, NULL);
}
