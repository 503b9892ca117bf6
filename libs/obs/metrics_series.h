/* metrics_series - how metrics.c keeps its numbers, for metrics_page.c; nobody else's business. */

#ifndef LIBS_OBS_METRICS_SERIES_H_
#define LIBS_OBS_METRICS_SERIES_H_

#include "libs/obs/metrics.h"

#include <stdatomic.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* A row of one of the lists. */
struct metric {
    enum metric_type type;
    enum label_set labels;
    enum metric_unit unit; /* of a histogram */
    const char *name;
    const char *help;
};

/* One combination of labels.  Never freed. */
struct series {
    uint64_t key; /* the labels, packed */
    struct labels labels;
    struct series *_Atomic next; /* of the same metric, in the order of their first touch */
    _Alignas(64) _Atomic uint64_t cells[];
};

/* All counters, then all gauges, then all histograms. */
enum {
    FIRST_GAUGE = COUNTER_COUNT,
    FIRST_HISTOGRAM = FIRST_GAUGE + GAUGE_COUNT,
    N_METRICS = FIRST_HISTOGRAM + HISTOGRAM_COUNT,
};

extern const struct metric metrics[N_METRICS];

/* For going through a metric's series; NULL at the end. */
const struct series *metric_first_series(int metric);
const struct series *series_next(const struct series *series) NONNULL;

/* One cell of a series, over all threads. */
uint64_t series_cell(int metric, const struct series *series, size_t cell) NONNULL;
struct histogram_values histogram_nothing(enum metric_unit unit);
/* Adds to values. */
void series_histogram(int metric, const struct series *series, struct histogram_values *values)
    NONNULL;
const char *metric_label_text(metric_label label);

#endif
