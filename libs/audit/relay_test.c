#include "libs/audit/relay.h"

#include "libs/audit/outbox.h"
#include "libs/base/map.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/crash_vfs.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/test_call.h"

#include <pthread.h>
#include <string.h>

/* ---- An audit service that keeps each event once ---- */

struct receiver {
    struct audit_sink sink; /* what is passed in */
    unsigned fail_sends;    /* so many from now on fail with fail_code */
    enum status_code fail_code;
    bool loses_answers;      /* what fails is kept all the same */
    const char *never_takes; /* a target */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct map seen; /* by event id */
    size_t n_sends;
    size_t n_received; /* again and again included */
    size_t largest_batch;
};

static void keep(struct receiver *self, const struct audit_event *events, size_t n_events)
{
    self->n_received += n_events;
    for (size_t i = 0; i < n_events; i++) {
        (void)map_put(&self->seen, events[i].event_id, self);
    }
    pthread_cond_broadcast(&self->changed);
}

static bool is_taken(const struct receiver *self, const struct audit_event *events, size_t n_events)
{
    for (size_t i = 0; self->never_takes != NULL && i < n_events; i++) {
        if (strcmp(events[i].target, self->never_takes) == 0) {
            return false;
        }
    }
    return true;
}

static status receive(struct audit_sink *sink, struct arena *arena,
                      const struct audit_event *events, size_t n_events)
{
    struct receiver *self = (struct receiver *)sink;
    status s = status_ok();

    pthread_mutex_lock(&self->lock);
    self->n_sends++;
    self->largest_batch = n_events > self->largest_batch ? n_events : self->largest_batch;
    if (self->fail_sends > 0) {
        self->fail_sends--;
        s = status_error(arena, self->fail_code, "told to fail");
    } else if (!is_taken(self, events, n_events)) {
        s = status_error(arena, STATUS_INVALID_ARGUMENT, "target is not well formed");
    }
    if (status_is_ok(s) || self->loses_answers) {
        keep(self, events, n_events);
    }
    pthread_mutex_unlock(&self->lock);
    return s;
}

static const struct audit_sink_ops receiver_ops = { .send = receive };

static void receiver_init(struct receiver *self)
{
    *self = (struct receiver){
        .sink = { .ops = &receiver_ops },
        .fail_code = STATUS_UNAVAILABLE,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
    };
    map_init(&self->seen);
}

static void wait_until_seen(struct receiver *self, size_t n)
{
    pthread_mutex_lock(&self->lock);
    while (self->seen.n_entries < n) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
}

/* ---- The fixture ---- */

struct fixture {
    struct receiver receiver;
    struct failing_store failing;
    struct store *store;
    struct crash_files files;
    struct spool *spool;
    struct fake_clock clock;
    struct seeded_random random;
    struct call call;
    struct relay *relay;
};

static void open_relay(struct fixture *f)
{
    f->relay = relay_new(&(struct relay_options){
        .store = f->store,
        .spool = f->spool,
        .sink = &f->receiver.sink,
        .clock = &f->clock.clock,
        .random = &f->random.source,
    });
}

static int set_up(void **state)
{
    static struct fixture f;
    struct store *real;

    f = (struct fixture){ .store = &f.failing.store, .call = test_call() };
    receiver_init(&f.receiver);
    fake_clock_init(&f.clock, 1700000000000);
    seeded_random_init(&f.random, 1);
    crash_files_init(&f.files);
    assert_status(store_open(f.call.arena, ":memory:", &real), STATUS_OK);
    failing_store_init(&f.failing, real);
    assert_status(outbox_migrate(f.store, f.call.arena), STATUS_OK);
    const struct spool_options spool = {
        .files = &f.files.files,
        .random = &f.random.source,
        .service = "spiffe://weft.local/tenant",
    };
    assert_status(spool_open(f.call.arena, &spool, &f.spool), STATUS_OK);
    open_relay(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    relay_free(f->relay);
    spool_close(f->spool);
    store_close(f->store);
    crash_files_reset(&f->files);
    map_reset(&f->receiver.seen, NULL);
    arena_free(f->call.arena);
    return 0;
}

static status change(struct fixture *f, struct store *store, const char *target)
{
    struct arena *arena = f->call.arena;
    struct store_write *write = store_write_new(arena);
    struct audit_event event = audit_event_of(&f->call, &f->random.source, "tenant.update", target,
                                              clock_wall_ms(&f->clock.clock));

    outbox_write(write, &event);
    return store_commit(store, arena, write);
}

static void change_some(struct fixture *f, int n)
{
    for (int i = 0; i < n; i++) {
        assert_status(change(f, f->store, arena_printf(f->call.arena, "%d", i)), STATUS_OK);
    }
}

static void deny(struct fixture *f, const char *target)
{
    struct audit_event event = audit_event_of(&f->call, &f->random.source, "tenant.get", target,
                                              clock_wall_ms(&f->clock.clock));

    event.outcome = AUDIT_DENIED;
    assert_status(spool_append(f->spool, f->call.arena, SPOOL_DENIAL, &event), STATUS_OK);
}

static int64_t step(struct fixture *f, enum status_code want)
{
    int64_t wait_ms = -2;

    assert_status(relay_step(f->relay, f->call.arena, &wait_ms), want);
    return wait_ms;
}

/* Until nothing is left. */
static void drain(struct fixture *f)
{
    int64_t wait_ms = 0;

    for (int i = 0; i < 10000 && wait_ms != RELAY_UNTIL_WOKEN; i++) {
        (void)relay_step(f->relay, f->call.arena, &wait_ms);
        fake_clock_advance_ms(&f->clock, wait_ms > 0 ? wait_ms : 0);
    }
    assert_int_equal(wait_ms, RELAY_UNTIL_WOKEN);
}

static int64_t count_rows(struct fixture *f, const char *sql)
{
    const struct store_statement query = { .sql = sql };
    struct store_rows rows;

    assert_status(store_query(f->store, f->call.arena, &query, &rows), STATUS_OK);
    return store_int_at(&rows, 0, 0);
}

static int64_t n_in_outbox(struct fixture *f)
{
    return count_rows(f, "SELECT count(*) FROM audit_outbox");
}

static struct relay_report report(struct fixture *f)
{
    struct relay_report report;

    relay_read_report(f->relay, &report);
    return report;
}

/* ---- Tests ---- */

static void what_was_committed_or_spooled_is_sent_and_forgotten(void **state)
{
    struct fixture *f = *state;

    change_some(f, 3);
    deny(f, "4");
    assert_int_equal(step(f, STATUS_OK), 0);
    assert_int_equal(step(f, STATUS_OK), 0);
    assert_int_equal(step(f, STATUS_OK), RELAY_UNTIL_WOKEN);
    assert_int_equal(f->receiver.seen.n_entries, 4);
    assert_int_equal(f->receiver.n_sends, 2);
    assert_int_equal(n_in_outbox(f), 0);
    assert_int_equal(report(f).n_sent, 4);
}

static void many_go_in_batches(void **state)
{
    struct fixture *f = *state;

    change_some(f, RELAY_MAX_BATCH + 1);
    drain(f);
    assert_int_equal(f->receiver.n_sends, 2);
    assert_int_equal(f->receiver.largest_batch, RELAY_MAX_BATCH);
    assert_int_equal(f->receiver.seen.n_entries, RELAY_MAX_BATCH + 1);
}

static void a_failure_waits_longer_each_time(void **state)
{
    struct fixture *f = *state;
    int64_t longest_ms = 0;

    change_some(f, 1);
    f->receiver.fail_sends = 20;
    for (int i = 0; i < 20; i++) {
        int64_t wait_ms = step(f, STATUS_UNAVAILABLE);
        assert_in_range(wait_ms, 100, 10000);
        assert_int_equal(step(f, STATUS_OK), wait_ms); /* too early: nothing is sent */
        assert_true(report(f).is_failing);
        assert_string_equal(report(f).why, "told to fail");
        longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
        fake_clock_advance_ms(&f->clock, wait_ms);
    }
    assert_true(longest_ms > 2000);
    assert_int_equal(f->receiver.n_sends, 20);
    drain(f);
    assert_int_equal(f->receiver.seen.n_entries, 1);
    assert_false(report(f).is_failing);
    assert_int_equal(report(f).n_failures, 20);
}

static void a_lost_answer_sends_again_and_counts_once(void **state)
{
    struct fixture *f = *state;

    change_some(f, 3);
    deny(f, "4");
    f->receiver.fail_sends = 2;
    f->receiver.loses_answers = true;
    drain(f);
    assert_int_equal(f->receiver.seen.n_entries, 4);
    assert_true(f->receiver.n_received > 4);
    assert_int_equal(n_in_outbox(f), 0);
}

/* Between the answer and the deletion. */
static void a_relay_that_dies_is_followed_by_one_that_sends_again(void **state)
{
    struct fixture *f = *state;

    change_some(f, 3);
    f->failing.fail_commit = 1;
    (void)step(f, STATUS_UNAVAILABLE);
    assert_int_equal(f->receiver.seen.n_entries, 3);
    relay_free(f->relay);
    open_relay(f);
    assert_int_equal(n_in_outbox(f), 3);
    drain(f);
    assert_int_equal(f->receiver.n_received, 6);
    assert_int_equal(f->receiver.seen.n_entries, 3);
    assert_int_equal(n_in_outbox(f), 0);
}

static void one_that_is_refused_does_not_stop_the_others(void **state)
{
    struct fixture *f = *state;

    change_some(f, 100);
    f->receiver.never_takes = "42";
    drain(f);
    assert_int_equal(f->receiver.seen.n_entries, 99);
    assert_int_equal(f->receiver.n_received, 99);
    assert_true(f->receiver.n_sends < 30);
    assert_int_equal(n_in_outbox(f), 0);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM audit_refused"), 1);
    assert_int_equal(report(f).n_refused, 1);
}

static void one_that_is_refused_from_the_spool_is_kept_too(void **state)
{
    struct fixture *f = *state;

    deny(f, "1");
    deny(f, "2");
    deny(f, "3");
    f->receiver.never_takes = "2";
    drain(f);
    assert_int_equal(f->receiver.seen.n_entries, 2);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM audit_refused"), 1);
}

static void a_busy_outbox_does_not_hold_up_the_spool(void **state)
{
    struct fixture *f = *state;

    change_some(f, 3 * RELAY_MAX_BATCH);
    deny(f, "last");
    (void)step(f, STATUS_OK);
    (void)step(f, STATUS_OK);
    assert_int_equal(f->receiver.seen.n_entries, RELAY_MAX_BATCH + 1);
}

static void a_store_that_cannot_be_read_is_tried_again(void **state)
{
    struct fixture *f = *state;

    change_some(f, 1);
    f->failing.fail_query = 1;
    assert_true(step(f, STATUS_UNAVAILABLE) > 0);
    drain(f);
    assert_int_equal(f->receiver.seen.n_entries, 1);
}

/* Nobody steps: a commit and an append wake the threads. */
static void the_threads_send_what_comes(void **state)
{
    struct fixture *f = *state;

    relay_free(f->relay);
    f->relay = relay_new(&(struct relay_options){
        .store = f->store,
        .spool = f->spool,
        .sink = &f->receiver.sink,
        .clock = &system_clock,
        .random = &f->random.source,
    });
    f->receiver.fail_sends = 1;
    relay_start(f->relay);
    change_some(f, 50);
    wait_until_seen(&f->receiver, 50);
    for (int i = 0; i < 50; i++) {
        deny(f, "x");
    }
    wait_until_seen(&f->receiver, 100);
    while (!spool_is_synced(f->spool)) {
        (void)sched_yield();
    }
    relay_free(f->relay);
    f->relay = NULL;
    assert_int_equal(n_in_outbox(f), 0);
}

enum { APPENDERS = 4, APPENDS = 200 };

struct appender {
    pthread_t thread;
    struct spool *spool;
    int number;
    int n_failed;
};

static void *append_many(void *data)
{
    struct appender *self = data;
    struct arena *arena = arena_new();

    for (int i = 0; i < APPENDS; i++) {
        const struct audit_event event = {
            .event_id = arena_printf(arena, "%026d", self->number * APPENDS + i),
            .tenant_id = "acme",
            .subject = "user:ada",
            .action = "tenant.get",
            .target = "tenant:acme",
            .outcome = AUDIT_DENIED,
            .trace_id = "",
            .data_subject = "",
        };
        self->n_failed += !status_is_ok(spool_append(self->spool, arena, SPOOL_DENIAL, &event));
    }
    arena_free(arena);
    return NULL;
}

static void many_threads_append_while_one_sends_and_one_syncs(void **state)
{
    struct fixture *f = *state;
    struct appender appenders[APPENDERS];

    relay_start(f->relay);
    for (int i = 0; i < APPENDERS; i++) {
        appenders[i] = (struct appender){ .spool = f->spool, .number = i };
        assert_int_equal(pthread_create(&appenders[i].thread, NULL, append_many, &appenders[i]), 0);
    }
    for (int i = 0; i < APPENDERS; i++) {
        assert_int_equal(pthread_join(appenders[i].thread, NULL), 0);
        assert_int_equal(appenders[i].n_failed, 0);
    }
    wait_until_seen(&f->receiver, (size_t)APPENDERS * APPENDS);
    relay_free(f->relay);
    f->relay = NULL;
}

/* ---- A machine that crashes ---- */

/* Changes, and steps of the relay between them, until the disk crashes at an operation; then the
 * next life sends the rest.  Whether that came first. */
static bool crash_at(struct fixture *f, unsigned operation)
{
    struct crash_files disk;
    struct crash_vfs vfs;
    struct store *real = NULL;
    size_t n_acknowledged = 0;
    size_t before = f->receiver.seen.n_entries;

    crash_files_init(&disk);
    crash_vfs_init(&vfs, &disk.files);
    const struct store_options options = { .url = "sqlite:t.db", .vfs = crash_vfs_name(&vfs) };
    assert_status(store_open_with(f->call.arena, &options, &real), STATUS_OK);
    assert_status(outbox_migrate(real, f->call.arena), STATUS_OK);
    f->store = real;
    open_relay(f);
    disk.crash_after = (unsigned)disk.n_operations + operation;
    for (int i = 0; i < 4; i++) {
        int64_t wait_ms;
        n_acknowledged += status_is_ok(change(f, real, "x"));
        if (i % 2 == 1) {
            (void)relay_step(f->relay, f->call.arena, &wait_ms);
        }
    }
    bool is_over = disk.n_operations < disk.crash_after;
    crash_files_crash(&disk);
    relay_free(f->relay);
    store_close(real);
    assert_status(store_open_with(f->call.arena, &options, &real), STATUS_OK);
    f->store = real;
    open_relay(f);
    drain(f);
    assert_true(f->receiver.seen.n_entries - before >= n_acknowledged);
    relay_free(f->relay);
    store_close(real);
    crash_vfs_reset(&vfs);
    crash_files_reset(&disk);
    return is_over;
}

static void what_was_answered_is_sent_whatever_crashes(void **state)
{
    struct fixture *f = *state;
    struct store *kept = f->store;
    bool is_over = false;

    relay_free(f->relay);
    for (unsigned n = 1; !is_over; n++) {
        is_over = crash_at(f, n);
    }
    f->store = kept;
    f->relay = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_committed_or_spooled_is_sent_and_forgotten),
        TEST(many_go_in_batches),
        TEST(a_failure_waits_longer_each_time),
        TEST(a_lost_answer_sends_again_and_counts_once),
        TEST(a_relay_that_dies_is_followed_by_one_that_sends_again),
        TEST(one_that_is_refused_does_not_stop_the_others),
        TEST(one_that_is_refused_from_the_spool_is_kept_too),
        TEST(a_busy_outbox_does_not_hold_up_the_spool),
        TEST(a_store_that_cannot_be_read_is_tried_again),
        TEST(the_threads_send_what_comes),
        TEST(many_threads_append_while_one_sends_and_one_syncs),
        TEST(what_was_answered_is_sent_whatever_crashes),
    };

    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
