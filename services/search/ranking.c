#include "services/search/ranking.h"

#include <math.h>

/* ---- Statistics ---- */

/* How long a field is on average, where it is there. */
static status average_length(const struct ranking *ranking, struct arena *arena, size_t place,
                             double *ret_length)
{
    uint64_t n_words = 0;
    uint64_t n_docs = 0;

    for (size_t s = 0; s < ranking->n_sources; s++) {
        const struct source *source = ranking->sources[s];
        struct list list;
        TRY(source_find(source, arena, place, (bytes){ 0 }, &list));
        n_words += source->lengths[place] - source->dead.lengths[place];
        n_docs += list.n_live;
    }
    *ret_length = n_docs > 0 && n_words > 0 ? (double)n_words / (double)n_docs : 1;
    return status_ok();
}

static status find_fields(struct ranking *ranking, struct arena *arena,
                          const struct search_schema *schema)
{
    double length = 0;

    for (size_t i = 0; i < schema->n_fields; i++) {
        if (schema->fields[i].kind == FIELD_TEXT) {
            struct ranked_field *field = &ranking->fields[ranking->n_fields++];
            field->place = i;
            field->weight = (double)schema->fields[i].weight;
            TRY(average_length(ranking, arena, i, &length));
            field->per_word = RANKING_B / length;
        }
    }
    return status_ok();
}

/* A document that has the word in two fields counts in both, so the more frequent field says how
 * many have it: few words are common in one field and rare in another. */
static status find_term(struct ranking *ranking, struct arena *arena, size_t term,
                        uint64_t *ret_n_docs)
{
    *ret_n_docs = 0;
    for (size_t f = 0; f < ranking->n_fields; f++) {
        uint64_t n_docs = 0;
        for (size_t s = 0; s < ranking->n_sources; s++) {
            size_t at = (s * ranking->query->n_terms + term) * ranking->n_fields + f;
            TRY(source_find(ranking->sources[s], arena, ranking->fields[f].place,
                            ranking->query->terms[term].text, &ranking->lists[at]));
            n_docs += ranking->lists[at].n_live;
        }
        *ret_n_docs = n_docs > *ret_n_docs ? n_docs : *ret_n_docs;
    }
    return status_ok();
}

static double idf(uint64_t n_all, uint64_t n_docs)
{
    double n = (double)(n_docs < n_all ? n_docs : n_all);

    return log(1 + ((double)n_all - n + 0.5) / (n + 0.5));
}

status ranking_make(struct arena *arena, const struct search_schema *schema,
                    struct query_text *query, const struct source *const *sources, size_t n_sources,
                    struct ranking *ret_ranking)
{
    uint64_t n_all = 0;

    *ret_ranking = (struct ranking){
        .query = query,
        .sources = sources,
        .n_sources = n_sources,
    };
    TRY(find_fields(ret_ranking, arena, schema));
    ret_ranking->lists =
        ARENA_NEW_ARRAY(arena, struct list, n_sources * query->n_terms * ret_ranking->n_fields);
    for (size_t s = 0; s < n_sources; s++) {
        n_all += source_n_live(sources[s]);
    }
    for (size_t t = 0; t < query->n_terms; t++) {
        uint64_t n_docs = 0;
        TRY(find_term(ret_ranking, arena, t, &n_docs));
        ret_ranking->idf[t] = n_docs == 0 ? 0 : query->terms[t].count * idf(n_all, n_docs);
        ret_ranking->whole += ret_ranking->idf[t];
    }
    return status_ok();
}

/* ---- Scores ---- */

double ranking_score(const struct ranking *ranking, const double *worths)
{
    double sum = 0;
    double there = 0;

    for (size_t t = 0; t < ranking->query->n_terms; t++) {
        sum += worths[t];
        there += worths[t] > 0 ? ranking->idf[t] : 0;
    }
    return there > 0 ? sum * pow(there / ranking->whole, RANKING_COVERAGE) : 0;
}
