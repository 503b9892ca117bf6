#include "loadtests/report.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

void sort_values(double *values, size_t n)
{
    qsort(values, n, sizeof values[0], compare);
}

double quantile(const double *values, size_t n, double q)
{
    size_t at = (size_t)(q * (double)n);

    return n == 0 ? 0 : values[at < n ? at : n - 1];
}

double median(double *values, size_t n)
{
    sort_values(values, n);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Where there is no peer and no limit, the bar. */
static double reference_of(const struct finding *finding)
{
    return finding->reference > 0 ? finding->reference : finding->bar_at;
}

static double ratio_of(const struct finding *finding)
{
    double reference = reference_of(finding);

    return reference > 0 ? finding->value / reference : 0;
}

static const char *verdict(const struct finding *finding)
{
    switch (finding->bar) {
    case BAR_RATIO:
        return ratio_of(finding) >= finding->bar_at ? "met" : "missed";
    case BAR_LEAST:
        return finding->value >= finding->bar_at ? "met" : "missed";
    case BAR_MOST:
        return finding->value <= finding->bar_at ? "met" : "missed";
    default:
        return "";
    }
}

/* What there is none of is null. */
static void add_number(const char *name, bool is_there, double value)
{
    if (is_there) {
        printf(",\"%s\":%.6g", name, value);
    } else {
        printf(",\"%s\":null", name);
    }
}

static void report_json(const struct finding *finding)
{
    bool has_peer = finding->reference > 0;
    bool has_reference = reference_of(finding) > 0;
    bool has_bar = finding->bar != BAR_NONE;

    printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"", finding->name, finding->value,
           finding->unit);
    add_number("reference", has_reference, reference_of(finding));
    printf(",\"reference_name\":\"%s\"", has_peer        ? finding->reference_name
                                         : has_reference ? "the bar"
                                                         : "");
    add_number("ratio", has_reference, ratio_of(finding));
    add_number("bar", has_bar, finding->bar_at);
    printf(",\"verdict\":\"%s\",\"command\":\"%s\"}\n", verdict(finding), finding->command);
}

static void report_text(const struct finding *finding)
{
    const char *sign = finding->bar == BAR_MOST    ? "<="
                       : finding->bar == BAR_RATIO ? "ratio >="
                                                   : ">=";

    printf("%-24s %12.*f %-10s", finding->name, finding->value < 100 ? 2 : 0, finding->value,
           finding->unit);
    if (finding->bar != BAR_NONE) {
        printf("  %s %g: %-6s", sign, finding->bar_at, verdict(finding));
    }
    if (finding->reference > 0) {
        printf("  %.2f of %.*f (%s)", ratio_of(finding), finding->reference < 100 ? 2 : 0,
               finding->reference, finding->reference_name);
    }
    printf("\n");
}

void report(const struct finding *finding)
{
    const char *output = getenv("WEFT_OUTPUT");

    if (output != NULL && strcmp(output, "json") == 0) {
        report_json(finding);
    } else {
        report_text(finding);
    }
    (void)fflush(stdout);
}
