/* report - what a benchmark found: a line for people, or one JSON object a line for programs. */

#ifndef LOADTESTS_REPORT_H_
#define LOADTESTS_REPORT_H_

#include "libs/base/attributes.h"

#include <stddef.h>

enum bar {
    BAR_NONE,
    BAR_RATIO, /* of value to reference, at least */
    BAR_LEAST, /* of value */
    BAR_MOST,  /* of value: smaller is better */
};

struct finding {
    const char *name; /* "echo.inline" */
    double value;
    const char *unit;           /* "calls/s" */
    double reference;           /* of the peer or the limit, in the same unit; 0: the bar */
    const char *reference_name; /* "bare C core" */
    enum bar bar;
    double bar_at;
    const char *command; /* how to get it again */
};

/* As JSON when the environment's WEFT_OUTPUT is "json". */
void report(const struct finding *finding) NONNULL;

/* The median; sorts values. */
double median(double *values, size_t n) NONNULL;
/* The value below which q (0 to 1) of all lie; values are sorted. */
double quantile(const double *values, size_t n, double q) NONNULL;
void sort_values(double *values, size_t n) NONNULL;

#endif
