#include "libs/audit/spool.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/seeded_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct crash_files files;
    struct seeded_random random;
    struct arena *arena;
    struct spool *spool;
    uint64_t max_bytes;
};

static status open_spool(struct fixture *f)
{
    const struct spool_options options = {
        .files = &f->files.files,
        .random = &f->random.source,
        .service = "spiffe://weft.local/tenant",
        .max_bytes = f->max_bytes,
    };

    return spool_open(f->arena, &options, &f->spool);
}

static void set_up_fixture(struct fixture *f, uint64_t max_bytes)
{
    *f = (struct fixture){ .arena = arena_new(), .max_bytes = max_bytes };
    crash_files_init(&f->files);
    seeded_random_init(&f->random, 1);
    assert_status(open_spool(f), STATUS_OK);
}

static void tear_down_fixture(struct fixture *f)
{
    spool_close(f->spool);
    crash_files_reset(&f->files);
    arena_free(f->arena);
}

static int set_up(void **state)
{
    static struct fixture f;

    set_up_fixture(&f, 64 << 10);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    tear_down_fixture(*state);
    return 0;
}

/* An event whose target is its number. */
static status append(struct fixture *f, enum spool_class class, int number)
{
    const struct audit_event event = {
        .event_id = arena_printf(f->arena, "%026d", number),
        .time_ms = number,
        .tenant_id = "acme",
        .subject = "user:ada",
        .action = "search.query",
        .target = arena_printf(f->arena, "%d", number),
        .outcome = AUDIT_DENIED,
        .trace_id = "",
        .data_subject = "",
    };

    return spool_append(f->spool, f->arena, class, &event);
}

static void append_some(struct fixture *f, int first, int n)
{
    for (int i = first; i < first + n; i++) {
        assert_status(append(f, SPOOL_READ, i), STATUS_OK);
    }
}

static size_t read_some(struct fixture *f, size_t limit, const struct audit_event **ret_events)
{
    size_t n = 0;

    assert_status(spool_read(f->spool, f->arena, limit, ret_events, &n), STATUS_OK);
    return n;
}

/* Reads and acknowledges all there is; the numbers must be first, first + 1, ... */
static int drain(struct fixture *f, int first)
{
    const struct audit_event *events;
    int number = first;

    for (size_t n; (n = read_some(f, 10, &events)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(atoi(events[i].target), number);
            number++;
        }
        spool_acknowledge(f->spool, f->arena, n);
    }
    return number - first;
}

static void crash(struct fixture *f)
{
    crash_files_crash(&f->files);
    spool_close(f->spool);
    f->spool = NULL;
    assert_status(open_spool(f), STATUS_OK);
}

static struct spool_report report(struct fixture *f)
{
    struct spool_report report;

    spool_read_report(f->spool, &report);
    return report;
}

/* ---- In order, once ---- */

static void what_is_appended_is_read_in_order(void **state)
{
    struct fixture *f = *state;

    append_some(f, 0, 25);
    assert_int_equal(drain(f, 0), 25);
    append_some(f, 25, 3);
    assert_int_equal(drain(f, 25), 3);
}

static void what_was_not_acknowledged_is_read_again(void **state)
{
    struct fixture *f = *state;
    const struct audit_event *events;

    append_some(f, 0, 5);
    assert_int_equal(read_some(f, 3, &events), 3);
    assert_int_equal(read_some(f, 100, &events), 5);
    spool_acknowledge(f->spool, f->arena, 2);
    assert_int_equal(drain(f, 2), 3);
}

static void count_call(void *data)
{
    int *n = data;

    (*n)++;
}

static void who_watches_is_told(void **state)
{
    struct fixture *f = *state;
    int n = 0;

    spool_watch(f->spool, count_call, &n);
    append_some(f, 0, 2);
    spool_watch(f->spool, NULL, NULL);
    append_some(f, 2, 1);
    assert_int_equal(n, 2);
}

static void what_is_acknowledged_leaves_the_disk(void **state)
{
    struct fixture *f = *state;
    struct files_names names;

    append_some(f, 0, 400); /* of some 100 bytes, in files of 4 KiB */
    assert_status(files_list(&f->files.files, f->arena, "", &names), STATUS_OK);
    assert_true(names.n_names > 5);
    assert_int_equal(drain(f, 0), 400);
    assert_status(files_list(&f->files.files, f->arena, "", &names), STATUS_OK);
    assert_int_equal(names.n_names, 0);
    assert_int_equal(report(f).n_bytes, 0);
}

/* ---- Full ---- */

static int append_until_full(struct fixture *f, enum spool_class class, int first)
{
    int n = 0;

    while (status_is_ok(append(f, class, first + n)) && n < 10000) {
        n++;
    }
    return n;
}

static void a_flood_of_denials_leaves_room_for_reads(void **state)
{
    struct fixture *f = *state;
    int n_denials = append_until_full(f, SPOOL_DENIAL, 0);
    status s = append(f, SPOOL_DENIAL, n_denials);

    assert_status(s, STATUS_RESOURCE_EXHAUSTED);
    assert_true(report(f).n_bytes <= f->max_bytes / 2);
    int n_reads = append_until_full(f, SPOOL_READ, n_denials);
    assert_in_range(n_reads, n_denials - 1, n_denials + 1); /* the other half */
    assert_true(report(f).n_bytes <= f->max_bytes);
    assert_status(append(f, SPOOL_READ, 0), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(report(f).n_full, 4);
    assert_int_equal(drain(f, 0), n_denials + n_reads);
    assert_status(append(f, SPOOL_DENIAL, 0), STATUS_OK);
}

static void notices_are_dropped_and_their_number_is_told(void **state)
{
    struct fixture *f = *state;
    const struct audit_event *events;
    int n = 0;

    while (report(f).n_dropped < 3) {
        assert_status(append(f, SPOOL_NOTICE, n++), STATUS_OK);
    }
    assert_true(report(f).n_bytes <= f->max_bytes / 4);
    assert_int_equal(drain(f, 0), n - 3);
    append_some(f, 0, 1);
    assert_int_equal(read_some(f, 10, &events), 2);
    assert_string_equal(events[0].target, "0");
    assert_string_equal(events[1].action, "audit.dropped");
    assert_string_equal(events[1].subject, "spiffe://weft.local/tenant");
    assert_string_equal(events[1].details[0].value, "3");
    append_some(f, 1, 1);
    assert_int_equal(read_some(f, 10, &events), 3); /* told once */
}

static void a_full_disk_is_a_full_spool(void **state)
{
    struct fixture *f = *state;

    append_some(f, 0, 2);
    f->files.full = true;
    assert_status(append(f, SPOOL_DENIAL, 9), STATUS_RESOURCE_EXHAUSTED);
    assert_status(append(f, SPOOL_NOTICE, 9), STATUS_OK);
    f->files.full = false;
    append_some(f, 2, 1);
    const struct audit_event *events;
    assert_int_equal(read_some(f, 10, &events), 4); /* and what was dropped */
    assert_string_equal(events[2].target, "2");
}

/* ---- Crashes ---- */

static void what_was_synced_survives_a_crash(void **state)
{
    struct fixture *f = *state;

    append_some(f, 0, 100);
    assert_false(spool_is_synced(f->spool));
    assert_status(spool_sync(f->spool, f->arena), STATUS_OK);
    assert_true(spool_is_synced(f->spool));
    append_some(f, 100, 5);
    crash(f);
    assert_int_equal(drain(f, 0), 100);
}

static void a_killed_process_loses_nothing(void **state)
{
    struct fixture *f = *state;
    const struct audit_event *events;

    append_some(f, 0, 100);
    assert_int_equal(read_some(f, 30, &events), 30);
    spool_acknowledge(f->spool, f->arena, 30);
    f->files.crash_after = 1; /* closing syncs nothing */
    spool_close(f->spool);
    f->files.crash_after = 0;
    assert_status(open_spool(f), STATUS_OK);
    append_some(f, 100, 3);
    size_t n = read_some(f, 1000, &events);
    int first = atoi(events[0].target);
    assert_true(n > 0 && first <= 30); /* again from the front of the oldest file */
    assert_int_equal(drain(f, first), 103 - first);
}

/* Appends and syncs until the disk crashes; then everything that was synced is there, in order. */
static bool crash_at(unsigned operation, unsigned skip_sync, enum crash_torn torn, int *ret_missing)
{
    struct fixture f;
    int n_synced = 0;
    int n = 0;

    set_up_fixture(&f, 16 << 10);
    f.files.torn = torn;
    f.files.crash_after = operation;
    f.files.skip_sync = skip_sync;
    for (; n < 24; n++) {
        if (!status_is_ok(append(&f, SPOOL_READ, n)) ||
            (n % 4 == 3 && !status_is_ok(spool_sync(f.spool, f.arena)))) {
            break;
        }
        n_synced = n % 4 == 3 ? n + 1 : n_synced;
    }
    bool is_over = f.files.n_operations < operation;
    crash(&f);
    const struct audit_event *events;
    int next = 0;
    for (size_t n_read; (n_read = read_some(&f, 10, &events)) > 0;) {
        for (size_t i = 0; i < n_read; i++) {
            next += atoi(events[i].target) == next;
        }
        spool_acknowledge(f.spool, f.arena, n_read);
    }
    *ret_missing = n_synced > next ? n_synced - next : 0;
    tear_down_fixture(&f);
    return is_over;
}

static void nothing_synced_is_lost_at_any_crash(void **state)
{
    (void)state;
    for (enum crash_torn torn = TORN_NOTHING; torn <= TORN_LAST_HALF; torn++) {
        bool is_over = false;
        for (unsigned n = 1; !is_over; n++) {
            int missing = 0;
            is_over = crash_at(n, 0, torn, &missing);
            assert_int_equal(missing, 0);
        }
    }
}

static void each_sync_is_missed_when_it_is_left_out(void **state)
{
    (void)state;
    for (unsigned sync = 1; sync <= 6; sync++) {
        bool is_over = false;
        int missing = 0;
        for (unsigned n = 1; !is_over && missing == 0; n++) {
            is_over = crash_at(n, sync, TORN_NOTHING, &missing);
        }
        assert_true(missing > 0);
    }
}

/* The page cache still has what a failed fsync has lost; the disk gets it by another file. */
static void a_sync_that_fails_once_loses_nothing(void **state)
{
    struct fixture *f = *state;
    bool has_failed = false;

    append_some(f, 0, 10);
    assert_status(spool_sync(f->spool, f->arena), STATUS_OK);
    append_some(f, 10, 10);
    f->files.fail_operation = (unsigned)f->files.n_operations + 1;
    assert_status(spool_sync(f->spool, f->arena), STATUS_UNAVAILABLE);
    assert_false(spool_is_synced(f->spool));
    append_some(f, 20, 5);
    for (int i = 0; i < 3 && !has_failed; i++) {
        has_failed = status_is_ok(spool_sync(f->spool, f->arena));
    }
    assert_true(spool_is_synced(f->spool));
    crash(f);
    assert_int_equal(drain(f, 0), 25);
}

/* Which of the numbers below 64 are there; in any order, for what is written anew comes last. */
static uint64_t collect_numbers(struct fixture *f)
{
    const struct audit_event *events;
    uint64_t numbers = 0;

    for (size_t n; (n = read_some(f, 10, &events)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            numbers |= UINT64_C(1) << atoi(events[i].target);
        }
        spool_acknowledge(f->spool, f->arena, n);
    }
    return numbers;
}

static void any_operation_may_fail_once(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 60; n++) {
        struct fixture f;
        int n_appended = 0;
        set_up_fixture(&f, 16 << 10);
        f.files.fail_operation = n;
        for (int i = 0; i < 24; i++) {
            n_appended += status_is_ok(append(&f, SPOOL_READ, n_appended));
            (void)(i % 4 == 3 ? spool_sync(f.spool, f.arena) : status_ok());
        }
        for (int i = 0; i < 3 && !spool_is_synced(f.spool); i++) {
            (void)spool_sync(f.spool, f.arena);
        }
        assert_true(spool_is_synced(f.spool));
        crash(&f);
        assert_true(collect_numbers(&f) == (UINT64_C(1) << n_appended) - 1);
        tear_down_fixture(&f);
    }
}

/* ---- What lies on disk ---- */

static void one_rotten_record_does_not_hide_the_others(void **state)
{
    struct fixture *f = *state;
    const struct audit_event *events;

    append_some(f, 0, 3);
    crash_files_flip(&f->files, "0000000000000000.spool", 150); /* in the second */
    assert_int_equal(read_some(f, 10, &events), 2);
    assert_string_equal(events[0].target, "0");
    assert_string_equal(events[1].target, "2");
    spool_acknowledge(f->spool, f->arena, 2);
    assert_true(report(f).n_damaged > 50);
}

static void a_file_that_is_not_ours_is_said(void **state)
{
    struct fixture *f = *state;

    assert_status(files_replace(&f->files.files, f->arena, "notes.txt", (bytes){ 0 }), STATUS_OK);
    spool_close(f->spool);
    f->spool = NULL;
    assert_status(open_spool(f), STATUS_FAILED_PRECONDITION);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_appended_is_read_in_order),
        TEST(what_was_not_acknowledged_is_read_again),
        TEST(who_watches_is_told),
        TEST(what_is_acknowledged_leaves_the_disk),
        TEST(a_flood_of_denials_leaves_room_for_reads),
        TEST(notices_are_dropped_and_their_number_is_told),
        TEST(a_full_disk_is_a_full_spool),
        TEST(what_was_synced_survives_a_crash),
        TEST(a_killed_process_loses_nothing),
        cmocka_unit_test(nothing_synced_is_lost_at_any_crash),
        cmocka_unit_test(each_sync_is_missed_when_it_is_left_out),
        TEST(a_sync_that_fails_once_loses_nothing),
        cmocka_unit_test(any_operation_may_fail_once),
        TEST(one_rotten_record_does_not_hide_the_others),
        TEST(a_file_that_is_not_ours_is_said),
    };

    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
