#include "libs/obs/metrics_page.h"

#include "libs/base/arena.h"
#include "libs/obs/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static const char *page_of(struct arena *arena)
{
    struct text page = text_new(arena);

    metrics_page(&page);
    return text_string(&page);
}

static void assert_shows(const char *page, const char *want)
{
    if (strstr(page, want) == NULL) {
        fail_msg("'%s' is not in:\n%s", want, page);
    }
}

static void the_page_shows_what_was_counted_and_nothing_else(void **state)
{
    counter_add(COUNTER_log_lines_lost, 2);
    gauge_set_of(GAUGE_ready, (struct labels){ .name = metric_label_of("a \"b\\\n") }, -1);
    const char *page = page_of(*state);

    assert_shows(page, "# HELP weft_log_lines_lost_total Log lines that could not be written, "
                       "mostly because a disk is "
                       "full.\n"
                       "# TYPE weft_log_lines_lost_total counter\n"
                       "weft_log_lines_lost_total 2\n");
    assert_shows(page, "\nweft_ready{dependency=\"a \\\"b\\\\\\n\"} -1\n");
    assert_null(strstr(page, "weft_calls_in_flight"));
}

static void a_histogram_is_cumulative_and_in_seconds(void **state)
{
    struct labels labels = {
        .method = metric_label_of("weft.tenant.v1.TenantService/GetTenant"),
        .target = metric_label_of("xds:///tenant"),
        .code = STATUS_NOT_FOUND,
    };

    histogram_record_of(HISTOGRAM_client_attempt_duration, labels, 7);
    histogram_record_of(HISTOGRAM_client_attempt_duration, labels, 250000);
    histogram_record_of(HISTOGRAM_client_attempt_duration, labels, 500000000);
    const char *page = page_of(*state);

#define NAME "grpc_client_attempt_duration_seconds"
#define LABELS                                                \
    "grpc_method=\"weft.tenant.v1.TenantService/GetTenant\"," \
    "grpc_target=\"xds:///tenant\",grpc_status=\"NOT_FOUND\""
    assert_shows(page, "# TYPE " NAME " histogram\n" NAME "_bucket{" LABELS ",le=\"0\"} 0\n");
    assert_shows(page, NAME "_bucket{" LABELS ",le=\"1e-05\"} 1\n");
    assert_shows(page, NAME "_bucket{" LABELS ",le=\"0.2\"} 1\n");
    assert_shows(page, NAME "_bucket{" LABELS ",le=\"0.25\"} 2\n");
    assert_shows(page, NAME "_bucket{" LABELS ",le=\"100\"} 2\n");
    assert_shows(page, NAME "_bucket{" LABELS ",le=\"+Inf\"} 3\n" NAME "_sum{" LABELS
                            "} 500.250007\n" NAME "_count{" LABELS "} 3\n");
}

static void sizes_are_shown_in_whole_bytes(void **state)
{
    struct labels labels = { .method = metric_label_of("T/Put") };

    histogram_record_of(HISTOGRAM_server_call_rcvd, labels, INT64_C(5000000000));
    const char *page = page_of(*state);
    assert_shows(page, "grpc_status=\"OK\",le=\"4294967296\"} 0\n");
    assert_shows(page, "_sum{grpc_method=\"T/Put\",grpc_status=\"OK\"} 5000000000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_page_shows_what_was_counted_and_nothing_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_histogram_is_cumulative_and_in_seconds, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sizes_are_shown_in_whole_bytes, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("metrics_page", tests, NULL, NULL);
}
