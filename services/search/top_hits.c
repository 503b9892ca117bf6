#include "services/search/top_hits.h"

#include "services/search/pack.h"

#include <stdlib.h>

struct top_hits top_hits_new(struct arena *arena, size_t limit)
{
    return (struct top_hits){
        .hits = ARENA_NEW_ARRAY(arena, struct top_hit, limit),
        .limit = limit,
    };
}

/* Negative when a is better. */
static int compare(const struct top_hit *a, const struct top_hit *b)
{
    return a->score != b->score ? (a->score < b->score) - (a->score > b->score)
                                : bytes_compare(a->id, b->id);
}

static void swap(struct top_hit *a, struct top_hit *b)
{
    struct top_hit c = *a;

    *a = *b;
    *b = c;
}

static void sift_up(struct top_hits *hits, size_t at)
{
    for (; at > 0; at = (at - 1) / 2) {
        if (compare(&hits->hits[at], &hits->hits[(at - 1) / 2]) <= 0) {
            return;
        }
        swap(&hits->hits[at], &hits->hits[(at - 1) / 2]);
    }
}

static void sift_down(struct top_hits *hits)
{
    size_t at = 0;

    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < hits->n_hits; child++) {
            worst = compare(&hits->hits[child], &hits->hits[worst]) > 0 ? child : worst;
        }
        if (worst == at) {
            return;
        }
        swap(&hits->hits[at], &hits->hits[worst]);
        at = worst;
    }
}

static bool is_behind(const struct top_hits *hits, const struct top_hit *hit)
{
    const struct top_hit after = { .score = hits->after_score, .id = hits->after_id };

    return !hits->has_after || compare(&after, hit) < 0;
}

status top_hits_offer(struct top_hits *hits, struct arena *arena, const struct source *source,
                      uint32_t doc, double score, bool *ret_worse)
{
    struct top_hit hit = { .score = score, .source = source, .doc = doc };
    bool full = hits->n_hits == hits->limit;

    *ret_worse = full && score < hits->hits[0].score;
    if (*ret_worse || (hits->has_after && score > hits->after_score)) {
        return status_ok();
    }
    TRY(source_id(source, arena, doc, &hit.id));
    if (!is_behind(hits, &hit)) {
        return status_ok();
    }
    if (!full) {
        hits->hits[hits->n_hits] = hit;
        sift_up(hits, hits->n_hits++);
        return status_ok();
    }
    *ret_worse = compare(&hit, &hits->hits[0]) >= 0;
    if (!*ret_worse) {
        hits->hits[0] = hit;
        sift_down(hits);
    }
    return status_ok();
}

static int by_rank(const void *a, const void *b)
{
    return compare(a, b);
}

void top_hits_sort(struct top_hits *hits)
{
    qsort(hits->hits, hits->n_hits, sizeof *hits->hits, by_rank);
}
