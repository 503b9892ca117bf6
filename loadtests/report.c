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

static const char *verdict(const struct finding *finding, double ratio)
{
    if (finding->bar == 0) {
        return "";
    }
    bool met = finding->at_most         ? finding->value <= finding->bar
               : finding->reference > 0 ? ratio >= finding->bar
                                        : finding->value >= finding->bar;
    return met ? "met" : "missed";
}

void report(const struct finding *finding)
{
    const char *output = getenv("WEFT_OUTPUT");
    double ratio = finding->reference > 0 ? finding->value / finding->reference : 0;

    if (output != NULL && strcmp(output, "json") == 0) {
        printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"reference\":%.6g,"
               "\"ratio\":%.4f,\"bar\":%.6g,\"verdict\":\"%s\",\"command\":\"%s\"}\n",
               finding->name, finding->value, finding->unit, finding->reference, ratio,
               finding->bar, verdict(finding, ratio), finding->command);
    } else {
        printf("%-28s %12.1f %-10s", finding->name, finding->value, finding->unit);
        if (finding->reference > 0) {
            printf("  %.2f of %.1f (%s)", ratio, finding->reference,
                   finding->reference_name != NULL ? finding->reference_name : "reference");
        }
        if (finding->bar != 0) {
            printf("  bar %s %g: %s", finding->at_most ? "<=" : ">=", finding->bar,
                   verdict(finding, ratio));
        }
        printf("\n");
    }
    (void)fflush(stdout);
}
