#include "cli/trace_tree.h"

#include "libs/base/status.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 24 };

struct tree {
    struct output *output;
    struct arena *arena;
    const struct trace_span *spans; /* in the order of their starts */
    bool *shown;
    size_t n_spans;
    int64_t start_us;
    int64_t end_us;
};

static int by_start(const void *a, const void *b)
{
    const struct trace_span *x = a;
    const struct trace_span *y = b;

    return x->start_us < y->start_us ? -1 : x->start_us > y->start_us;
}

/* Where in the whole the span lies. */
static const char *bar(const struct tree *tree, const struct trace_span *span)
{
    int64_t total = tree->end_us > tree->start_us ? tree->end_us - tree->start_us : 1;
    int64_t from = (span->start_us - tree->start_us) * BAR_WIDTH / total;
    int64_t to = (span->start_us - tree->start_us + span->duration_us) * BAR_WIDTH / total;
    char *text = arena_alloc(tree->arena, BAR_WIDTH + 1);

    to = to > from ? to : from + 1;
    for (int64_t i = 0; i < BAR_WIDTH; i++) {
        text[i] = i >= from && i < to ? '=' : ' ';
    }
    if (from >= BAR_WIDTH) {
        text[BAR_WIDTH - 1] = '='; /* it ended as the whole did */
    }
    return arena_printf(tree->arena, "[%s]", text);
}

/* "weft.search.v1.SearchService/Search" without its package. */
static const char *short_name(const char *name)
{
    const char *slash = strchr(name, '/');
    const char *at = name;

    for (const char *c = name; slash != NULL && c < slash; c++) {
        at = *c == '.' ? c + 1 : at;
    }
    return at;
}

static void show_span(struct tree *tree, const struct trace_span *span, int depth)
{
    double offset_ms = (double)(span->start_us - tree->start_us) / 1000;
    double duration_ms = (double)span->duration_us / 1000;
    const char *name = arena_printf(tree->arena, "%*s%s", 2 * depth, "", short_name(span->name));
    const char *code = status_code_name((enum status_code)span->code);

    output_row(
        tree->output,
        FIELDS(field_shown(name, field_text("name", span->name)),
               field_text("service", span->service),
               field_shown(arena_printf(tree->arena, "%.2f", offset_ms),
                           field_real("offset_ms", offset_ms)),
               field_shown(arena_printf(tree->arena, "%.2f", duration_ms),
                           field_real("duration_ms", duration_ms)),
               field_tone(span->code == 0 ? TONE_GOOD : TONE_BAD, field_text("code", code)),
               field_only(FIELD_TABLE_WHERE_ROOM, field_text("when", bar(tree, span))),
               field_only(FIELD_JSON_ONLY, field_text("span_id", span->span_id)),
               field_only(FIELD_JSON_ONLY, field_text("parent_span_id", span->parent_span_id))));
}

/* Depth is bounded by the number of spans, each of which is shown once. */
static void show_below(struct tree *tree, size_t n, int depth)
{
    const struct trace_span *span = &tree->spans[n];

    tree->shown[n] = true;
    show_span(tree, span, depth);
    for (size_t i = 0; i < tree->n_spans; i++) {
        if (!tree->shown[i] && strcmp(tree->spans[i].parent_span_id, span->span_id) == 0) {
            show_below(tree, i, depth + 1);
        }
    }
}

static bool has_parent(const struct tree *tree, const struct trace_span *span)
{
    for (size_t i = 0; i < tree->n_spans; i++) {
        if (strcmp(tree->spans[i].span_id, span->parent_span_id) == 0) {
            return true;
        }
    }
    return false;
}

void trace_tree_show(struct output *output, struct arena *arena, const struct trace_span *spans,
                     size_t n_spans)
{
    struct trace_span *sorted = ARENA_NEW_ARRAY(arena, struct trace_span, n_spans + 1);
    struct tree tree = {
        .output = output,
        .arena = arena,
        .spans = sorted,
        .shown = ARENA_NEW_ARRAY(arena, bool, n_spans + 1),
        .n_spans = n_spans,
    };

    for (size_t i = 0; i < n_spans; i++) {
        sorted[i] = spans[i];
        int64_t end_us = spans[i].start_us + spans[i].duration_us;
        tree.start_us =
            i == 0 || spans[i].start_us < tree.start_us ? spans[i].start_us : tree.start_us;
        tree.end_us = end_us > tree.end_us ? end_us : tree.end_us;
    }
    qsort(sorted, n_spans, sizeof *sorted, by_start);
    for (size_t i = 0; i < n_spans; i++) {
        if (!tree.shown[i] && !has_parent(&tree, &sorted[i])) {
            show_below(&tree, i, 0);
        }
    }
    for (size_t i = 0; i < n_spans; i++) {
        if (!tree.shown[i]) {
            show_below(&tree, i, 0); /* parents in a circle: nobody's, so ours to show */
        }
    }
    output_end(output);
}
