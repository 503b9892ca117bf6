#include "services/audit/wal.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/tlog/tile.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct crash_files crash;
    struct files *files;
    struct wal wal;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new(), .files = &f.crash.files };
    crash_files_init(&f.crash);
    wal_init(&f.wal, f.files);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wal_reset(&f->wal);
    crash_files_reset(&f->crash);
    arena_free(f->arena);
    return 0;
}

/* A batch of the words in text. */
static status append(struct fixture *f, uint64_t first, const char *words)
{
    struct text batch = text_new(f->arena);

    while (words[0] != '\0') {
        size_t size = strcspn(words, " ");
        bundle_add(&batch, (bytes){ (const uint8_t *)words, size });
        words += size + strspn(words + size, " ");
    }
    return wal_append(&f->wal, f->arena, first, text_bytes(&batch));
}

struct text_sink {
    struct wal_sink sink;
    struct text text;
};

static void add_word(struct wal_sink *sink, bytes leaf)
{
    struct text_sink *self = (struct text_sink *)sink;

    text_add_bytes(&self->text, leaf);
    text_add(&self->text, " ");
}

/* The leaves from a number on, each followed by a space. */
static const char *replay(struct fixture *f, uint64_t from)
{
    struct text_sink sink = { { add_word }, text_new(f->arena) };

    assert_status(wal_replay(f->files, f->arena, from, &sink.sink), STATUS_OK);
    return text_string(&sink.text);
}

static status replay_status(struct fixture *f, uint64_t from)
{
    struct text_sink sink = { { add_word }, text_new(f->arena) };

    return wal_replay(f->files, f->arena, from, &sink.sink);
}

static size_t n_files(struct fixture *f)
{
    struct files_names names;

    assert_status(files_list(f->files, f->arena, WAL_FOLDER, &names), STATUS_OK);
    return names.n_names;
}

static void what_was_appended_is_replayed_from_any_number(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(replay(f, 0), "");
    assert_status(append(f, 0, "zero one"), STATUS_OK);
    assert_status(append(f, 2, "two"), STATUS_OK);
    wal_rotate(&f->wal);
    assert_status(append(f, 3, "three four"), STATUS_OK);
    assert_int_equal(n_files(f), 2);
    crash_files_crash(&f->crash);
    assert_string_equal(replay(f, 0), "zero one two three four ");
    assert_string_equal(replay(f, 1), "one two three four ");
    assert_string_equal(replay(f, 4), "four ");
    assert_string_equal(replay(f, 9), "");
}

static void a_torn_batch_ends_the_replay(void **state)
{
    struct fixture *f = *state;

    assert_status(append(f, 0, "zero one"), STATUS_OK);
    assert_status(append(f, 2, "two three"), STATUS_OK);
    crash_files_flip(&f->crash, ".state/wal.00000000000000000000", 36 + 11 + 36 + 3);
    assert_string_equal(replay(f, 0), "zero one ");
}

static void what_failed_does_not_count_once_the_next_is_there(void **state)
{
    struct fixture *f = *state;

    assert_status(append(f, 0, "zero"), STATUS_OK);
    f->crash.fail_operation = (unsigned)f->crash.n_operations + 2; /* its sync: it was written */
    assert_status(append(f, 1, "failed"), STATUS_UNAVAILABLE);
    assert_string_equal(replay(f, 0), "zero failed "); /* nobody was told that it is there */
    assert_status(append(f, 1, "one"), STATUS_OK);
    assert_int_equal(n_files(f), 2);
    assert_string_equal(replay(f, 0), "zero one ");
}

static void a_first_batch_that_failed_leaves_a_name_that_is_used_again(void **state)
{
    struct fixture *f = *state;

    assert_status(append(f, 0, "zero"), STATUS_OK);
    wal_rotate(&f->wal);
    f->crash.full = true;
    assert_status(append(f, 1, "failed"), STATUS_RESOURCE_EXHAUSTED);
    f->crash.full = false;
    assert_status(append(f, 1, "one"), STATUS_OK);
    crash_files_crash(&f->crash);
    assert_string_equal(replay(f, 0), "zero one ");
}

static void a_gap_is_noticed(void **state)
{
    struct fixture *f = *state;

    assert_status(append(f, 5, "five"), STATUS_OK);
    wal_rotate(&f->wal);
    assert_status(append(f, 8, "eight"), STATUS_OK);
    assert_status(replay_status(f, 0), STATUS_DATA_LOSS);
    assert_status(replay_status(f, 5), STATUS_DATA_LOSS);
    assert_string_equal(replay(f, 8), "eight ");
}

static void files_that_are_integrated_go(void **state)
{
    struct fixture *f = *state;

    assert_status(append(f, 0, "zero one"), STATUS_OK);
    wal_rotate(&f->wal);
    assert_status(append(f, 2, "two"), STATUS_OK);
    wal_rotate(&f->wal);
    assert_status(append(f, 3, "three"), STATUS_OK);
    assert_status(wal_drop(f->files, f->arena, 1), STATUS_OK);
    assert_int_equal(n_files(f), 3);
    assert_status(wal_drop(f->files, f->arena, 2), STATUS_OK);
    assert_int_equal(n_files(f), 2);
    assert_status(wal_drop(f->files, f->arena, 100), STATUS_OK);
    assert_int_equal(n_files(f), 1); /* the last is still written to */
    assert_string_equal(replay(f, 3), "three ");
}

static void other_files_in_the_folder_are_left_alone(void **state)
{
    static const char *const names[] = { ".state/wal.1", ".state/wal.0000000000000000000x",
                                         ".state/wal.99999999999999999999", ".state/other" };
    struct fixture *f = *state;

    assert_status(append(f, 0, "zero"), STATUS_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_status(files_replace(f->files, f->arena, names[i], bytes_of("x")), STATUS_OK);
    }
    assert_string_equal(replay(f, 0), "zero ");
    assert_status(wal_drop(f->files, f->arena, 100), STATUS_OK);
    assert_int_equal(n_files(f), 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_appended_is_replayed_from_any_number),
        TEST(a_torn_batch_ends_the_replay),
        TEST(what_failed_does_not_count_once_the_next_is_there),
        TEST(a_first_batch_that_failed_leaves_a_name_that_is_used_again),
        TEST(a_gap_is_noticed),
        TEST(files_that_are_integrated_go),
        TEST(other_files_in_the_folder_are_left_alone),
    };

    return cmocka_run_group_tests_name("wal", tests, NULL, NULL);
}
