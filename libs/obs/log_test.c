#include "libs/obs/log.h"

#include "libs/base/text.h"
#include "libs/obs/metrics.h"
#include "libs/testing/fake_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct fake_clock clock;
    struct log *log;
    int fd;
    char text[4 * LOG_LINE_BYTES];
};

static struct log *make_log(struct fixture *f, int fd)
{
    return log_new(&(struct log_options){
        .service = "tenant",
        .clock = &f->clock.clock,
        .level = LEVEL_INFO,
        .fd = fd,
    });
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    fake_clock_init(&f->clock, INT64_C(1795265941204));
    f->fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(f->fd > 0);
    f->log = make_log(f, f->fd);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    log_free(f->log);
    close(f->fd);
    free(f);
    return 0;
}

/* All that was written. */
static const char *written(struct fixture *f)
{
    ssize_t n = pread(f->fd, f->text, sizeof f->text - 1, 0);

    assert_true(n >= 0);
    f->text[n] = '\0';
    return f->text;
}

/* The one line that was written; the caller has json_decref() to call. */
static json_t *line(struct fixture *f)
{
    const char *text = written(f);
    json_error_t error;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);

    if (object == NULL) {
        fail_msg("'%s': %s", text, error.text);
        abort();
    }
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    return object;
}

static void a_line_says_when_who_and_what(void **state)
{
    struct fixture *f = *state;
    struct trace_context trace;

    assert_true(traceparent_parse(
        bytes_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), &trace));
    LOG(f->log, LEVEL_WARN, &trace, "peer is slow", log_text("peer", "audit"), log_int("ms", -812),
        log_real("ratio", 0.25), log_bool("again", true), log_text("none", NULL));
    assert_string_equal(
        written(f),
        "{\"time\":\"2026-11-21T12:59:01.204Z\",\"level\":\"warn\",\"service\":\"tenant\","
        "\"msg\":\"peer is slow\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
        "\"span_id\":\"00f067aa0ba902b7\",\"peer\":\"audit\",\"ms\":-812,\"ratio\":0.25,"
        "\"again\":true,\"none\":null}\n");
}

static void a_message_alone_is_enough(void **state)
{
    struct fixture *f = *state;

    LOG(f->log, LEVEL_INFO, NULL, "started");
    assert_string_equal(written(f), "{\"time\":\"2026-11-21T12:59:01.204Z\",\"level\":\"info\","
                                    "\"service\":\"tenant\",\"msg\":\"started\"}\n");
}

static struct log_field count(int *n)
{
    ++*n;
    return log_int("n", *n);
}

static void a_level_that_is_off_evaluates_no_field(void **state)
{
    struct fixture *f = *state;
    enum log_level level;
    int n = 0;

    LOG(f->log, LEVEL_DEBUG, NULL, "detail", count(&n));
    LOG((struct log *)NULL, LEVEL_ERROR, NULL, "nowhere", count(&n));
    assert_int_equal(n, 0);
    assert_true(log_level_parse("debug", &level));
    log_set_level(f->log, level);
    LOG(f->log, LEVEL_DEBUG, NULL, "detail", count(&n));
    assert_int_equal(n, 1);
    assert_non_null(strstr(written(f), "\"level\":\"debug\""));
    assert_false(log_level_parse("loud", &level));
}

static void what_is_no_text_and_no_number_is_json_all_the_same(void **state)
{
    struct fixture *f = *state;

    LOG(f->log, LEVEL_INFO, NULL, "quote \" and \n newline",
        log_bytes("raw", (bytes){ (const uint8_t *)"\xff\x00z", 3 }),
        log_bytes("empty", (bytes){ .data = NULL }), log_real("nan", 0.0 / 0.0));
    json_t *object = line(f);
    assert_string_equal(json_string_value(json_object_get(object, "msg")),
                        "quote \" and \n newline");
    assert_string_equal(json_string_value(json_object_get(object, "empty")), "");
    assert_true(json_is_null(json_object_get(object, "nan")));
    json_decref(object);
}

static void a_secret_is_a_fingerprint_that_differs_by_process(void **state)
{
    struct fixture *f = *state;
    const bytes key = bytes_of("weft_k1_hunter2hunter2");
    struct log *other = make_log(f, f->fd);

    LOG(f->log, LEVEL_INFO, NULL, "a", log_secret("key", key));
    LOG(f->log, LEVEL_INFO, NULL, "b", log_secret("key", key));
    LOG(other, LEVEL_INFO, NULL, "c", log_secret("key", key));
    log_free(other);
    assert_null(strstr(written(f), "hunter2"));
    const char *first = strstr(f->text, "\"key\":\"");
    const char *second = strstr(first + 1, "\"key\":\"");
    const char *third = strstr(second + 1, "\"key\":\"");
    assert_memory_equal(first + 15, "\"}\n", 3); /* eight digits */
    assert_memory_equal(first, second, 16);
    assert_memory_not_equal(first, third, 16);
}

static void a_long_line_is_cut_and_says_so(void **state)
{
    struct fixture *f = *state;
    static char text[2 * LOG_LINE_BYTES];
    static const char fillers[] = "a\"\x01"; /* 1, 2 and 6 bytes each in JSON */

    for (size_t size = LOG_LINE_BYTES / 6 - 60; size < sizeof text; size = size * 8 / 7 + 1) {
        for (int i = 0; i < 3; i++) {
            assert_int_equal(ftruncate(f->fd, 0), 0);
            assert_int_equal(lseek(f->fd, 0, SEEK_SET), 0);
            LOG(f->log, LEVEL_INFO, NULL, "long",
                log_bytes("text", (bytes){ memset(text, fillers[i], size), size }),
                log_int("after", INT64_MIN));
            json_t *object = line(f);
            bool cut = json_is_true(json_object_get(object, "cut"));
            assert_true(strlen(f->text) <= LOG_LINE_BYTES);
            assert_int_equal(cut, json_object_get(object, "after") == NULL);
            assert_true(cut || strlen(f->text) > size);
            json_decref(object);
        }
    }
    assert_true(strlen(f->text) >
                LOG_LINE_BYTES - 8); /* the last was cut, but no more than need be */
}

static void a_long_message_keeps_its_trace(void **state)
{
    struct fixture *f = *state;
    static char message[2 * LOG_LINE_BYTES];
    struct trace_context trace = { .trace_id = { 1 }, .span_id = { 2 } };

    memset(message, 'm', sizeof message - 1);
    LOG(f->log, LEVEL_INFO, &trace, message, log_int("n", 1));
    json_t *object = line(f);
    assert_true(json_is_true(json_object_get(object, "cut")));
    assert_string_equal(json_string_value(json_object_get(object, "span_id")), "0200000000000000");
    assert_true(strlen(f->text) <= LOG_LINE_BYTES);
    json_decref(object);
}

static void a_line_that_cannot_be_written_is_counted_and_changes_no_errno(void **state)
{
    struct fixture *f = *state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct log *log = make_log(f, full);
    uint64_t before = counter_value(COUNTER_log_lines_lost, NULL);

    errno = EDOM;
    LOG(log, LEVEL_ERROR, NULL, "lost");
    assert_int_equal(errno, EDOM);
    assert_int_equal(counter_value(COUNTER_log_lines_lost, NULL), before + 1);
    log_free(log);
    close(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_says_when_who_and_what, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_alone_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_level_that_is_off_evaluates_no_field, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_text_and_no_number_is_json_all_the_same, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_secret_is_a_fingerprint_that_differs_by_process, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut_and_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_message_keeps_its_trace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_line_that_cannot_be_written_is_counted_and_changes_no_errno, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
