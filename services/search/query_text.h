/* query_text - what a person typed, as terms and phrases.
 *
 *     the "command line" of video   ->   terms: the(common) command line of(common) video
 *                                        phrases: [command line]
 *
 * Words are analysed as documents are.  A quote that is never closed goes to the end.  A phrase
 * of one word asks that the word is there.
 */

#ifndef SERVICES_SEARCH_QUERY_TEXT_H_
#define SERVICES_SEARCH_QUERY_TEXT_H_

#include "libs/base/status.h"
#include "services/search/search_analyzer.h"

enum {
    MAX_QUERY_BYTES = 1024,
    MAX_QUERY_TERMS = 64, /* each is a list in each text field of each source */
};

struct query_term {
    bytes text;
    unsigned count; /* how often it was asked for; 0: only inside a phrase */
};

struct query_phrase {
    size_t terms[MAX_QUERY_TERMS]; /* places in the terms, in the phrase's order */
    size_t n_terms;
};

struct query_text {
    struct query_term terms[MAX_QUERY_TERMS]; /* each once */
    size_t n_terms;
    struct query_phrase *phrases; /* arena */
    size_t n_phrases;
};

/* INVALID_ARGUMENT: query is not UTF-8, too long, or has too many words. */
status query_text_parse(struct analyzer *analyzer, struct arena *arena, const char *query,
                        struct query_text *ret_query) NONNULL;

#endif
