#include "services/search/search_words.h"

#include "libs/base/utf8.h"

#include <string.h>

/* Two characters each, NFKD without its marks: from U+00C0 and from U+1E00.  Blank: none. */
static const char latin_from_c0[] =
    "a a a a a a aec e e e e i i i i d n o o o o o   o u u u u y thss"
    "a a a a a a aec e e e e i i i i d n o o o o o   o u u u u y thy "
    "a a a a a a c c c c c c c c d d d d e e e e e e e e e e g g g g "
    "g g g g h h h h i i i i i i i i i i ijijj j k k k l l l l l l l "
    "l l l n n n n n n n n n o o o o o o oeoer r r r r r s s s s s s "
    "s s t t t t t t u u u u u u u u u u u u w w y y y z z z z z z s ";

static const char latin_from_1e00[] =
    "a a b b b b b b c c d d d d d d d d d d e e e e e e e e e e f f "
    "g g h h h h h h h h h h i i i i k k k k k k l l l l l l l l m m "
    "m m m m n n n n n n n n o o o o o o o o p p p p r r r r r r r r "
    "s s s s s s s s s s t t t t t t t t u u u u u u u u u u v v v v "
    "w w w w w w w w w w x x x x y y z z z z z z h t w y   s         "
    "a a a a a a a a a a a a a a a a a a a a a a a a e e e e e e e e "
    "e e e e e e e e i i i i o o o o o o o o o o o o o o o o o o o o "
    "o o o o u u u u u u u u u u u u u u y y y y y y y y             ";

enum folding {
    FOLD_SEPARATOR, /* ends a word */
    FOLD_MARK,      /* a combining accent: dropped */
    FOLD_ALONE,     /* a word by itself */
    FOLD_LETTER,
};

struct range {
    uint32_t first, last;
};

static bool is_in(uint32_t c, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* Blocks of Unicode that hold no letters: punctuation, spaces, signs, symbols, private use. */
static bool is_separator(uint32_t c)
{
    static const struct range ranges[] = {
        { 0x80, 0xa9 },     { 0xab, 0xb1 },       { 0xb4, 0xb4 },     { 0xb6, 0xb8 },
        { 0xbb, 0xbb },     { 0xbf, 0xbf },       { 0xd7, 0xd7 },     { 0xf7, 0xf7 },
        { 0x2000, 0x206f }, { 0x20a0, 0x20cf },   { 0x2190, 0x2bff }, { 0x2e00, 0x2e7f },
        { 0x3000, 0x3004 }, { 0x3008, 0x3020 },   { 0xe000, 0xf8ff }, { 0xfe10, 0xfe6f },
        { 0xff00, 0xff0f }, { 0xff1a, 0xff20 },   { 0xff3b, 0xff40 }, { 0xff5b, 0xff65 },
        { 0xfff0, 0xffff }, { 0x1f000, 0x1faff },
    };

    return is_in(c, ranges, sizeof ranges / sizeof ranges[0]);
}

static bool stands_alone(uint32_t c)
{
    static const struct range ranges[] = {
        { 0x3040, 0x30ff }, { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },
        { 0xf900, 0xfaff }, { 0x20000, 0x3134f },
    };

    return is_in(c, ranges, sizeof ranges / sizeof ranges[0]);
}

/* Greek, Cyrillic and Armenian capitals, and the wide forms of ASCII. */
static uint32_t lower(uint32_t c)
{
    static const struct {
        uint32_t first, last;
        int32_t to_lower;
    } capitals[] = {
        { 0x386, 0x386, 38 },        { 0x388, 0x38a, 37 },        { 0x38c, 0x38c, 64 },
        { 0x38e, 0x38f, 63 },        { 0x391, 0x3ab, 32 },        { 0x3c2, 0x3c2, 1 },
        { 0x400, 0x40f, 80 },        { 0x410, 0x42f, 32 },        { 0x531, 0x556, 48 },
        { 0xff10, 0xff19, -0xfee0 }, { 0xff21, 0xff3a, -0xfec0 }, { 0xff41, 0xff5a, -0xfee0 },
    };

    for (size_t i = 0; i < sizeof capitals / sizeof capitals[0]; i++) {
        if (c >= capitals[i].first && c <= capitals[i].last) {
            return (uint32_t)((int32_t)c + capitals[i].to_lower);
        }
    }
    return c;
}

static void add_character(struct words *words, uint32_t c)
{
    uint8_t *out = words->folded + words->size;

    if (c < 0x80) {
        *out++ = (uint8_t)c;
    } else if (c < 0x800) {
        *out++ = (uint8_t)(0xc0 | c >> 6);
        *out++ = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (uint8_t)(0xe0 | c >> 12);
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        *out++ = (uint8_t)(0xf0 | c >> 18);
        *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    size_t size = (size_t)(out - words->folded);
    if (size <= MAX_WORD_BYTES) { /* otherwise it is cut, here and for all that follow */
        words->size = size;
    }
}

static const char *latin(uint32_t c)
{
    return c >= 0xc0 && c < 0x180      ? latin_from_c0 + (size_t)2 * (c - 0xc0)
           : c >= 0x1e00 && c < 0x1f00 ? latin_from_1e00 + (size_t)2 * (c - 0x1e00)
                                       : NULL;
}

/* Adds what a character beyond ASCII becomes. */
static enum folding fold(struct words *words, uint32_t c)
{
    if (c >= 0x300 && c <= 0x36f) {
        return FOLD_MARK;
    }
    if (is_separator(c)) {
        return FOLD_SEPARATOR;
    }
    const char *folded = latin(c);
    if (folded != NULL && folded[0] != ' ') {
        add_character(words, (uint8_t)folded[0]);
        if (folded[1] != ' ') {
            add_character(words, (uint8_t)folded[1]);
        }
        return FOLD_LETTER;
    }
    if (stands_alone(c)) {
        if (words->size == 0) {
            add_character(words, c);
        }
        return FOLD_ALONE;
    }
    add_character(words, lower(c));
    return FOLD_LETTER;
}

static bool is_ascii_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "it's" is one word, "'tis" and "dogs'" have none. */
static bool is_inner_apostrophe(const struct words *words, size_t at)
{
    return words->text.data[at] == '\'' && words->size > 0 && at + 1 < words->text.size &&
           is_ascii_letter(words->text.data[at - 1]) && is_ascii_letter(words->text.data[at + 1]);
}

/* Folds the character at `at` into the word. */
static enum folding step(struct words *words, size_t at, size_t *ret_length)
{
    uint8_t c = words->text.data[at];
    uint32_t character = 0;

    *ret_length = 1;
    if (c < 0x80) {
        if (is_ascii_letter(c)) {
            c |= 0x20;
        } else if (!(c >= '0' && c <= '9') && !is_inner_apostrophe(words, at)) {
            return FOLD_SEPARATOR;
        }
        if (words->size < MAX_WORD_BYTES) {
            words->folded[words->size++] = c;
        }
        return FOLD_LETTER;
    }
    size_t length =
        utf8_decode((bytes){ words->text.data + at, words->text.size - at }, &character);
    if (length == 0) {
        return FOLD_SEPARATOR;
    }
    *ret_length = length;
    return fold(words, character);
}

static bool give(struct words *words, size_t start, size_t end, struct word *ret_word)
{
    words->at = end;
    *ret_word = (struct word){
        .folded = { .data = words->folded, .size = words->size },
        .start = start,
        .end = end,
    };
    return true;
}

bool words_next(struct words *words, struct word *ret_word)
{
    size_t start = words->at;
    size_t length = 0;

    words->size = 0;
    for (size_t at = words->at; at < words->text.size; at += length) {
        bool inside = words->size > 0;
        switch (step(words, at, &length)) {
        case FOLD_LETTER:
            start = inside ? start : at;
            break;
        case FOLD_MARK:
            break;
        case FOLD_ALONE: /* a word that was under way ends before it */
            return inside ? give(words, start, at, ret_word)
                          : give(words, at, at + length, ret_word);
        case FOLD_SEPARATOR:
            if (inside) {
                return give(words, start, at, ret_word);
            }
            break;
        }
    }
    return words->size > 0 && give(words, start, words->text.size, ret_word);
}
