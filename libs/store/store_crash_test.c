/* What a store has answered for is there after a crash at any moment, and a full disk only waits.
 */

#include "libs/store/store.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/crash_vfs.h"

#include <string.h>

enum { WRITES = 3 }; /* in each of two lives of the store */

struct fixture {
    struct crash_files files;
    struct crash_vfs vfs;
    struct arena *arena;
    struct store *store;
    int64_t n_acknowledged; /* writes 1 to n */
};

static void set_up_fixture(struct fixture *f)
{
    *f = (struct fixture){ .arena = arena_new() };
    crash_files_init(&f->files);
    crash_vfs_init(&f->vfs, &f->files.files);
}

static void tear_down_fixture(struct fixture *f)
{
    crash_vfs_reset(&f->vfs);
    crash_files_reset(&f->files);
    arena_free(f->arena);
}

static status open_store(struct fixture *f)
{
    static const struct store_migration table[] = {
        { .up = "CREATE TABLE item (n BIGINT PRIMARY KEY, data TEXT NOT NULL)" },
        { .up = "CREATE TABLE event (n BIGINT PRIMARY KEY)" },
    };
    const struct store_options options = { .url = "sqlite:store.db",
                                           .vfs = crash_vfs_name(&f->vfs) };

    TRY(store_open_with(f->arena, &options, &f->store));
    status s = store_migrate(f->store, f->arena, "test", table, 2);
    if (!status_is_ok(s)) {
        store_close(f->store);
        f->store = NULL;
    }
    return s;
}

/* One write is a row in each of two tables, and large enough for a page of its own. */
static status write_one(struct fixture *f, int64_t n)
{
    struct store_write *write = store_write_new(f->arena);

    store_write_add(
        write, (struct store_statement){
                   .sql = "INSERT INTO item (n, data) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                   .params = PARAMS(store_int(n), store_text(arena_printf(f->arena, "%03000d", 0))),
               });
    store_write_add(write, (struct store_statement){
                               .sql = "INSERT INTO event (n) VALUES ($1) ON CONFLICT DO NOTHING",
                               .params = PARAMS(store_int(n)),
                           });
    TRY(store_commit(f->store, f->arena, write));
    f->n_acknowledged = n;
    return status_ok();
}

/* One life of the store.  The close at its end brings the log into the database. */
static status live(struct fixture *f)
{
    int64_t first = f->n_acknowledged + 1;

    TRY(open_store(f));
    for (int64_t n = first; n < first + WRITES; n++) {
        TRY(write_one(f, n));
    }
    return status_ok();
}

static status live_twice(struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        status s = live(f);
        store_close(f->store);
        f->store = NULL;
        TRY(s);
    }
    return status_ok();
}

/* What is wrong with the store after the crash, or NULL.  A write that was under way may have
 * happened; not half of it. */
static const char *find_fault(struct fixture *f)
{
    const struct store_statement query = {
        .sql = "SELECT (SELECT count(*) FROM item WHERE n <= $1), (SELECT count(*) FROM item),"
               " (SELECT count(*) FROM event), (SELECT integrity_check FROM"
               " pragma_integrity_check)",
        .params = PARAMS(store_int(f->n_acknowledged)),
    };
    struct store_rows rows;
    status s = open_store(f);

    if (!status_is_ok(s)) {
        return arena_printf(f->arena, "cannot be opened: %s", s.message);
    }
    s = store_query(f->store, f->arena, &query, &rows);
    if (!status_is_ok(s)) {
        return arena_printf(f->arena, "cannot be read: %s", s.message);
    }
    if (strcmp(store_text_at(&rows, 0, 3), "ok") != 0) {
        return store_text_at(&rows, 0, 3);
    }
    if (store_int_at(&rows, 0, 0) != f->n_acknowledged) {
        return "something acknowledged is lost";
    }
    return store_int_at(&rows, 0, 1) != store_int_at(&rows, 0, 2) ? "half a write is there" : NULL;
}

/* Two lives with a crash at operation crash_after, or at their end.  Whether that came first. */
static bool crash_once(unsigned crash_after, unsigned skip_sync, enum crash_torn torn,
                       const char **ret_fault, struct arena *arena)
{
    struct fixture f;

    set_up_fixture(&f);
    f.files.crash_after = crash_after;
    f.files.skip_sync = skip_sync;
    f.files.torn = torn;
    bool is_over = status_is_ok(live_twice(&f)) && f.files.n_operations < crash_after;
    crash_files_crash(&f.files);
    const char *fault = find_fault(&f);
    *ret_fault = fault != NULL ? arena_strdup(arena, fault) : NULL;
    store_close(f.store);
    tear_down_fixture(&f);
    return is_over;
}

static void nothing_acknowledged_is_lost_at_any_crash(void **state)
{
    for (enum crash_torn torn = TORN_NOTHING; torn <= TORN_LAST_HALF; torn++) {
        bool is_over = false;
        for (unsigned n = 1; !is_over; n++) {
            const char *fault = NULL;
            is_over = crash_once(n, 0, torn, &fault, *state);
            if (fault != NULL) {
                fail_msg("crash at operation %u, torn %d: %s", n, torn, fault);
            }
        }
    }
}

/* ---- A sync that is left out ---- */

/* Syncs and operations of one part of the two lives, each counted from 1. */
struct part {
    unsigned first_sync;
    unsigned n_syncs;
    unsigned first_operation;
};

enum { OPEN, FIRST_WRITE, LAST_WRITE = FIRST_WRITE + WRITES - 1, CLOSE, N_PARTS };

static void begin_part(const struct fixture *f, struct part *part)
{
    part->first_sync = (unsigned)f->files.n_syncs + 1;
    part->first_operation = (unsigned)f->files.n_operations + 1;
}

static void end_part(const struct fixture *f, struct part *part)
{
    part->n_syncs = (unsigned)f->files.n_syncs + 1 - part->first_sync;
}

static void measure_life(struct fixture *f, struct part parts[N_PARTS])
{
    begin_part(f, &parts[OPEN]);
    assert_status(open_store(f), STATUS_OK);
    end_part(f, &parts[OPEN]);
    for (int i = FIRST_WRITE; i <= LAST_WRITE; i++) {
        begin_part(f, &parts[i]);
        assert_status(write_one(f, f->n_acknowledged + 1), STATUS_OK);
        end_part(f, &parts[i]);
    }
    begin_part(f, &parts[CLOSE]);
    store_close(f->store);
    end_part(f, &parts[CLOSE]);
}

/* Whether some crash after it shows that the sync was left out. */
static bool is_missed(const struct part *part, unsigned sync, struct arena *arena)
{
    bool is_over = false;
    const char *fault = NULL;

    for (unsigned n = part->first_operation; !is_over && fault == NULL; n++) {
        for (enum crash_torn torn = TORN_NOTHING; torn <= TORN_LAST_HALF && fault == NULL; torn++) {
            is_over = crash_once(n, sync, torn, &fault, arena);
        }
    }
    return fault != NULL;
}

static unsigned count_missed(const struct part *part, struct arena *arena)
{
    unsigned n = 0;

    for (unsigned i = 0; i < part->n_syncs; i++) {
        n += is_missed(part, part->first_sync + i, arena);
    }
    return n;
}

/* Of the syncs of a write each one is missed, but for that of the log's header, which the write's
 * own sync covers when the log is new.  Opening has some with nothing to lose yet (the
 * journal of an empty database, the migrations that run again), closing one with nothing left to
 * write: of theirs one is missed at least.  The last close is followed by no life in which its
 * log is gone. */
static void a_sync_left_out_is_missed(void **state)
{
    struct part lives[2][N_PARTS];
    struct fixture f;

    set_up_fixture(&f);
    measure_life(&f, lives[0]);
    measure_life(&f, lives[1]);
    tear_down_fixture(&f);
    for (int life = 0; life < 2; life++) {
        assert_true(count_missed(&lives[life][OPEN], *state) + (unsigned)life > 0);
        for (int i = FIRST_WRITE; i <= LAST_WRITE; i++) {
            unsigned n_headers = life == 1 && i == FIRST_WRITE;
            assert_true(lives[life][i].n_syncs > n_headers);
            assert_int_equal(count_missed(&lives[life][i], *state),
                             lives[life][i].n_syncs - n_headers);
        }
    }
    assert_true(count_missed(&lives[0][CLOSE], *state) > 0);
}

/* ---- Operations that fail ---- */

/* Tries again as a caller would: what failed may have happened. */
static void write_until_it_works(struct fixture *f, int64_t n)
{
    for (int i = 0; i < 3 && f->n_acknowledged < n; i++) {
        if (f->store != NULL || status_is_ok(open_store(f))) {
            (void)write_one(f, n);
        }
    }
}

/* A disk that fails once: a write, a sync that loses what it should have kept, a removal. */
static void nothing_acknowledged_is_lost_when_the_disk_fails(void **state)
{
    bool is_over = false;

    (void)state;
    for (unsigned n = 1; !is_over; n++) {
        struct fixture f;
        set_up_fixture(&f);
        f.files.fail_operation = n;
        for (int i = 1; i <= 2 * WRITES; i++) {
            write_until_it_works(&f, i);
            if (i == WRITES) {
                store_close(f.store);
                f.store = NULL;
            }
        }
        is_over = f.files.n_operations < n;
        assert_int_equal(f.n_acknowledged, 2 * WRITES);
        crash_files_crash(&f.files);
        store_close(f.store);
        f.store = NULL;
        const char *fault = find_fault(&f);
        if (fault != NULL) {
            fail_msg("operation %u failed: %s", n, fault);
        }
        store_close(f.store);
        tear_down_fixture(&f);
    }
}

static int64_t count_items(struct fixture *f)
{
    const struct store_statement query = { .sql = "SELECT count(*) FROM item" };
    struct store_rows rows;

    assert_status(store_query(f->store, f->arena, &query, &rows), STATUS_OK);
    return store_int_at(&rows, 0, 0);
}

static void a_full_disk_refuses_writes_serves_reads_and_recovers(void **state)
{
    struct fixture f;

    (void)state;
    set_up_fixture(&f);
    assert_status(open_store(&f), STATUS_OK);
    assert_status(write_one(&f, 1), STATUS_OK);
    f.files.full = true;
    status s = write_one(&f, 2);
    assert_status(s, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(s.message, "the disk is full; nothing was written");
    assert_int_equal(count_items(&f), 1);
    assert_status(write_one(&f, 2), STATUS_RESOURCE_EXHAUSTED);
    f.files.full = false;
    assert_status(write_one(&f, 2), STATUS_OK);
    assert_int_equal(count_items(&f), 2);
    crash_files_crash(&f.files);
    store_close(f.store);
    assert_null(find_fault(&f));
    store_close(f.store);
    tear_down_fixture(&f);
}

static void a_full_disk_is_said_when_a_store_is_opened(void **state)
{
    struct fixture f;

    (void)state;
    set_up_fixture(&f);
    f.files.full = true;
    status s = open_store(&f);
    assert_status(s, STATUS_RESOURCE_EXHAUSTED);
    f.files.full = false;
    assert_status(open_store(&f), STATUS_OK);
    store_close(f.store);
    tear_down_fixture(&f);
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
        TEST(nothing_acknowledged_is_lost_at_any_crash),
        TEST(a_sync_left_out_is_missed),
        TEST(nothing_acknowledged_is_lost_when_the_disk_fails),
        TEST(a_full_disk_refuses_writes_serves_reads_and_recovers),
        TEST(a_full_disk_is_said_when_a_store_is_opened),
    };

    return cmocka_run_group_tests_name("store_crash", tests, NULL, NULL);
}
