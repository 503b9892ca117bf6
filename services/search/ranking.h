/* ranking - how well a document answers a query: BM25F, weighed by how much of the query is there.
 *
 * A word is worth its inverse document frequency.  How often a document says it, in which field,
 * and how long that field is, goes into one number, which then saturates (Robertson, Zaragoza:
 * "The Probabilistic Relevance Framework", 2009, section 3.6):
 *
 *     tf    = sum over fields:  weight * count / (1 - B + B * length / average length)
 *     worth = idf * tf * (K1 + 1) / (tf + K1)
 *     idf   = ln(1 + (N - n + 0.5) / (n + 0.5))
 *
 * The score is the sum of all words' worth, times
 *
 *     (worth of the query's words that the document has / worth of all) ^ COVERAGE
 *
 * by idf alone, so that a document with all words a few times comes before one with a single
 * word in every place.
 *
 * Statistics are those of the collection's living documents, and sums are taken in the order of
 * the query's words: the same document has the same score to the last bit, wherever it lies.
 */

#ifndef SERVICES_SEARCH_RANKING_H_
#define SERVICES_SEARCH_RANKING_H_

#include "services/search/query_text.h"
#include "services/search/source.h"

/* Found by trying on Cranfield, SciFact and Debian's package descriptions; README.md has the
 * figures. */
static const double RANKING_K1 = 2;
static const double RANKING_B = 0.75;
static const double RANKING_COVERAGE = 0.25;

struct ranked_field {
    size_t place; /* in the schema */
    double weight;
    double per_word; /* B / average length */
};

struct ranking {
    struct query_text *query;
    struct ranked_field fields[MAX_FIELDS]; /* the text fields */
    size_t n_fields;
    double idf[MAX_QUERY_TERMS]; /* times how often the term was asked for */
    double whole;                /* the sum of all */
    struct list *lists;          /* of each source, term and field; arena */
    const struct source *const *sources;
    size_t n_sources;
};

/* Under the collection's lock, as is all that uses it. */
status ranking_make(struct arena *arena, const struct search_schema *schema,
                    struct query_text *query, const struct source *const *sources, size_t n_sources,
                    struct ranking *ret_ranking) NONNULL;

static inline const struct list *ranking_list(const struct ranking *ranking, size_t source,
                                              size_t term, size_t field)
{
    return &ranking->lists[(source * ranking->query->n_terms + term) * ranking->n_fields + field];
}

/* What so many of a word in a field of that length add to tf. */
static inline double ranking_count(const struct ranked_field *field, double count, double length)
{
    return field->weight * count / (1 - RANKING_B + field->per_word * length);
}

/* A word's worth. */
static inline double ranking_worth(const struct ranking *ranking, size_t term, double tf)
{
    return ranking->idf[term] * tf * (RANKING_K1 + 1) / (tf + RANKING_K1);
}

/* The score, of each term's worth; 0 for those that the document has not.  Never more than their
 * sum. */
double ranking_score(const struct ranking *ranking, const double *worths) NONNULL;

#endif
