#include "services/search/keyword_leg.h"

#include "services/search/cursor.h"

#include <string.h>

enum { MAX_PHRASE_POSITIONS = 4096 }; /* of one word in one document; more are not looked at */

/* Bounds are sums in another order than scores are: this much is lost to rounding at most. */
static const double ROUNDING = 1 + 1e-9;

/* A term in one field. */
struct leg_list {
    struct cursor *cursor; /* NULL: the source does not have it */
    const struct ranked_field *field;
    const uint16_t *lengths;
};

/* A term in all fields. */
struct leg_term {
    struct leg_list *lists; /* one for each ranked field */
    size_t term;            /* its place in the query */
    uint32_t doc;           /* the least of its cursors' */
    double bound;           /* what it is worth at most in the window */
    double sum;             /* of the bounds of this and all weaker terms */
};

struct leg {
    const struct ranking *ranking;
    struct arena *arena;
    const struct source *source;
    const struct bitmap *passing;
    struct top_hits *hits;
    struct leg_term terms[MAX_QUERY_TERMS]; /* in the order of the query */
    struct leg_term
        *ranked[MAX_QUERY_TERMS]; /* those that count, the weakest in the window first */
    size_t n_ranked;
    size_t first; /* of the ranked: weaker ones alone are not enough */
    uint32_t *positions[2];
};

/* ---- Terms ---- */

static status open_list(struct leg *leg, size_t source, size_t term, size_t field,
                        struct leg_list *ret_list)
{
    const struct list *list = ranking_list(leg->ranking, source, term, field);

    ret_list->field = &leg->ranking->fields[field];
    if (list->n_docs == 0) {
        return status_ok();
    }
    TRY(source_lengths(leg->source, leg->arena, ret_list->field->place, &ret_list->lengths));
    if (ret_list->lengths != NULL) {
        ret_list->cursor = cursor_new(leg->source, leg->arena, *list, true);
    }
    return status_ok();
}

static void find_doc(const struct leg *leg, struct leg_term *term)
{
    term->doc = NO_DOC;
    for (size_t f = 0; f < leg->ranking->n_fields; f++) {
        const struct cursor *cursor = term->lists[f].cursor;
        if (cursor != NULL && cursor->doc < term->doc) {
            term->doc = cursor->doc;
        }
    }
}

static status open_terms(struct leg *leg, size_t source)
{
    for (size_t t = 0; t < leg->ranking->query->n_terms; t++) {
        struct leg_term *term = &leg->terms[t];
        term->term = t;
        term->lists = ARENA_NEW_ARRAY(leg->arena, struct leg_list, leg->ranking->n_fields);
        for (size_t f = 0; f < leg->ranking->n_fields; f++) {
            TRY(open_list(leg, source, t, f, &term->lists[f]));
        }
        find_doc(leg, term);
        if (leg->ranking->idf[t] > 0 && term->doc != NO_DOC) {
            leg->ranked[leg->n_ranked++] = term;
        }
    }
    return status_ok();
}

static void seek(const struct leg *leg, struct leg_term *term, uint32_t doc)
{
    for (size_t f = 0; f < leg->ranking->n_fields; f++) {
        if (term->lists[f].cursor != NULL) {
            (void)cursor_seek(term->lists[f].cursor, doc);
        }
    }
    find_doc(leg, term);
}

/* What the term is worth in the document that it stands on. */
static double worth(const struct leg *leg, const struct leg_term *term)
{
    double tf = 0;

    for (size_t f = 0; f < leg->ranking->n_fields; f++) {
        const struct leg_list *list = &term->lists[f];
        if (list->cursor != NULL && list->cursor->doc == term->doc) {
            tf += ranking_count(list->field, cursor_count(list->cursor), list->lengths[term->doc]);
        }
    }
    return ranking_worth(leg->ranking, term->term, tf);
}

/* ---- Windows ---- */

/* What the term is worth at most from doc on to *end, which comes nearer where a block ends. */
static double bound(const struct leg *leg, const struct leg_term *term, uint32_t doc, uint32_t *end)
{
    double tf = 0;

    for (size_t f = 0; f < leg->ranking->n_fields; f++) {
        const struct leg_list *list = &term->lists[f];
        if (list->cursor == NULL) {
            continue;
        }
        cursor_skip(list->cursor, doc);
        tf += ranking_count(list->field, list->cursor->most_counts, list->cursor->least_length);
        *end = list->cursor->block_end < *end ? list->cursor->block_end : *end;
    }
    return ranking_worth(leg->ranking, term->term, tf) * ROUNDING;
}

/* Few terms, and nearly sorted since the last window. */
static void sort_ranked(struct leg *leg)
{
    for (size_t i = 1; i < leg->n_ranked; i++) {
        for (size_t j = i; j > 0 && leg->ranked[j - 1]->bound > leg->ranked[j]->bound; j--) {
            struct leg_term *stronger = leg->ranked[j - 1];
            leg->ranked[j - 1] = leg->ranked[j];
            leg->ranked[j] = stronger;
        }
    }
}

/* Moves first on, as far as all before it together are not enough. */
static void find_first(struct leg *leg)
{
    double threshold = top_hits_threshold(leg->hits);

    while (leg->first < leg->n_ranked && leg->ranked[leg->first]->sum < threshold) {
        leg->first++;
    }
}

/* Bounds of all terms for the window that begins with doc; returns its end. */
static uint32_t open_window(struct leg *leg, uint32_t doc)
{
    uint32_t end = NO_DOC - 1;
    double sum = 0;

    for (size_t i = 0; i < leg->n_ranked; i++) {
        leg->ranked[i]->bound = bound(leg, leg->ranked[i], doc, &end);
    }
    sort_ranked(leg);
    for (size_t i = 0; i < leg->n_ranked; i++) {
        sum += leg->ranked[i]->bound;
        leg->ranked[i]->sum = sum;
    }
    leg->first = 0;
    find_first(leg);
    return end;
}

/* ---- Phrases ---- */

/* Keeps the positions that, one on, are among next; returns how many. */
static size_t follow(uint32_t *positions, size_t n, const uint32_t *next, size_t n_next)
{
    size_t kept = 0;
    size_t j = 0;

    for (size_t i = 0; i < n; i++) {
        while (j < n_next && next[j] < positions[i] + 1) {
            j++;
        }
        if (j < n_next && next[j] == positions[i] + 1) {
            positions[kept++] = next[j];
        }
    }
    return kept;
}

static bool has_phrase_in(struct leg *leg, const struct query_phrase *phrase, size_t field,
                          uint32_t doc)
{
    size_t n = 0;

    for (size_t i = 0; i < phrase->n_terms; i++) {
        struct cursor *cursor = leg->terms[phrase->terms[i]].lists[field].cursor;
        if (cursor == NULL || cursor_seek(cursor, doc) != doc) {
            return false;
        }
        uint32_t *positions = leg->positions[i == 0 ? 0 : 1];
        size_t n_here = cursor_positions(cursor, positions, MAX_PHRASE_POSITIONS);
        n = i == 0 ? n_here : follow(leg->positions[0], n, positions, n_here);
        if (n == 0) {
            return false;
        }
    }
    return true;
}

/* Whether each phrase stands in some field of the document. */
static bool has_phrases(struct leg *leg, uint32_t doc)
{
    const struct query_text *query = leg->ranking->query;

    for (size_t p = 0; p < query->n_phrases; p++) {
        bool found = false;
        for (size_t f = 0; f < leg->ranking->n_fields && !found; f++) {
            found = has_phrase_in(leg, &query->phrases[p], f, doc);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

/* ---- Documents ---- */

static bool may_be_found(const struct leg *leg, uint32_t doc)
{
    return !source_is_dead(leg->source, doc) &&
           (leg->passing == NULL || bitmap_has(leg->passing, doc));
}

/* The next document that a strong enough term has. */
static uint32_t next_candidate(const struct leg *leg)
{
    uint32_t doc = NO_DOC;

    for (size_t i = leg->first; i < leg->n_ranked; i++) {
        doc = leg->ranked[i]->doc < doc ? leg->ranked[i]->doc : doc;
    }
    return doc;
}

/* Scores the candidate, and gives up as soon as what is left cannot be enough. */
static status score_candidate(struct leg *leg, uint32_t doc)
{
    double worths[MAX_QUERY_TERMS];
    double threshold = top_hits_threshold(leg->hits);
    double sum = 0;
    bool worse = false;

    memset(worths, 0, leg->ranking->query->n_terms * sizeof worths[0]);
    for (size_t i = leg->n_ranked; i-- > 0;) {
        struct leg_term *term = leg->ranked[i];
        if (i < leg->first) {
            if ((sum + term->sum) * ROUNDING < threshold) {
                return status_ok();
            }
            seek(leg, term, doc);
        }
        if (term->doc == doc) {
            worths[term->term] = worth(leg, term);
            sum += worths[term->term];
        }
    }
    if (sum * ROUNDING < threshold) {
        return status_ok();
    }
    double score = ranking_score(leg->ranking, worths);
    if (score < threshold || !has_phrases(leg, doc)) {
        return status_ok();
    }
    return top_hits_offer(leg->hits, leg->arena, leg->source, doc, score, &worse);
}

/* Moves the strong terms beyond doc. */
static void pass(struct leg *leg, uint32_t doc)
{
    for (size_t i = leg->first; i < leg->n_ranked; i++) {
        if (leg->ranked[i]->doc <= doc) {
            seek(leg, leg->ranked[i], doc + 1);
        }
    }
}

static status run_window(struct leg *leg, uint32_t doc, uint32_t end)
{
    for (size_t i = leg->first; i < leg->n_ranked; i++) {
        if (leg->ranked[i]->doc < doc) {
            seek(leg, leg->ranked[i], doc);
        }
    }
    while (leg->first < leg->n_ranked && (doc = next_candidate(leg)) <= end) {
        if (may_be_found(leg, doc)) {
            TRY(score_candidate(leg, doc));
            find_first(leg);
        }
        pass(leg, doc);
    }
    return status_ok();
}

/* The first document from doc on that any term has, as far as is known without decoding. */
static uint32_t next_start(struct leg *leg, uint32_t doc)
{
    uint32_t next = NO_DOC;

    for (size_t i = 0; i < leg->n_ranked; i++) {
        uint32_t at = leg->ranked[i]->doc < doc ? doc : leg->ranked[i]->doc;
        next = at < next ? at : next;
    }
    return next;
}

static status run_windows(struct leg *leg)
{
    uint32_t doc = next_start(leg, 0);

    while (doc < leg->source->n_docs) {
        uint32_t end = open_window(leg, doc);
        TRY(run_window(leg, doc, end));
        doc = next_start(leg, end + 1);
    }
    return status_ok();
}

static status check_cursors(const struct leg *leg)
{
    for (size_t t = 0; t < leg->ranking->query->n_terms; t++) {
        for (size_t f = 0; f < leg->ranking->n_fields; f++) {
            const struct cursor *cursor = leg->terms[t].lists[f].cursor;
            if (cursor != NULL) {
                TRY(cursor->failure);
            }
        }
    }
    return status_ok();
}

status keyword_leg_run(const struct ranking *ranking, struct arena *arena, size_t source,
                       const struct bitmap *passing, struct top_hits *hits)
{
    struct leg *leg = ARENA_NEW(arena, struct leg);

    leg->ranking = ranking;
    leg->arena = arena;
    leg->source = ranking->sources[source];
    leg->passing = passing;
    leg->hits = hits;
    if (ranking->query->n_phrases > 0) {
        leg->positions[0] = ARENA_NEW_ARRAY(arena, uint32_t, MAX_PHRASE_POSITIONS);
        leg->positions[1] = ARENA_NEW_ARRAY(arena, uint32_t, MAX_PHRASE_POSITIONS);
    }
    TRY(open_terms(leg, source));
    TRY(run_windows(leg));
    return check_cursors(leg);
}
