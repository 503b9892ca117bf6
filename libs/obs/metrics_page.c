#include "libs/obs/metrics_page.h"

#include "libs/obs/metrics_series.h"

#include <inttypes.h>

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

static const struct {
    const char *first;
    const char *target;
    bool code;
} label_names[] = {
#define X(set, first_, target_, code_) [LABELS_##set] = { (first_), (target_), (code_) },
    LABEL_SETS(X)
#undef X
};

/* Text format 0.0.4: in a label's value \, " and newline are escaped. */
static void add_label(struct text *page, const char **separator, const char *name,
                      const char *value)
{
    text_add(page, "%s%s=\"", *separator, name);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\n') {
            text_add(page, "\\n");
        } else {
            text_add(page, *at == '\\' || *at == '"' ? "\\%c" : "%c", *at);
        }
    }
    text_add(page, "\"");
    *separator = ",";
}

/* {grpc_method="...",grpc_status="OK",le="0.1"}, or nothing.  le is NULL where there is none. */
static void add_labels(struct text *page, enum label_set set, const struct labels *labels,
                       const char *le)
{
    const char *separator = "{";

    if (label_names[set].first != NULL) {
        add_label(page, &separator, label_names[set].first, metric_label_text(labels->method));
    }
    if (label_names[set].target != NULL) {
        add_label(page, &separator, label_names[set].target, metric_label_text(labels->target));
    }
    if (label_names[set].code) {
        add_label(page, &separator, "grpc_status", status_code_name(labels->code));
    }
    if (le != NULL) {
        add_label(page, &separator, "le", le);
    }
    text_add(page, "%s", *separator == ',' ? "}" : "");
}

static double shown(enum metric_unit unit, uint64_t value)
{
    return unit == METRIC_SECONDS ? (double)value / 1e6 : (double)value;
}

static void add_histogram(struct text *page, int metric, const struct series *series)
{
    const struct metric *row = &metrics[metric];
    struct histogram_values values = histogram_nothing(row->unit);
    struct arena *arena = page->arena;
    uint64_t below = 0;

    series_histogram(metric, series, &values);
    for (size_t i = 0; i < values.n_buckets; i++) {
        bool is_last = i + 1 == values.n_buckets;
        const char *le =
            is_last ? "+Inf" : arena_printf(arena, "%.10g", shown(row->unit, values.bounds[i]));
        below += values.buckets[i];
        text_add(page, "%s_bucket", row->name);
        add_labels(page, row->labels, &series->labels, le);
        text_add(page, " %" PRIu64 "\n", below);
    }
    text_add(page, "%s_sum", row->name);
    add_labels(page, row->labels, &series->labels, NULL);
    text_add(page, row->unit == METRIC_SECONDS ? " %.6f\n" : " %.0f\n",
             shown(row->unit, values.sum));
    text_add(page, "%s_count", row->name);
    add_labels(page, row->labels, &series->labels, NULL);
    text_add(page, " %" PRIu64 "\n", values.count);
}

static void add_number(struct text *page, int metric, const struct series *series)
{
    uint64_t value = series_cell(metric, series, 0);

    text_add(page, "%s", metrics[metric].name);
    add_labels(page, metrics[metric].labels, &series->labels, NULL);
    if (metrics[metric].type == METRIC_GAUGE) {
        text_add(page, " %" PRId64 "\n", (int64_t)value);
    } else {
        text_add(page, " %" PRIu64 "\n", value);
    }
}

void metrics_page(struct text *page)
{
    for (int i = 0; i < N_METRICS; i++) {
        const struct series *series = metric_first_series(i);
        if (series != NULL) {
            text_add(page, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].help,
                     metrics[i].name, type_names[metrics[i].type]);
        }
        for (; series != NULL; series = series_next(series)) {
            if (metrics[i].type == METRIC_HISTOGRAM) {
                add_histogram(page, i, series);
            } else {
                add_number(page, i, series);
            }
        }
    }
}
