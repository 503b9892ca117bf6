#include "services/audit/audit_engine.h"

#include "libs/audit/audit_leaf.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/temp_folder.h"
#include "libs/tlog/log_verify.h"
#include "libs/tlog/tlog_proof.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

struct fixture {
    struct arena *arena;
    struct crash_files log_files;
    struct crash_files key_files;
    struct failing_store store;
    const char *url;
    struct fake_clock clock;
    struct seeded_random random;
    struct audit_engine_options options;
    struct audit_engine *engine;
};

static void open_store(struct fixture *f)
{
    struct store *store;

    assert_status(store_open(f->arena, f->url, &store), STATUS_OK);
    assert_status(audit_engine_migrate(store, f->arena), STATUS_OK);
    failing_store_init(&f->store, store);
    f->options.store = &f->store.store;
}

/* As after a crash: nothing was told to end. */
static status reopen(struct fixture *f)
{
    audit_engine_close(f->engine);
    f->engine = NULL;
    store_close(&f->store.store);
    open_store(f);
    return audit_engine_open(&f->options, f->arena, &f->engine);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    crash_files_init(&f.log_files);
    crash_files_init(&f.key_files);
    fake_clock_init(&f.clock, 1700000000000);
    seeded_random_init(&f.random, 9);
    f.url = arena_printf(f.arena, "sqlite:%s/audit.db", temp_folder(f.arena));
    f.options = (struct audit_engine_options){
        .log_files = &f.log_files.files,
        .key_files = &f.key_files.files,
        .origin = "audit.example/test",
        .clock = &f.clock.clock,
        .random = &f.random.source,
    };
    open_store(&f);
    assert_status(audit_engine_open(&f.options, f.arena, &f.engine), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    audit_engine_close(f->engine);
    store_close(&f->store.store);
    crash_files_reset(&f->log_files);
    crash_files_reset(&f->key_files);
    arena_free(f->arena);
    return 0;
}

static struct audit_record event_of(struct fixture *f, const char *id, const char *actor)
{
    return (struct audit_record){
        .event_id = id,
        .time_ms = clock_wall_ms(&f->clock.clock),
        .tenant_id = "acme",
        .actor = actor,
        .action = "record.read",
        .target = "record:7",
        .outcome = AUDIT_DONE,
        .trace_id = "",
        .service = "search",
        .data_subject = "",
    };
}

static uint64_t append(struct fixture *f, const char *id, const char *actor)
{
    const struct audit_record event = event_of(f, id, actor);
    uint64_t index = 0;

    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_OK);
    return index;
}

static struct audit_proof get(struct fixture *f, const char *id)
{
    struct audit_proof proof;

    assert_status(audit_engine_get(f->engine, f->arena, "acme", id, &proof), STATUS_OK);
    return proof;
}

static struct audit_query all_of(const char *tenant_id)
{
    return (struct audit_query){
        .tenant_id = tenant_id,
        .end_ms = INT64_MAX,
        .after = { INT64_MAX, INT64_MAX },
        .limit = 100,
    };
}

/* The ids of what is found, newest first, each followed by a space; "?" for one that was erased. */
static const char *list(struct fixture *f, struct audit_query query)
{
    struct text ids = text_new(f->arena);
    struct audit_list found;

    assert_status(audit_engine_list(f->engine, f->arena, &query, &found), STATUS_OK);
    for (size_t i = 0; i < found.n_entries; i++) {
        const struct audit_record *event = found.entries[i].event;
        text_add(&ids, "%s ", event != NULL ? event->event_id : "?");
    }
    return text_string(&ids);
}

/* What somebody does who has the verifier key and what `get` has answered. */
static void verify_off_line(struct fixture *f, const struct audit_proof *proof)
{
    struct note_verifier verifier;
    struct tlog_proof bundle;
    struct checkpoint checkpoint;

    assert_status(
        note_verifier_parse(f->arena, bytes_of(audit_engine_verifier_key(f->engine)), &verifier),
        STATUS_OK);
    assert_status(tlog_proof_parse(f->arena, proof->bundle, &bundle), STATUS_OK);
    assert_int_equal(bundle.index, proof->entry.index);
    assert_status(tlog_proof_verify(f->arena, &bundle, proof->leaf, &verifier, &checkpoint),
                  STATUS_OK);
}

static void verify_files(struct fixture *f)
{
    struct note_verifier verifier;
    struct log_report report;

    assert_status(
        note_verifier_parse(f->arena, bytes_of(audit_engine_verifier_key(f->engine)), &verifier),
        STATUS_OK);
    assert_status(log_verify(&(struct log_verify_options){ .files = f->options.log_files,
                                                           .verifier = &verifier },
                             f->arena, &report),
                  STATUS_OK);
    if (report.n_faults > 0) {
        fail_msg("%s", report.faults[0]);
    }
}

/* ---- Appending and getting ---- */

static void an_event_comes_back_with_its_proof(void **state)
{
    struct fixture *f = *state;
    bytes text;

    append(f, "first", "sa:a");
    assert_int_equal(append(f, "second", "sa:b"), 1);
    struct audit_proof proof = get(f, "second");
    assert_int_equal(proof.entry.index, 1);
    assert_string_equal(proof.entry.event->actor, "sa:b");
    assert_string_equal(proof.entry.event->data_subject, "sa:b");
    assert_int_equal(proof.entry.event->append_time_ms, 1700000000000);
    verify_off_line(f, &proof);
    assert_status(audit_leaf_open_text(f->arena, proof.leaf_key, proof.leaf, &text), STATUS_OK);
    assert_non_null(strstr((const char *)text.data, "\"event_id\":\"second\""));
    verify_files(f);
}

static void a_leaf_says_nothing_without_its_key(void **state)
{
    struct fixture *f = *state;

    append(f, "first", "sa:a");
    struct audit_proof proof = get(f, "first");
    assert_null(memmem(proof.leaf.data, proof.leaf.size, "sa:a", 4));
    assert_null(memmem(proof.leaf.data, proof.leaf.size, "acme", 4));
    assert_null(memmem(proof.leaf.data, proof.leaf.size, "first", 5));
}

static void another_tenants_event_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct audit_proof proof;

    append(f, "first", "sa:a");
    assert_status(audit_engine_get(f->engine, f->arena, "other", "first", &proof),
                  STATUS_NOT_FOUND);
    assert_status(audit_engine_get(f->engine, f->arena, "acme", "none", &proof), STATUS_NOT_FOUND);
    assert_status(audit_engine_get(f->engine, f->arena, NULL, "first", &proof), STATUS_OK);
    assert_status(audit_engine_get(f->engine, f->arena, NULL, "none", &proof), STATUS_NOT_FOUND);
}

static void events_that_are_wrong_are_refused_all_together(void **state)
{
    struct fixture *f = *state;
    struct audit_record events[2] = { event_of(f, "good", "sa:a"), event_of(f, "bad", "sa:a") };
    uint64_t indices[2];

    events[1].action = "";
    status s = audit_engine_append(f->engine, f->arena, events, 2, indices);
    assert_status(s, STATUS_INVALID_ARGUMENT);
    assert_string_equal(s.message, "events[1] action is empty");
    assert_status(audit_engine_append(f->engine, f->arena, events, 0, indices),
                  STATUS_INVALID_ARGUMENT);
    assert_string_equal(list(f, all_of("acme")), "");
}

static void a_batch_has_a_limit(void **state)
{
    struct fixture *f = *state;
    size_t n = AUDIT_ENGINE_MAX_BATCH;
    struct audit_record *events = ARENA_NEW_ARRAY(f->arena, struct audit_record, n + 1);
    uint64_t *indices = ARENA_NEW_ARRAY(f->arena, uint64_t, n + 1);

    for (size_t i = 0; i <= n; i++) {
        events[i] = event_of(f, arena_printf(f->arena, "event-%zu", i), "sa:a");
    }
    assert_status(audit_engine_append(f->engine, f->arena, events, n + 1, indices),
                  STATUS_INVALID_ARGUMENT);
    assert_status(audit_engine_append(f->engine, f->arena, events, n, indices), STATUS_OK);
    assert_int_equal(indices[n - 1], n - 1);
}

static void secrets_do_not_get_into_the_log(void **state)
{
    static const struct audit_detail details[] = { { "password", "hunter2" } };
    struct fixture *f = *state;
    struct audit_record event = event_of(f, "first", "sa:a");
    uint64_t index;

    event.details = details;
    event.n_details = 1;
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_OK);
    assert_string_equal(get(f, "first").entry.event->details[0].value, "[redacted]");
}

/* ---- Once ---- */

static void an_event_that_comes_twice_is_one_entry(void **state)
{
    struct fixture *f = *state;
    struct audit_record events[3] = { event_of(f, "a", "sa:a"), event_of(f, "b", "sa:a"),
                                      event_of(f, "a", "sa:a") };
    uint64_t indices[3];
    int64_t wait_ms;

    assert_int_equal(append(f, "a", "sa:a"), 0);
    assert_status(audit_engine_append(f->engine, f->arena, events, 3, indices), STATUS_OK);
    assert_int_equal(indices[0], 0);
    assert_int_equal(indices[1], 1);
    assert_int_equal(indices[2], 0);
    assert_status(audit_engine_step(f->engine, f->arena, &wait_ms), STATUS_OK); /* now indexed */
    assert_int_equal(append(f, "b", "sa:other"), 1);
    assert_status(reopen(f), STATUS_OK);
    assert_int_equal(append(f, "b", "sa:other"), 1);
    assert_int_equal(append(f, "c", "sa:a"), 2);

    struct audit_record other = event_of(f, "a", "sa:a");
    other.tenant_id = "globex"; /* the id of another tenant is another event */
    assert_status(audit_engine_append(f->engine, f->arena, &other, 1, indices), STATUS_OK);
    assert_int_equal(indices[0], 3);
}

enum { RACERS = 32, ROUNDS = 5 };

struct racer {
    struct fixture *f;
    uint64_t indices[ROUNDS];
};

static void *race(void *data)
{
    struct racer *self = data;
    struct arena *arena = arena_new();

    for (int i = 0; i < ROUNDS; i++) {
        const struct audit_record event =
            event_of(self->f, arena_printf(arena, "round-%d", i), "sa:a");
        assert_status(audit_engine_append(self->f->engine, arena, &event, 1, &self->indices[i]),
                      STATUS_OK);
    }
    arena_free(arena);
    return NULL;
}

static void the_same_event_from_many_at_once_is_one_entry(void **state)
{
    static struct racer racers[RACERS];
    struct fixture *f = *state;
    pthread_t threads[RACERS];
    struct audit_log_state log_state;

    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){ .f = f };
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_memory_equal(racers[i].indices, racers[0].indices, sizeof racers[0].indices);
    }
    assert_status(audit_engine_checkpoint(f->engine, f->arena, &log_state), STATUS_OK);
    assert_int_equal(log_state.integrated, ROUNDS);
}

/* ---- Listing ---- */

static void append_some(struct fixture *f)
{
    struct audit_record event;
    uint64_t index;

    append(f, "e0", "sa:a");
    f->clock.wall_ms += 1000;
    append(f, "e1", "sa:b");
    f->clock.wall_ms += 1000;
    event = event_of(f, "e2", "sa:a");
    event.action = "record.write";
    event.target = "record:8";
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_OK);
    event = event_of(f, "e3", "sa:a");
    event.time_ms -= 1500; /* comes late: it was between the first two */
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_OK);
    event = event_of(f, "other", "sa:a");
    event.tenant_id = "globex";
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_OK);
}

static void lists_go_by_every_filter_from_new_to_old(void **state)
{
    struct fixture *f = *state;
    struct audit_query query = all_of("acme");

    append_some(f);
    assert_string_equal(list(f, query), "e2 e1 e3 e0 ");
    assert_string_equal(list(f, all_of("globex")), "other ");
    assert_string_equal(list(f, all_of("nobody")), "");
    assert_string_equal(list(f, all_of(NULL)), "other e2 e1 e3 e0 ");
    query.actor = "sa:a";
    assert_string_equal(list(f, query), "e2 e3 e0 ");
    query.action = "record.read";
    assert_string_equal(list(f, query), "e3 e0 ");
    query = all_of("acme");
    query.target = "record:8";
    assert_string_equal(list(f, query), "e2 ");
    query = all_of("acme");
    query.start_ms = 1700000000500;
    query.end_ms = 1700000002000;
    assert_string_equal(list(f, query), "e1 e3 ");
}

static void pages_go_on_where_they_ended(void **state)
{
    struct fixture *f = *state;
    struct audit_query query = all_of("acme");
    struct audit_list found;

    append_some(f);
    query.limit = 3;
    assert_status(audit_engine_list(f->engine, f->arena, &query, &found), STATUS_OK);
    assert_int_equal(found.n_entries, 3);
    assert_true(found.more);
    append(f, "meanwhile", "sa:a");
    query.after = found.places[2];
    assert_string_equal(list(f, query), "e0 ");
    query.after = found.places[0];
    assert_string_equal(list(f, query), "e1 e3 e0 ");
}

static void an_actor_is_looked_for_in_one_tenant(void **state)
{
    struct fixture *f = *state;
    struct audit_query query = all_of(NULL);
    struct audit_list found;

    query.actor = "sa:a";
    assert_status(audit_engine_list(f->engine, f->arena, &query, &found), STATUS_INVALID_ARGUMENT);
}

/* ---- Forgetting ---- */

static void an_erased_subject_is_forgotten_and_its_proofs_stay(void **state)
{
    struct fixture *f = *state;
    struct audit_query by_actor = all_of("acme");

    append(f, "hers", "user:ada");
    append(f, "his", "user:bob");
    struct audit_proof before = get(f, "hers");
    assert_status(audit_engine_erase(f->engine, f->arena, "acme", "user:ada"), STATUS_OK);

    struct audit_proof after = get(f, "hers");
    assert_null(after.entry.event);
    assert_null(after.leaf_key);
    assert_int_equal(after.leaf.size, before.leaf.size);
    verify_off_line(f, &after);
    assert_string_equal(get(f, "his").entry.event->actor, "user:bob");
    by_actor.actor = "user:ada";
    assert_string_equal(list(f, by_actor), "");
    assert_string_equal(list(f, all_of("acme")), "his ? ");
    assert_status(audit_engine_erase(f->engine, f->arena, "acme", "user:ada"), STATUS_NOT_FOUND);
    assert_status(audit_engine_erase(f->engine, f->arena, "globex", "user:bob"), STATUS_NOT_FOUND);

    append(f, "again", "user:ada"); /* another key */
    assert_string_equal(list(f, by_actor), "again ");
    f->options.rebuild = true;
    assert_status(reopen(f), STATUS_OK);
    assert_string_equal(list(f, all_of("acme")), "again his ? ");
    verify_files(f);
}

static void an_event_is_sealed_for_the_subject_it_names(void **state)
{
    struct fixture *f = *state;
    struct audit_record event = event_of(f, "about-her", "sa:clerk");
    uint64_t index;

    event.data_subject = "user:ada";
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_OK);
    append(f, "clerk", "sa:clerk");
    assert_status(audit_engine_erase(f->engine, f->arena, "acme", "user:ada"), STATUS_OK);
    assert_null(get(f, "about-her").entry.event);
    assert_non_null(get(f, "clerk").entry.event);
}

static void an_erasure_that_fails_erases_nothing(void **state)
{
    struct fixture *f = *state;

    append(f, "hers", "user:ada");
    (void)get(f, "hers");
    f->store.fail_statement = 2;
    assert_status(audit_engine_erase(f->engine, f->arena, "acme", "user:ada"), STATUS_UNAVAILABLE);
    assert_non_null(get(f, "hers").entry.event);
}

/* ---- What fails, and what comes back ---- */

static void an_append_that_fails_can_be_sent_again(void **state)
{
    struct fixture *f = *state;
    const struct audit_record event = event_of(f, "first", "sa:a");
    uint64_t index;

    f->store.fail_query = 1; /* have we got it? */
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_UNAVAILABLE);
    f->store.fail_query = 2; /* its subject's key */
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_UNAVAILABLE);
    f->store.fail_commit = 1; /* a new key */
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_UNAVAILABLE);
    f->log_files.full = true;
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index),
                  STATUS_RESOURCE_EXHAUSTED);
    f->log_files.full = false;
    assert_status(audit_engine_append(f->engine, f->arena, &event, 1, &index), STATUS_OK);
    assert_int_equal(index, 0);
    assert_string_equal(list(f, all_of("acme")), "first ");
}

static void a_full_disk_serves_reads(void **state)
{
    struct fixture *f = *state;
    struct audit_log_state log_state;

    append(f, "first", "sa:a");
    (void)get(f, "first");
    append(f, "second", "sa:a"); /* in no checkpoint yet */
    f->log_files.full = true;
    assert_status(audit_engine_checkpoint(f->engine, f->arena, &log_state), STATUS_OK);
    assert_int_equal(log_state.integrated, 1);
    verify_off_line(f, &(struct audit_proof){ .entry = get(f, "first").entry,
                                              .leaf = get(f, "first").leaf,
                                              .bundle = get(f, "first").bundle });
    assert_string_equal(list(f, all_of("acme")), "second first ");
    f->log_files.full = false;
}

static void an_index_that_cannot_be_written_catches_up(void **state)
{
    struct fixture *f = *state;
    int64_t wait_ms;

    append(f, "first", "sa:a");
    f->store.fail_commit = 1;
    assert_status(audit_engine_step(f->engine, f->arena, &wait_ms), STATUS_UNAVAILABLE);
    append(f, "second", "sa:a");
    assert_string_equal(list(f, all_of("acme")), "second first ");
}

static void an_index_that_lags_is_replayed_at_the_start(void **state)
{
    struct fixture *f = *state;

    append(f, "first", "sa:a");
    (void)list(f, all_of("acme"));
    append(f, "second", "sa:a"); /* durable, and in no index */
    assert_status(reopen(f), STATUS_OK);
    assert_string_equal(list(f, all_of("acme")), "second first ");
    f->options.rebuild = true;
    assert_status(reopen(f), STATUS_OK);
    assert_string_equal(list(f, all_of("acme")), "second first ");
    assert_int_equal(append(f, "first", "sa:a"), 0);
}

static void a_crash_loses_nothing_acknowledged(void **state)
{
    struct fixture *f = *state;

    append(f, "first", "sa:a");
    audit_engine_close(f->engine);
    f->engine = NULL;
    crash_files_crash(&f->log_files);
    crash_files_crash(&f->key_files);
    assert_status(reopen(f), STATUS_OK);
    verify_off_line(f, &(struct audit_proof){ .entry = get(f, "first").entry,
                                              .leaf = get(f, "first").leaf,
                                              .bundle = get(f, "first").bundle });
}

static void lost_keys_are_not_made_anew(void **state)
{
    static const char *const names[] = { "signing_key", "master_key" };
    struct fixture *f = *state;
    bytes key;

    append(f, "first", "sa:a");
    for (size_t i = 0; i < 2; i++) {
        assert_status(files_read(&f->key_files.files, f->arena, names[i], 1000, &key), STATUS_OK);
        assert_status(files_remove(&f->key_files.files, f->arena, names[i]), STATUS_OK);
        assert_status(reopen(f), STATUS_FAILED_PRECONDITION);
        assert_status(files_replace(&f->key_files.files, f->arena, names[i], key), STATUS_OK);
    }
    char *other = arena_printf(f->arena, "%064d\n", 7);
    assert_status(files_replace(&f->key_files.files, f->arena, "master_key", bytes_of(other)),
                  STATUS_OK);
    assert_status(reopen(f), STATUS_DATA_LOSS);
}

static void a_log_without_its_database_is_said(void **state)
{
    struct fixture *f = *state;

    append(f, "first", "sa:a");
    f->url = ":memory:";
    status s = reopen(f);
    assert_status(s, STATUS_DATA_LOSS);
    assert_string_equal(s.message, "the log has 1 entries, and the database no key for them");
}

static void a_database_without_its_log_is_said(void **state)
{
    struct fixture *f = *state;

    append(f, "first", "sa:a");
    (void)list(f, all_of("acme"));
    audit_engine_close(f->engine);
    f->engine = NULL;
    crash_files_reset(&f->log_files);
    crash_files_init(&f->log_files);
    assert_status(reopen(f), STATUS_DATA_LOSS);
}

static void checkpoints_are_consistent(void **state)
{
    struct fixture *f = *state;
    struct audit_log_state before;
    struct audit_log_state after;
    struct merkle_path path;
    uint64_t size = 0;

    append(f, "first", "sa:a");
    assert_status(audit_engine_checkpoint(f->engine, f->arena, &before), STATUS_OK);
    append(f, "second", "sa:a");
    assert_status(audit_engine_checkpoint(f->engine, f->arena, &after), STATUS_OK);
    assert_int_equal(before.integrated, 1);
    assert_int_equal(after.integrated, 2);
    assert_status(audit_engine_prove_consistency(f->engine, f->arena, 1, &size, &path), STATUS_OK);
    assert_int_equal(size, 2);
    assert_int_equal(path.n_hashes, 1);
}

static bool is_integrated(struct fixture *f)
{
    struct note_verifier verifier;
    struct checkpoint checkpoint;
    bytes data;

    assert_status(
        note_verifier_parse(f->arena, bytes_of(audit_engine_verifier_key(f->engine)), &verifier),
        STATUS_OK);
    assert_status(files_read(f->options.log_files, f->arena, "checkpoint", 1000, &data), STATUS_OK);
    assert_status(checkpoint_open(f->arena, data, &verifier, &checkpoint), STATUS_OK);
    return checkpoint.tree.size == 1;
}

static void the_thread_integrates_what_was_appended(void **state)
{
    struct fixture *f = *state;
    bool done = false;

    f->options.threaded = true;
    f->options.clock = &system_clock;
    assert_status(reopen(f), STATUS_OK);
    append(f, "first", "sa:a");
    for (int i = 0; !done && i < 10000; i++) { /* it takes half a second; a busy machine longer */
        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        done = is_integrated(f);
    }
    assert_true(done);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_comes_back_with_its_proof),
        TEST(a_leaf_says_nothing_without_its_key),
        TEST(another_tenants_event_is_not_found),
        TEST(events_that_are_wrong_are_refused_all_together),
        TEST(a_batch_has_a_limit),
        TEST(secrets_do_not_get_into_the_log),
        TEST(an_event_that_comes_twice_is_one_entry),
        TEST(the_same_event_from_many_at_once_is_one_entry),
        TEST(lists_go_by_every_filter_from_new_to_old),
        TEST(pages_go_on_where_they_ended),
        TEST(an_actor_is_looked_for_in_one_tenant),
        TEST(an_erased_subject_is_forgotten_and_its_proofs_stay),
        TEST(an_event_is_sealed_for_the_subject_it_names),
        TEST(an_erasure_that_fails_erases_nothing),
        TEST(an_append_that_fails_can_be_sent_again),
        TEST(a_full_disk_serves_reads),
        TEST(an_index_that_cannot_be_written_catches_up),
        TEST(an_index_that_lags_is_replayed_at_the_start),
        TEST(a_crash_loses_nothing_acknowledged),
        TEST(lost_keys_are_not_made_anew),
        TEST(a_log_without_its_database_is_said),
        TEST(a_database_without_its_log_is_said),
        TEST(checkpoints_are_consistent),
        TEST(the_thread_integrates_what_was_appended),
    };

    return cmocka_run_group_tests_name("audit_engine", tests, NULL, NULL);
}
