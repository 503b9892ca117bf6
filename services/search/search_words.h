/* search_words - a text's words, folded: lower case, without accents, in ASCII where they are
 * Latin.
 *
 *     "Ärger mit C++: naïve x264-Kodierung, it's 日本"  ->  arger mit c naive x264 kodierung it's
 * 日 本
 *
 * A word is a run of letters and digits; an apostrophe between two letters belongs to it.  Each
 * Han or Kana character is a word of its own, since nothing stands between those.  Bytes that
 * are not UTF-8 separate words.
 */

#ifndef SERVICES_SEARCH_SEARCH_WORDS_H_
#define SERVICES_SEARCH_SEARCH_WORDS_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Longer words are cut: they are base64 and the like, which nobody asks for by their end. */
enum { MAX_WORD_BYTES = 64 };

struct words {
    bytes text;
    size_t at;
    uint8_t folded[MAX_WORD_BYTES + 8]; /* room for one character too many */
    size_t size;
};

struct word {
    bytes folded; /* valid until the next words_next() */
    size_t start; /* where it stands in the text */
    size_t end;
};

static inline struct words words_of(bytes text)
{
    return (struct words){ .text = text };
}

/* False after the last word. */
bool words_next(struct words *words, struct word *ret_word) NONNULL;

#endif
