#include "services/audit/audit_log.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/temp_folder.h"
#include "libs/testing/test_data.h"
#include "libs/tlog/log_verify.h"
#include "libs/tlog/tile.h"
#include "libs/tlog/tlog_proof.h"

#include <pthread.h>
#include <string.h>

struct fixture {
    struct arena *arena;
    struct crash_files crash;
    struct files *files;
    struct fake_clock clock;
    struct note_signer signer;
    struct note_verifier verifier;
    struct audit_log *log;
};

static status open_log(struct fixture *f, struct audit_log **ret_log)
{
    return audit_log_open(&(struct audit_log_options){ .files = f->files,
                                                       .signer = &f->signer,
                                                       .clock = &f->clock.clock },
                          f->arena, ret_log);
}

static void reopen(struct fixture *f)
{
    audit_log_close(f->log);
    f->log = NULL;
    assert_status(open_log(f, &f->log), STATUS_OK);
}

static int set_up(void **state)
{
    static struct fixture f;
    struct seeded_random random;

    f = (struct fixture){ .arena = arena_new(), .files = &f.crash.files };
    crash_files_init(&f.crash);
    fake_clock_init(&f.clock, 1700000000000);
    seeded_random_init(&random, 5);
    assert_status(note_signer_generate(f.arena, &random.source, "log.example/7", &f.signer),
                  STATUS_OK);
    f.verifier = note_signer_verifier(&f.signer);
    reopen(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    audit_log_close(f->log);
    crash_files_reset(&f->crash);
    arena_free(f->arena);
    return 0;
}

static status append(struct fixture *f, const char *leaf, uint64_t *ret_index)
{
    const bytes data = bytes_of(leaf);

    return audit_log_append(f->log, f->arena, &data, 1, ret_index);
}

static void append_many(struct fixture *f, size_t n)
{
    bytes *leaves = ARENA_NEW_ARRAY(f->arena, bytes, n);
    uint64_t first;

    for (size_t i = 0; i < n; i++) {
        leaves[i] = bytes_of("the same");
    }
    assert_status(audit_log_append(f->log, f->arena, leaves, n, &first), STATUS_OK);
}

static struct audit_log_state state_of(struct fixture *f)
{
    struct audit_log_state log_state;

    audit_log_state(f->log, f->arena, &log_state);
    return log_state;
}

static void verify_files(struct fixture *f, bytes older)
{
    struct log_report report;

    assert_status(log_verify(&(struct log_verify_options){ .files = f->files,
                                                           .verifier = &f->verifier,
                                                           .older = older },
                             f->arena, &report),
                  STATUS_OK);
    if (report.n_faults > 0) {
        fail_msg("%s", report.faults[0]);
    }
}

static void an_appended_leaf_is_read_before_and_after_it_is_integrated(void **state)
{
    struct fixture *f = *state;
    uint64_t index;
    bytes leaf;

    assert_status(append(f, "zero", &index), STATUS_OK);
    assert_status(append(f, "one", &index), STATUS_OK);
    assert_int_equal(index, 1);
    for (int i = 0; i < 2; i++) {
        assert_status(audit_log_read(f->log, f->arena, 1, &leaf), STATUS_OK);
        assert_int_equal(leaf.size, 3);
        assert_memory_equal(leaf.data, "one", 3);
        assert_status(audit_log_read(f->log, f->arena, 2, &leaf), STATUS_OUT_OF_RANGE);
        assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    }
    assert_int_equal(state_of(f).integrated, 2);
    verify_files(f, (bytes){ 0 });
}

static void every_leaf_is_proved_under_the_checkpoint(void **state)
{
    struct fixture *f = *state;
    struct tlog_proof proof;
    struct checkpoint checkpoint;
    uint64_t index;
    bytes bundle;

    append_many(f, 300);
    assert_status(audit_log_prove(f->log, f->arena, 7, &bundle), STATUS_FAILED_PRECONDITION);
    assert_status(append(f, "the last", &index), STATUS_OK);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    assert_status(audit_log_prove(f->log, f->arena, index, &bundle), STATUS_OK);
    assert_status(tlog_proof_parse(f->arena, bundle, &proof), STATUS_OK);
    assert_status(
        tlog_proof_verify(f->arena, &proof, bytes_of("the last"), &f->verifier, &checkpoint),
        STATUS_OK);
    assert_int_equal(checkpoint.tree.size, 301);
}

static void checkpoints_are_proved_consistent(void **state)
{
    struct fixture *f = *state;
    struct checkpoint before;
    struct checkpoint after;
    struct merkle_path path;
    uint64_t new_size = 0;

    append_many(f, 200);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    bytes older = state_of(f).checkpoint;
    append_many(f, 700);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    assert_status(checkpoint_open(f->arena, older, &f->verifier, &before), STATUS_OK);
    assert_status(checkpoint_open(f->arena, state_of(f).checkpoint, &f->verifier, &after),
                  STATUS_OK);
    assert_status(audit_log_prove_consistency(f->log, f->arena, 200, &new_size, &path), STATUS_OK);
    assert_int_equal(new_size, 900);
    assert_true(merkle_check_consistency(&before.tree, &after.tree, &path));
    new_size = 901;
    assert_status(audit_log_prove_consistency(f->log, f->arena, 200, &new_size, &path),
                  STATUS_OUT_OF_RANGE);
    new_size = 100;
    assert_status(audit_log_prove_consistency(f->log, f->arena, 200, &new_size, &path),
                  STATUS_OUT_OF_RANGE);
    verify_files(f, older);
}

static void a_leaf_is_integrated_within_a_second_and_an_idle_log_rests(void **state)
{
    struct fixture *f = *state;
    int64_t wait_ms;
    uint64_t index;

    assert_status(audit_log_step(f->log, f->arena, &wait_ms), STATUS_OK);
    assert_int_equal(wait_ms, -1);
    assert_status(append(f, "leaf", &index), STATUS_OK);
    assert_status(audit_log_step(f->log, f->arena, &wait_ms), STATUS_OK);
    assert_int_equal(wait_ms, 500);
    fake_clock_advance_ms(&f->clock, 499);
    assert_status(append(f, "another does not delay it", &index), STATUS_OK);
    assert_status(audit_log_step(f->log, f->arena, &wait_ms), STATUS_OK);
    assert_int_equal(wait_ms, 1);
    assert_int_equal(state_of(f).integrated, 0);
    fake_clock_advance_ms(&f->clock, 1);
    assert_status(audit_log_step(f->log, f->arena, &wait_ms), STATUS_OK);
    assert_int_equal(wait_ms, -1);
    assert_int_equal(state_of(f).integrated, 2);
    uint64_t n_operations = f->crash.n_operations;
    fake_clock_advance_ms(&f->clock, 3600000);
    assert_status(audit_log_step(f->log, f->arena, &wait_ms), STATUS_OK);
    assert_int_equal(f->crash.n_operations, n_operations);
}

static void a_full_disk_refuses_appends_serves_reads_and_recovers(void **state)
{
    struct fixture *f = *state;
    uint64_t index;
    bytes leaf;

    append_many(f, 300);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    append_many(f, 20);
    f->crash.full = true;
    assert_status(append(f, "refused", &index), STATUS_RESOURCE_EXHAUSTED);
    assert_status(append(f, "refused", &index), STATUS_RESOURCE_EXHAUSTED);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_RESOURCE_EXHAUSTED);
    assert_status(audit_log_read(f->log, f->arena, 17, &leaf), STATUS_OK);
    assert_status(audit_log_read(f->log, f->arena, 319, &leaf), STATUS_OK);
    assert_int_equal(state_of(f).integrated, 300);

    reopen(f); /* and so after a restart */
    assert_status(audit_log_read(f->log, f->arena, 319, &leaf), STATUS_OK);
    assert_status(append(f, "refused", &index), STATUS_RESOURCE_EXHAUSTED);

    f->crash.full = false;
    assert_status(append(f, "taken", &index), STATUS_OK);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    assert_status(audit_log_read(f->log, f->arena, index, &leaf), STATUS_OK);
    assert_memory_equal(leaf.data, "taken", 5);
    verify_files(f, (bytes){ 0 });
}

/* An attempt to integrate is torn in its nth operation, the log grows, and so does what is signed.
 * Returns false when the attempt had fewer operations. */
static bool verify_after_torn_attempt(struct fixture *f, size_t n_before, unsigned n)
{
    append_many(f, n_before);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    append_many(f, 12);
    f->crash.fail_operation = (unsigned)f->crash.n_operations + n;
    bool failed = !status_is_ok(audit_log_integrate(f->log, f->arena));
    f->crash.fail_operation = 0;
    append_many(f, 2);
    if (n % 2 == 0) {
        reopen(f);
    }
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    verify_files(f, (bytes){ 0 });
    return failed;
}

static void a_torn_attempt_does_not_speak_against_the_log(void **state)
{
    struct fixture *f = *state;
    const size_t before[] = { 1, 256, 240, 250 }; /* a tile begins, goes on, is filled */

    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        bool failed = true;
        for (unsigned n = 1; failed; n++) {
            failed = verify_after_torn_attempt(f, before[i], n);
            tear_down(state);
            set_up(state);
        }
    }
}

static void what_cannot_be_appended_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t *large = arena_alloc(f->arena, TILE_MAX_ENTRY_BYTES + 1);
    bytes leaf = { large, TILE_MAX_ENTRY_BYTES };
    bytes *many = ARENA_NEW_ARRAY(f->arena, bytes, AUDIT_LOG_MAX_BATCH + 1);
    uint64_t index;

    assert_status(audit_log_append(f->log, f->arena, &leaf, 1, &index), STATUS_OK);
    leaf.size++;
    assert_status(audit_log_append(f->log, f->arena, &leaf, 1, &index), STATUS_INVALID_ARGUMENT);
    assert_status(audit_log_append(f->log, f->arena, many, 0, &index), STATUS_INVALID_ARGUMENT);
    assert_status(audit_log_append(f->log, f->arena, many, AUDIT_LOG_MAX_BATCH, &index), STATUS_OK);
    assert_status(audit_log_append(f->log, f->arena, many, AUDIT_LOG_MAX_BATCH + 1, &index),
                  STATUS_INVALID_ARGUMENT);
}

static void what_waits_for_its_tiles_is_bounded(void **state)
{
    struct fixture *f = *state;
    uint64_t index;

    for (size_t n = 0; n + AUDIT_LOG_MAX_BATCH <= AUDIT_LOG_MAX_PENDING_LEAVES;
         n += AUDIT_LOG_MAX_BATCH) {
        append_many(f, AUDIT_LOG_MAX_BATCH);
    }
    append_many(f, AUDIT_LOG_MAX_PENDING_LEAVES % AUDIT_LOG_MAX_BATCH);
    assert_status(append(f, "one more", &index), STATUS_RESOURCE_EXHAUSTED);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    assert_int_equal(state_of(f).integrated, AUDIT_LOG_MAX_PENDING_LEAVES);
    assert_status(append(f, "one more", &index), STATUS_OK);
    reopen(f);
    assert_int_equal(state_of(f).integrated, AUDIT_LOG_MAX_PENDING_LEAVES + 1);
}

static void the_bytes_that_wait_are_bounded(void **state)
{
    struct fixture *f = *state;
    uint8_t *large = arena_alloc(f->arena, TILE_MAX_ENTRY_BYTES);
    bytes leaves[16];
    uint64_t index;

    for (size_t i = 0; i < 16; i++) {
        leaves[i] = (bytes){ large, TILE_MAX_ENTRY_BYTES };
    }
    for (size_t n = 0; n + 16 <= AUDIT_LOG_MAX_PENDING_BYTES / TILE_MAX_ENTRY_BYTES; n += 16) {
        assert_status(audit_log_append(f->log, f->arena, leaves, 16, &index), STATUS_OK);
    }
    assert_status(audit_log_append(f->log, f->arena, leaves, 1, &index), STATUS_RESOURCE_EXHAUSTED);
}

static void a_second_writer_publishes_nothing(void **state)
{
    struct fixture *f = *state;
    struct audit_log *other;
    uint64_t index;

    assert_status(open_log(f, &other), STATUS_OK); /* who went by the lock */
    assert_status(append(f, "mine", &index), STATUS_OK);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    const bytes leaf = bytes_of("theirs");
    assert_status(audit_log_append(other, f->arena, &leaf, 1, &index), STATUS_OK);
    assert_status(audit_log_integrate(other, f->arena), STATUS_FAILED_PRECONDITION);
    audit_log_close(other);
    verify_files(f, (bytes){ 0 });
}

static void a_log_whose_files_are_wrong_is_not_opened(void **state)
{
    static const char *const files[] = { "checkpoint", "tile/0/001.p/44" };
    struct fixture *f = *state;
    struct seeded_random random;
    struct audit_log *log;
    bytes data;

    append_many(f, 300);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        crash_files_flip(&f->crash, files[i], 40);
        assert_status(open_log(f, &log), STATUS_DATA_LOSS);
        crash_files_flip(&f->crash, files[i], 40);
    }
    assert_status(files_read(f->files, f->arena, "checkpoint", 1000, &data), STATUS_OK);
    assert_status(files_remove(f->files, f->arena, "checkpoint"), STATUS_OK);
    status s = open_log(f, &log);
    assert_status(s, STATUS_DATA_LOSS);
    assert_string_equal(s.message, "checkpoint: is missing, and there are tiles");
    assert_status(files_replace(f->files, f->arena, "checkpoint", data), STATUS_OK);
    seeded_random_init(&random, 6);
    assert_status(note_signer_generate(f->arena, &random.source, "log.example/7", &f->signer),
                  STATUS_OK);
    assert_status(open_log(f, &log), STATUS_DATA_LOSS);
}

static void leaves_that_are_missing_before_the_durable_ones_are_noticed(void **state)
{
    struct fixture *f = *state;
    struct audit_log *log;
    struct files_names names;

    append_many(f, 3);
    audit_log_close(f->log); /* three leaves are in the write-ahead file alone */
    f->log = NULL;
    assert_status(files_list(f->files, f->arena, ".state", &names), STATUS_OK);
    assert_int_equal(names.n_names, 1);
    assert_status(files_rename(f->files, f->arena,
                               arena_printf(f->arena, ".state/%s", names.names[0]),
                               ".state/wal.00000000000000000002"),
                  STATUS_OK);
    status s = open_log(f, &log);
    assert_status(s, STATUS_DATA_LOSS);
    assert_non_null(strstr(s.message, "the leaves from 0 on are missing"));
}

static void a_bundle_that_rotted_is_not_copied(void **state)
{
    struct fixture *f = *state;

    append_many(f, 3);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    crash_files_flip(&f->crash, "tile/entries/000.p/3", 5);
    append_many(f, 3);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_DATA_LOSS);
}

static void partial_tiles_go_when_the_full_one_is_published(void **state)
{
    struct fixture *f = *state;
    struct files_names names;

    append_many(f, 100);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    append_many(f, 100);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    assert_status(files_list(f->files, f->arena, "tile/0/000.p", &names), STATUS_OK);
    assert_int_equal(names.n_names, 2);
    append_many(f, 100);
    assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
    assert_status(files_list(f->files, f->arena, "tile/0/000.p", &names), STATUS_NOT_FOUND);
    assert_status(files_list(f->files, f->arena, "tile/entries/000.p", &names), STATUS_NOT_FOUND);
    assert_status(files_list(f->files, f->arena, ".state", &names), STATUS_OK);
    assert_int_equal(names.n_names, 1); /* that of the last hundred */
}

/* ---- Against another writer of the same format ---- */

static void same_file(struct fixture *f, struct files *theirs, const char *name)
{
    bytes want;
    bytes got;

    assert_status(files_read(theirs, f->arena, name, 1 << 20, &want), STATUS_OK);
    status s = files_read(f->files, f->arena, name, 1 << 20, &got);
    if (!status_is_ok(s) || got.size != want.size || memcmp(got.data, want.data, got.size) != 0) {
        fail_msg("%s is not as tessera writes it", name);
    }
}

/* The private key of the test log stands in the script that made it. */
static bytes skey_of(struct fixture *f, struct files *theirs)
{
    static const char before[] = "LOG_PRIVATE_KEY=\"";
    bytes script;

    assert_status(files_read(theirs, f->arena, "../build_log.sh", 1 << 20, &script), STATUS_OK);
    const char *key = strstr((const char *)script.data, before);
    assert_non_null(key);
    key += strlen(before);
    return (bytes){ (const uint8_t *)key, strcspn(key, "\"") };
}

static void the_log_of_tessera_is_written_byte_for_byte(void **state)
{
    static const char *const words[] = { "one",    "two",   "three",    "four",    "five",
                                         "six",    "seven", "eit",      "nain",    "ten",
                                         "ileven", "twelf", "threeten", "fourten", "fivten" };
    struct fixture *f = *state;
    const char *folder = test_data(f->arena, "tessera_testlog/testdata/log");
    struct disk_files disk;
    uint64_t index;

    if (folder == NULL) {
        skip();
        return; /* never reached: skip() jumps away */
    }
    assert_status(disk_files_init(&disk, f->arena, folder), STATUS_OK);
    assert_status(note_signer_parse(f->arena, skey_of(f, &disk.files), &f->signer), STATUS_OK);
    audit_log_close(f->log);
    f->log = NULL;
    crash_files_reset(&f->crash);
    crash_files_init(&f->crash);
    reopen(f);
    for (unsigned i = 0; i < 15; i++) {
        assert_status(append(f, words[i], &index), STATUS_OK);
        assert_status(audit_log_integrate(f->log, f->arena), STATUS_OK);
        same_file(f, &disk.files, arena_printf(f->arena, "tile/0/000.p/%u", i + 1));
        same_file(f, &disk.files, arena_printf(f->arena, "tile/entries/000.p/%u", i + 1));
    }
    same_file(f, &disk.files, "checkpoint");
    disk_files_reset(&disk);
}

/* ---- Many at once ---- */

enum { THREADS = 8, EACH = 100 };

struct racer {
    struct fixture *f;
    unsigned number;
    uint64_t indices[EACH];
};

static void *race(void *data)
{
    struct racer *self = data;
    struct arena *arena = arena_new();

    for (unsigned i = 0; i < EACH; i++) {
        const bytes leaf = bytes_of(arena_printf(arena, "racer %u leaf %u", self->number, i));
        assert_status(audit_log_append(self->f->log, arena, &leaf, 1, &self->indices[i]),
                      STATUS_OK);
        if (i % 10 == self->number) {
            assert_status(audit_log_integrate(self->f->log, arena), STATUS_OK);
        }
    }
    arena_free(arena);
    return NULL;
}

static void appends_at_once_all_get_an_index_of_their_own(void **state)
{
    struct fixture *f = *state;
    static struct racer racers[THREADS];
    pthread_t threads[THREADS];
    struct disk_files disk;

    assert_status(disk_files_init(&disk, f->arena, temp_folder(f->arena)), STATUS_OK);
    f->files = &disk.files;
    reopen(f);
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){ .f = f, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    reopen(f);
    for (unsigned i = 0; i < THREADS; i++) {
        for (unsigned j = 0; j < EACH; j++) {
            bytes leaf;
            const char *want = arena_printf(f->arena, "racer %u leaf %u", i, j);
            assert_status(audit_log_read(f->log, f->arena, racers[i].indices[j], &leaf), STATUS_OK);
            assert_int_equal(leaf.size, strlen(want));
            assert_memory_equal(leaf.data, want, leaf.size);
        }
    }
    assert_int_equal(state_of(f).integrated, THREADS * EACH);
    verify_files(f, (bytes){ 0 });
    audit_log_close(f->log);
    f->log = NULL;
    disk_files_reset(&disk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_appended_leaf_is_read_before_and_after_it_is_integrated),
        TEST(every_leaf_is_proved_under_the_checkpoint),
        TEST(checkpoints_are_proved_consistent),
        TEST(a_leaf_is_integrated_within_a_second_and_an_idle_log_rests),
        TEST(a_full_disk_refuses_appends_serves_reads_and_recovers),
        TEST(a_torn_attempt_does_not_speak_against_the_log),
        TEST(what_cannot_be_appended_is_refused),
        TEST(what_waits_for_its_tiles_is_bounded),
        TEST(the_bytes_that_wait_are_bounded),
        TEST(a_second_writer_publishes_nothing),
        TEST(a_log_whose_files_are_wrong_is_not_opened),
        TEST(leaves_that_are_missing_before_the_durable_ones_are_noticed),
        TEST(a_bundle_that_rotted_is_not_copied),
        TEST(partial_tiles_go_when_the_full_one_is_published),
        TEST(the_log_of_tessera_is_written_byte_for_byte),
        TEST(appends_at_once_all_get_an_index_of_their_own),
    };

    return cmocka_run_group_tests_name("audit_log", tests, NULL, NULL);
}
