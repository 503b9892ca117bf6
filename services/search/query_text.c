#include "services/search/query_text.h"

#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/base/utf8.h"
#include "services/search/pack.h"

#include <string.h>

struct parse {
    struct analyzer *analyzer;
    struct arena *arena;
    struct query_text *query;
    bool common[MAX_QUERY_TERMS]; /* of each term */
    size_t n_words;
};

/* The place of a term, added where it is new. */
static size_t place_of(struct parse *parse, const struct term *term)
{
    struct query_text *query = parse->query;

    for (size_t i = 0; i < query->n_terms; i++) {
        if (bytes_compare(query->terms[i].text, term->text) == 0) {
            return i;
        }
    }
    query->terms[query->n_terms] = (struct query_term){ .text = term->text };
    parse->common[query->n_terms] = term->common;
    return query->n_terms++;
}

static status add_words(struct parse *parse, bytes words, bool quoted)
{
    struct terms terms = analyzer_terms(parse->analyzer, parse->arena, words);
    struct query_phrase *phrase = NULL;

    parse->n_words += terms.n_terms;
    if (parse->n_words > MAX_QUERY_TERMS) {
        return status_bad_field(parse->arena, "query", "has more than %d words", MAX_QUERY_TERMS);
    }
    if (quoted && terms.n_terms > 0) {
        phrase = &parse->query->phrases[parse->query->n_phrases++];
    }
    for (size_t i = 0; i < terms.n_terms; i++) {
        size_t place = place_of(parse, &terms.terms[i]);
        parse->query->terms[place].count++;
        if (phrase != NULL) {
            phrase->terms[phrase->n_terms++] = place;
        }
    }
    return status_ok();
}

/* Common words say nothing of what is asked for, unless there are no others. */
static void ignore_common(struct parse *parse)
{
    struct query_text *query = parse->query;
    bool any = false;

    for (size_t i = 0; i < query->n_terms; i++) {
        any = any || !parse->common[i];
    }
    for (size_t i = 0; i < query->n_terms && any; i++) {
        query->terms[i].count = parse->common[i] ? 0 : query->terms[i].count;
    }
}

static size_t count_quotes(const char *text)
{
    size_t n = 0;

    for (; (text = strchr(text, '"')) != NULL; text++) {
        n++;
    }
    return n;
}

status query_text_parse(struct analyzer *analyzer, struct arena *arena, const char *query,
                        struct query_text *ret_query)
{
    struct parse parse = { .analyzer = analyzer, .arena = arena, .query = ret_query };
    bool quoted = false;

    if (strlen(query) > MAX_QUERY_BYTES) {
        return status_bad_field(arena, "query", "is longer than %d bytes", MAX_QUERY_BYTES);
    }
    if (!utf8_is_valid(bytes_of(query))) {
        return status_bad_field(arena, "query", "is not UTF-8");
    }
    *ret_query = (struct query_text){
        .phrases = ARENA_NEW_ARRAY(arena, struct query_phrase, count_quotes(query) / 2 + 1),
    };
    for (const char *at = query; at != NULL; quoted = !quoted) {
        const char *end = strchr(at, '"');
        size_t size = end == NULL ? strlen(at) : (size_t)(end - at);
        TRY(add_words(&parse, (bytes){ (const uint8_t *)at, size }, quoted));
        at = end == NULL ? NULL : end + 1;
    }
    ignore_common(&parse);
    return status_ok();
}
