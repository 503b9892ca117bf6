#include "services/search/write_log.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"

#include <string.h>

struct fixture {
    struct crash_files files;
    struct arena *arena;
    struct write_log *log;
    struct text read; /* payloads that were replayed */
};

static status note(void *data, struct arena *arena, struct log_frame frame)
{
    struct fixture *f = data;

    (void)arena;
    text_add_bytes(&f->read, frame.payload);
    return status_ok();
}

static status open_log(struct fixture *f, uint64_t after)
{
    f->read = text_new(f->arena);
    return write_log_open(&f->files.files, f->arena, after, note, f, &f->log);
}

/* What a start reads. */
static const char *reread(struct fixture *f, uint64_t after)
{
    write_log_close(f->log);
    f->log = NULL;
    assert_status(open_log(f, after), STATUS_OK);
    return text_string(&f->read);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    crash_files_init(&f->files);
    f->arena = arena_new();
    assert_status(open_log(f, 0), STATUS_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    write_log_close(f->log);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    free(f);
    return 0;
}

static status append(struct fixture *f, const char *payload)
{
    return write_log_append(f->log, f->arena, bytes_of(payload));
}

static void append_all(struct fixture *f, const char *payloads)
{
    for (; *payloads != '\0'; payloads++) {
        assert_status(write_log_append(f->log, f->arena, (bytes){ (const uint8_t *)payloads, 1 }),
                      STATUS_OK);
    }
}

static void frames_come_back_in_order(void **state)
{
    struct fixture *f = *state;

    append_all(f, "abc");
    assert_string_equal(reread(f, 0), "abc");
    append_all(f, "de"); /* in a file of their own */
    assert_string_equal(reread(f, 0), "abcde");
    assert_string_equal(reread(f, 3), "de");
    assert_int_equal(write_log_last(f->log), 5);
}

static void what_is_forgotten_is_gone_and_the_rest_stays(void **state)
{
    struct fixture *f = *state;
    struct files_names names;

    append_all(f, "ab");
    write_log_rotate(f->log);
    append_all(f, "cd");
    write_log_rotate(f->log);
    append_all(f, "e");
    assert_status(write_log_forget(f->log, f->arena, 3), STATUS_OK); /* c and d share a file */
    assert_string_equal(reread(f, 3), "de");
    write_log_rotate(f->log);
    assert_status(write_log_forget(f->log, f->arena, 5), STATUS_OK);
    assert_status(files_list(&f->files.files, f->arena, LOG_FOLDER, &names), STATUS_OK);
    assert_int_equal(names.n_names, 0);
    assert_int_equal(write_log_bytes(f->log), 0);
    append_all(f, "f");
    assert_string_equal(reread(f, 5), "f");
}

static void a_failed_write_is_left_behind(void **state)
{
    struct fixture *f = *state;

    append_all(f, "ab");
    f->files.full = true;
    assert_status(append(f, "x"), STATUS_RESOURCE_EXHAUSTED);
    assert_status(append(f, "y"), STATUS_RESOURCE_EXHAUSTED);
    f->files.full = false;
    append_all(f, "cd");
    assert_string_equal(reread(f, 0), "abcd");
}

static void a_failed_sync_is_left_behind(void **state)
{
    struct fixture *f = *state;

    append_all(f, "ab");
    f->files.fail_operation = (unsigned)f->files.n_operations + 2;
    assert_status(append(f, "x"), STATUS_UNAVAILABLE);
    append_all(f, "cd");
    write_log_close(f->log);
    f->log = NULL;
    crash_files_crash(&f->files);
    assert_string_equal(reread(f, 0), "abcd");
}

/* Frames begin at byte 20 of a file, and have 20 bytes and a payload. */
static const char first_file[] = LOG_FOLDER "/0000000000000000";

static void a_torn_tail_is_cut(void **state)
{
    struct fixture *f = *state;

    append_all(f, "ab");
    write_log_close(f->log);
    f->log = NULL;
    crash_files_flip(&f->files, first_file, 20 + 21 + 5); /* in the last frame */
    assert_string_equal(reread(f, 0), "a");
    append_all(f, "c");
    assert_string_equal(reread(f, 0), "ac");
}

static void expect_loss(struct fixture *f, uint64_t flipped)
{
    write_log_close(f->log);
    f->log = NULL;
    crash_files_flip(&f->files, first_file, flipped);
    status s = open_log(f, 0);
    assert_status(s, STATUS_DATA_LOSS);
    assert_non_null(strstr(s.message, first_file));
    assert_status(open_log(f, 9), STATUS_OK); /* unless it is not needed any more */
}

static void rot_before_a_whole_frame_is_no_torn_tail(void **state)
{
    append_all(*state, "abc");
    expect_loss(*state, 20 + 21 + 5);
}

static void rot_before_another_file_is_no_torn_tail(void **state)
{
    struct fixture *f = *state;

    append_all(f, "a");
    write_log_rotate(f->log);
    append_all(f, "b");
    expect_loss(f, 20 + 5);
}

static void a_broken_head_is_found(void **state)
{
    append_all(*state, "a");
    expect_loss(*state, 3);
}

static void a_missing_file_is_found(void **state)
{
    struct fixture *f = *state;

    append_all(f, "a");
    write_log_rotate(f->log);
    append_all(f, "b");
    write_log_close(f->log);
    f->log = NULL;
    assert_status(files_remove(&f->files.files, f->arena, first_file), STATUS_OK);
    assert_status(open_log(f, 0), STATUS_DATA_LOSS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_come_back_in_order),
        TEST(what_is_forgotten_is_gone_and_the_rest_stays),
        TEST(a_failed_write_is_left_behind),
        TEST(a_failed_sync_is_left_behind),
        TEST(a_torn_tail_is_cut),
        TEST(rot_before_a_whole_frame_is_no_torn_tail),
        TEST(rot_before_another_file_is_no_torn_tail),
        TEST(a_broken_head_is_found),
        TEST(a_missing_file_is_found),
    };

    return cmocka_run_group_tests_name("write_log", tests, NULL, NULL);
}
