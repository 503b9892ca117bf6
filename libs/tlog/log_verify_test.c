#include "libs/tlog/log_verify.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/test_data.h"
#include "libs/tlog/test_log.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct crash_files crash;
    struct files *files;
    struct test_log log;
    struct log_report report;
};

static const uint64_t sizes[] = { 7, 300, 700 };

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new(), .files = &f.crash.files };
    crash_files_init(&f.crash);
    test_log_write(&f.log, f.arena, f.files, sizes, 3);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    crash_files_reset(&f->crash);
    arena_free(f->arena);
    return 0;
}

static void verify(struct fixture *f, bytes older)
{
    assert_status(log_verify(&(struct log_verify_options){ .files = f->files,
                                                           .verifier = &f->log.verifier,
                                                           .older = older },
                             f->arena, &f->report),
                  STATUS_OK);
}

/* The report has this one fault. */
static void expect_fault(struct fixture *f, const char *want)
{
    if (f->report.n_faults != 1 || strcmp(f->report.faults[0], want) != 0) {
        fail_msg("%zu faults, '%s', want '%s'", f->report.n_faults,
                 f->report.n_faults > 0 ? f->report.faults[0] : "", want);
    }
}

static void a_whole_log_has_no_fault(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        verify(f, f->log.checkpoints[i]);
        assert_int_equal(f->report.n_faults, 0);
        assert_int_equal(f->report.checkpoint.tree.size, 700);
        /* tiles and bundles: 2 full and 3 partial each; level 1: widths 1 and 2 */
        assert_int_equal(f->report.n_files, 1 + 2 * 5 + 2);
    }
}

static void a_flipped_byte_is_named(void **state)
{
    static const struct {
        const char *file;
        uint64_t offset;
        const char *fault;
    } cases[] = {
        { "tile/entries/000.p/7", 2 + 7 + 2,
          "tile/entries/000.p/7: entry 1 does not hash to the leaf in tile/0/000.p/7" },
        { "tile/entries/000", 2,
          "tile/entries/000: entry 0 does not hash to the leaf in tile/0/000" },
        { "tile/entries/001", 0, "tile/entries/001: is not a bundle of 256 entries" },
        { "tile/0/001", 3 * 32 + 31,
          "tile/0/001: hash 3 is not that of entry 3 in tile/entries/001" },
        { "tile/0/002.p/188", 32,
          "tile/0/002.p/188: hash 1 is not that of entry 1 in "
          "tile/entries/002.p/188" },
        { "tile/0/001.p/44", 0,
          "tile/0/001.p/44: hash 0 is not that of entry 0 in tile/entries/001.p/44" },
        { "tile/1/000.p/2", 32, "tile/1/000.p/2: hash 1 is not the root of tile/0/001" },
        { "tile/1/000.p/1", 0, "tile/1/000.p/1: hash 0 is not the root of tile/0/000" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        crash_files_flip(&f->crash, cases[i].file, cases[i].offset);
        verify(f, (bytes){ 0 });
        expect_fault(f, cases[i].fault);
        crash_files_flip(&f->crash, cases[i].file, cases[i].offset);
    }
}

static void no_byte_of_any_file_may_change(void **state)
{
    static const char *const files[] = { "checkpoint",     "tile/0/002.p/188",
                                         "tile/1/000.p/2", "tile/1/000.p/1",
                                         "tile/0/000.p/7", "tile/entries/000.p/7" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        bytes data;
        assert_status(files_read(f->files, f->arena, files[i], 1 << 20, &data), STATUS_OK);
        for (size_t at = 0; at < data.size; at += 1 + data.size / 50) {
            crash_files_flip(&f->crash, files[i], at);
            verify(f, (bytes){ 0 });
            if (f->report.n_faults == 0 ||
                strncmp(f->report.faults[0], files[i], strlen(files[i])) != 0) {
                fail_msg("byte %zu of %s: %zu faults", at, files[i], f->report.n_faults);
            }
            crash_files_flip(&f->crash, files[i], at);
        }
    }
}

static void missing_files_are_named(void **state)
{
    static const char *const files[] = { "checkpoint",
                                         "tile/0/000",
                                         "tile/0/002.p/188",
                                         "tile/entries/001",
                                         "tile/entries/002.p/188",
                                         "tile/1/000.p/2" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        bytes data;
        assert_status(files_read(f->files, f->arena, files[i], 1 << 20, &data), STATUS_OK);
        assert_status(files_remove(f->files, f->arena, files[i]), STATUS_OK);
        verify(f, (bytes){ 0 });
        assert_int_equal(f->report.n_faults, 1);
        assert_memory_equal(f->report.faults[0], files[i], strlen(files[i]));
        assert_status(files_replace(f->files, f->arena, files[i], data), STATUS_OK);
    }
}

static void partial_tiles_of_earlier_sizes_may_be_gone(void **state)
{
    struct fixture *f = *state;

    assert_status(files_remove(f->files, f->arena, "tile/0/000.p/7"), STATUS_OK);
    assert_status(files_remove(f->files, f->arena, "tile/entries/000.p/7"), STATUS_OK);
    verify(f, f->log.checkpoints[0]);
    assert_int_equal(f->report.n_faults, 0);
}

static void entries_and_tiles_changed_alike_do_not_deceive(void **state)
{
    static const char *const ends[] = { "", ".p/7" };
    struct fixture *f = *state;
    struct sha256 forged = merkle_leaf_hash(bytes_of("entry !"));

    /* Entry 0 is "entry 0": the bundle and the tile of the writer's own last word. */
    for (size_t i = 0; i < 2; i++) {
        const char *tile = arena_printf(f->arena, "tile/0/000%s", ends[i]);
        const char *bundle = arena_printf(f->arena, "tile/entries/000%s", ends[i]);
        struct file *file;
        assert_status(files_open(f->files, f->arena, tile, FILES_WRITE, &file), STATUS_OK);
        assert_status(file_write_at(file, f->arena, 0, sha256_bytes(&forged)), STATUS_OK);
        file_close(file);
        assert_status(files_open(f->files, f->arena, bundle, FILES_WRITE, &file), STATUS_OK);
        assert_status(file_write_at(file, f->arena, 2 + 6, bytes_of("!")), STATUS_OK);
        file_close(file);
    }
    verify(f, (bytes){ 0 });
    assert_int_equal(f->report.n_faults, 3);
    assert_string_equal(f->report.faults[0],
                        "tile/1/000.p/1: hash 0 is not the root of tile/0/000");
    assert_string_equal(f->report.faults[1],
                        "tile/1/000.p/2: hash 0 is not the root of tile/0/000");
    assert_string_equal(f->report.faults[2],
                        "checkpoint: its root is not that of the entries in tile/entries");
}

static void a_log_that_went_back_is_seen_by_who_kept_a_checkpoint(void **state)
{
    struct fixture *f = *state;

    assert_status(files_replace(f->files, f->arena, "checkpoint", f->log.checkpoints[1]),
                  STATUS_OK);
    verify(f, (bytes){ 0 });
    assert_int_equal(f->report.n_faults, 0);
    verify(f, f->log.checkpoints[2]);
    expect_fault(f, "checkpoint: its size 300 is less than an older one's, 700");
}

static void a_log_with_another_beginning_is_seen(void **state)
{
    struct fixture *f = *state;
    const struct merkle_tree other = { 7, merkle_leaf_hash(bytes_of("other")) };
    bytes forked;

    assert_status(checkpoint_sign(f->arena, &other, &f->log.signer, &forked), STATUS_OK);
    verify(f, forked);
    expect_fault(f, "checkpoint: the log no longer begins with the 7 entries of an older one");
    verify(f, bytes_of("no checkpoint"));
    assert_int_equal(f->report.n_faults, 1);
}

static void the_number_of_faults_is_bounded(void **state)
{
    struct fixture *f = *state;
    uint8_t zeros[8192] = { 0 };

    assert_status(files_replace(f->files, f->arena, "tile/0/000", (bytes){ zeros, sizeof zeros }),
                  STATUS_OK);
    verify(f, (bytes){ 0 });
    assert_int_equal(f->report.n_faults, LOG_VERIFY_MAX_FAULTS);
}

static void a_log_written_by_tessera_verifies(void **state)
{
    static const char vkey[] =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    static const char *const older[] = { "checkpoint.1", "checkpoint.7", "checkpoint.14" };
    struct fixture *f = *state;
    const char *folder = test_data(f->arena, "tessera_testlog/testdata/log");
    struct disk_files disk;
    bytes data;

    if (folder == NULL) {
        skip();
        return; /* never reached: skip() jumps away */
    }
    assert_status(disk_files_init(&disk, f->arena, folder), STATUS_OK);
    assert_status(note_verifier_parse(f->arena, bytes_of(vkey), &f->log.verifier), STATUS_OK);
    f->files = &disk.files;
    for (size_t i = 0; i < 3; i++) {
        assert_status(files_read(f->files, f->arena, older[i], 1000, &data), STATUS_OK);
        verify(f, data);
        assert_int_equal(f->report.n_faults, 0);
        assert_int_equal(f->report.checkpoint.tree.size, 15);
        assert_int_equal(f->report.n_files, 1 + 15 + 15);
    }
    disk_files_reset(&disk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_log_has_no_fault),
        TEST(a_flipped_byte_is_named),
        TEST(no_byte_of_any_file_may_change),
        TEST(missing_files_are_named),
        TEST(partial_tiles_of_earlier_sizes_may_be_gone),
        TEST(entries_and_tiles_changed_alike_do_not_deceive),
        TEST(a_log_that_went_back_is_seen_by_who_kept_a_checkpoint),
        TEST(a_log_with_another_beginning_is_seen),
        TEST(the_number_of_faults_is_bounded),
        TEST(a_log_written_by_tessera_verifies),
    };

    return cmocka_run_group_tests_name("log_verify", tests, NULL, NULL);
}
