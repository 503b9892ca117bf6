#include "services/search/snippet.h"

#include "services/search/pack.h"

/* A word of the query, where it stands in a field. */
struct match {
    size_t word; /* its place among the field's words */
    size_t term; /* in the query */
};

/* Words from first up to, not including, end. */
struct stretch {
    size_t first;
    size_t end;
    double worth;
};

struct look {
    const struct ranking *ranking;
    struct terms words;
    struct match *matches;
    size_t n_matches;
};

static size_t term_of(const struct query_text *query, bytes text)
{
    size_t t = 0;

    while (t < query->n_terms && bytes_compare(query->terms[t].text, text) != 0) {
        t++;
    }
    return t;
}

static void find_matches(struct look *look, struct arena *arena)
{
    const struct query_text *query = look->ranking->query;

    look->matches = ARENA_NEW_ARRAY(arena, struct match, look->words.n_terms);
    for (size_t i = 0; i < look->words.n_terms; i++) {
        size_t term = term_of(query, look->words.terms[i].text);
        if (term < query->n_terms) {
            look->matches[look->n_matches++] = (struct match){ .word = i, .term = term };
        }
    }
}

static size_t width(const struct look *look, size_t first, size_t last)
{
    return look->words.terms[last].end - look->words.terms[first].start;
}

/* The worth of the matches from first on that fit, each word of the query once; further ones of
 * the same word count a little. */
static struct stretch stretch_from(const struct look *look, size_t first)
{
    bool seen[MAX_QUERY_TERMS] = { false };
    size_t word = look->matches[first].word;
    struct stretch stretch = { .first = word, .end = word + 1 };

    for (size_t i = first; i < look->n_matches; i++) {
        const struct match *match = &look->matches[i];
        if (width(look, word, match->word) > SNIPPET_BYTES * 3 / 4) {
            break;
        }
        stretch.worth += look->ranking->idf[match->term] * (seen[match->term] ? 0.01 : 1);
        stretch.end = match->word + 1;
        seen[match->term] = true;
    }
    return stretch;
}

static struct stretch best_stretch(const struct look *look)
{
    struct stretch best = { .worth = 0 };

    for (size_t i = 0; i < look->n_matches; i++) {
        struct stretch stretch = stretch_from(look, i);
        best = stretch.worth > best.worth ? stretch : best;
    }
    return best;
}

/* Adds words before and behind, in turn, while there is room. */
static void widen(const struct look *look, struct stretch *stretch)
{
    bool more = true;

    while (more) {
        more = false;
        if (stretch->end < look->words.n_terms &&
            width(look, stretch->first, stretch->end) <= SNIPPET_BYTES) {
            stretch->end++;
            more = true;
        }
        if (stretch->first > 0 &&
            width(look, stretch->first - 1, stretch->end - 1) <= SNIPPET_BYTES) {
            stretch->first--;
            more = true;
        }
    }
}

static struct snippet cut(const struct look *look, struct arena *arena, size_t place, bytes text,
                          const struct stretch *stretch)
{
    uint32_t start = look->words.terms[stretch->first].start;
    struct snippet snippet = {
        .place = place,
        .text = { text.data + start, width(look, stretch->first, stretch->end - 1) },
        .ranges = ARENA_NEW_ARRAY(arena, struct snippet_range, stretch->end - stretch->first),
    };

    for (size_t i = 0; i < look->n_matches; i++) {
        const struct match *match = &look->matches[i];
        if (match->word >= stretch->first && match->word < stretch->end &&
            look->ranking->idf[match->term] > 0) {
            snippet.ranges[snippet.n_ranges++] = (struct snippet_range){
                .start = look->words.terms[match->word].start - start,
                .end = look->words.terms[match->word].end - start,
            };
        }
    }
    return snippet;
}

struct snippet snippet_make(const struct ranking *ranking, struct analyzer *analyzer,
                            struct arena *arena, const struct search_document *document)
{
    struct snippet best = { .text = { 0 } };
    double best_worth = 0;
    double best_weight = 0;

    for (size_t f = 0; f < ranking->n_fields; f++) {
        const struct ranked_field *ranked = &ranking->fields[f];
        const struct document_field *field = search_document_field(document, ranked->place);
        if (field == NULL) {
            continue;
        }
        struct look look = {
            .ranking = ranking,
            .words = analyzer_terms(analyzer, arena, field->text),
        };
        find_matches(&look, arena);
        struct stretch stretch = best_stretch(&look);
        if (stretch.worth > best_worth ||
            (stretch.worth == best_worth && stretch.worth > 0 && ranked->weight < best_weight)) {
            widen(&look, &stretch);
            best = cut(&look, arena, ranked->place, field->text, &stretch);
            best_worth = stretch.worth;
            best_weight = ranked->weight;
        }
    }
    return best;
}
