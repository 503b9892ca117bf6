/* report - what a benchmark found: a line for people, or one JSON object a line for programs. */

#ifndef LOADTESTS_REPORT_H_
#define LOADTESTS_REPORT_H_

#include "libs/base/attributes.h"

#include <stdbool.h>
#include <stddef.h>

struct finding {
    const char *name; /* "echo.inline" */
    double value;
    const char *unit;           /* "calls/s" */
    double reference;           /* of the peer or the limit, in the same unit; 0: none */
    const char *reference_name; /* "bare C core"; NULL: none */
    double bar;                 /* the least ratio, or with at_most the greatest value; 0: none */
    bool at_most;               /* smaller is better */
    const char *command;        /* how to get it again */
};

/* As -o json when the environment's WEFT_OUTPUT is "json". */
void report(const struct finding *finding) NONNULL;

/* The median; sorts values. */
double median(double *values, size_t n) NONNULL;
/* The value below which q (0 to 1) of all lie; values are sorted. */
double quantile(const double *values, size_t n, double q) NONNULL;
void sort_values(double *values, size_t n) NONNULL;

#endif
