#include "loadtests/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What report() prints of a finding; read back from a file that takes the place of the output. */
static void print(const struct finding *finding, char *line, size_t size)
{
    FILE *file = tmpfile();
    int before = dup(STDOUT_FILENO);

    assert_non_null(file);
    (void)fflush(stdout);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    report(finding);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    (void)close(before);
    rewind(file);
    line[fread(line, 1, size - 1, file)] = '\0';
    (void)fclose(file);
}

static void a_finding_is_one_json_object_with_its_ratio(void **state)
{
    const struct finding finding = { .name = "echo.inline",
                                     .value = 90,
                                     .unit = "calls/s",
                                     .reference = 100,
                                     .reference_name = "bare",
                                     .bar = BAR_RATIO,
                                     .bar_at = 0.85,
                                     .command = "./weft bench echo" };
    char line[512];

    (void)state;
    (void)setenv("WEFT_OUTPUT", "json", 1);
    print(&finding, line, sizeof line);
    assert_string_equal(line, "{\"name\":\"echo.inline\",\"value\":90,\"unit\":\"calls/s\","
                              "\"reference\":100,\"reference_name\":\"bare\",\"ratio\":0.9,"
                              "\"bar\":0.85,\"verdict\":\"met\","
                              "\"command\":\"./weft bench echo\"}\n");
}

static void with_nothing_beside_it_the_bar_is_the_reference(void **state)
{
    const struct finding finding = {
        .name = "start", .value = 4500, .unit = "ms", .bar = BAR_MOST, .bar_at = 3000, .command = ""
    };
    char line[512];

    (void)state;
    (void)setenv("WEFT_OUTPUT", "json", 1);
    print(&finding, line, sizeof line);
    assert_non_null(
        strstr(line, "\"reference\":3000,\"reference_name\":\"the bar\",\"ratio\":1.5"));
    assert_non_null(strstr(line, "\"verdict\":\"missed\""));
}

static void what_there_is_none_of_is_null(void **state)
{
    const struct finding finding = { .name = "p50", .value = 1.5, .unit = "ms", .command = "" };
    char line[512];

    (void)state;
    (void)setenv("WEFT_OUTPUT", "json", 1);
    print(&finding, line, sizeof line);
    assert_non_null(strstr(line, "\"reference\":null"));
    assert_non_null(strstr(line, "\"ratio\":null,\"bar\":null,\"verdict\":\"\""));
}

static void people_read_a_line(void **state)
{
    const struct finding finding = { .name = "ingest",
                                     .value = 6000,
                                     .unit = "records/s",
                                     .bar = BAR_LEAST,
                                     .bar_at = 5000,
                                     .command = "" };
    char line[512];

    (void)state;
    (void)setenv("WEFT_OUTPUT", "table", 1);
    print(&finding, line, sizeof line);
    assert_non_null(strstr(line, "6000 records/s"));
    assert_non_null(strstr(line, ">= 5000: met"));
}

static void quantiles_are_of_sorted_values(void **state)
{
    double values[] = { 5, 1, 4, 2, 3 };

    (void)state;
    sort_values(values, 5);
    assert_float_equal(quantile(values, 5, 0.5), 3, 0);
    assert_float_equal(quantile(values, 5, 0.99), 5, 0);
    assert_float_equal(quantile(values, 5, 1), 5, 0);
    assert_float_equal(median(values, 4), 2.5, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finding_is_one_json_object_with_its_ratio),
        cmocka_unit_test(with_nothing_beside_it_the_bar_is_the_reference),
        cmocka_unit_test(what_there_is_none_of_is_null),
        cmocka_unit_test(people_read_a_line),
        cmocka_unit_test(quantiles_are_of_sorted_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
