/* search_analyzer - a text's terms: its words, folded (search_words.h) and stemmed.
 *
 * Words of ASCII letters alone are stemmed by Snowball's English stemmer; others stay as they
 * are.  Every word is a term with a position, so that phrases are exact; words that are in
 * nearly every text ("the", "on") are marked as common, and a query asks for them only inside a
 * phrase, or when it has no others.
 *
 * The same text always gives the same terms: the index counts on it when a document is removed.
 * Whoever changes the rules raises ANALYSIS_VERSION, which stands in each part of the index.
 *
 * Made for one thread at a time; it remembers the stems of frequent words, up to 400 KB.
 */

#ifndef SERVICES_SEARCH_SEARCH_ANALYZER_H_
#define SERVICES_SEARCH_SEARCH_ANALYZER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANALYSIS_VERSION = 1 };

struct analyzer;

struct term {
    bytes text;
    uint32_t start; /* where the word stands in the text that was analysed */
    uint32_t end;
    bool common;
};

/* A term's position is its place in the list. */
struct terms {
    const struct term *terms;
    size_t n_terms;
};

/* The caller owns it: analyzer_free(). */
struct analyzer *analyzer_new(void) RETURNS_NONNULL;
void analyzer_free(struct analyzer *analyzer);

/* In arena.  At most UINT32_MAX bytes. */
struct terms analyzer_terms(struct analyzer *analyzer, struct arena *arena, bytes text) NONNULL;

#endif
