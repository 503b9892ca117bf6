#include "loadtests/report.h"

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

static void report_json(const struct finding *finding)
{
    const char *name = finding->reference > 0 ? finding->reference_name
                       : finding->bar_at > 0  ? "the bar"
                                              : "";

    printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"reference\":%.6g,"
           "\"reference_name\":\"%s\",\"ratio\":%.4f,\"bar\":%.6g,\"verdict\":\"%s\","
           "\"command\":\"%s\"}\n",
           finding->name, finding->value, finding->unit, reference_of(finding), name,
           ratio_of(finding), finding->bar_at, verdict(finding), finding->command);
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
