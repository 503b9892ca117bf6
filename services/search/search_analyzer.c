#include "services/search/search_analyzer.h"

#include "services/search/search_words.h"

#include <libstemmer.h>
#include <stdlib.h>
#include <string.h>

enum {
    CACHE_ENTRIES = 8192, /* a power of two */
    CACHED_BYTES = 22,    /* longer words are too rare to remember */
    FIRST_TERMS = 16,
};

struct cached {
    uint8_t word_size; /* 0: empty */
    uint8_t stem_size;
    bool common;
    char word[CACHED_BYTES];
    char stem[CACHED_BYTES];
};

struct analyzer {
    struct sb_stemmer *stemmer;
    struct cached *cache;
};

/* Function words alone: what carries meaning in some query ("against", "over", "free", "using")
 * is not here. */
static const char *const common_words[] = {
    "a",    "an",   "and",   "are",   "as",    "at",   "be",    "by",   "for",  "from",
    "has",  "have", "how",   "i",     "if",    "in",   "into",  "is",   "it",   "its",
    "me",   "my",   "of",    "on",    "or",    "our",  "such",  "that", "the",  "their",
    "them", "then", "there", "they",  "these", "this", "those", "to",   "was",  "we",
    "were", "what", "when",  "which", "who",   "will", "with",  "you",  "your",
};

static int compare_word(const void *key, const void *element)
{
    const struct word *word = key;
    const char *common = *(const char *const *)element;
    int order = strncmp((const char *)word->folded.data, common, word->folded.size);

    return order != 0 ? order : -(common[word->folded.size] != '\0');
}

static bool is_common(const struct word *word)
{
    return bsearch(word, common_words, sizeof common_words / sizeof common_words[0],
                   sizeof common_words[0], compare_word) != NULL;
}

struct analyzer *analyzer_new(void)
{
    struct analyzer *analyzer = calloc(1, sizeof *analyzer);

    if (analyzer == NULL) {
        abort();
    }
    analyzer->stemmer = sb_stemmer_new("english", NULL);
    analyzer->cache = calloc(CACHE_ENTRIES, sizeof *analyzer->cache);
    if (analyzer->stemmer == NULL || analyzer->cache == NULL) {
        abort();
    }
    return analyzer;
}

void analyzer_free(struct analyzer *analyzer)
{
    if (analyzer != NULL) {
        sb_stemmer_delete(analyzer->stemmer);
        free(analyzer->cache);
        free(analyzer);
    }
}

static bool is_english(bytes word)
{
    for (size_t i = 0; i < word.size; i++) {
        if (!(word.data[i] >= 'a' && word.data[i] <= 'z') && word.data[i] != '\'') {
            return false;
        }
    }
    return true;
}

/* Where the stemmer leaves nothing of a word, the word stays. */
static bytes stem(const struct analyzer *analyzer, bytes word)
{
    if (!is_english(word)) {
        return word;
    }
    const sb_symbol *stemmed = sb_stemmer_stem(analyzer->stemmer, word.data, (int)word.size);
    size_t size = (size_t)sb_stemmer_length(analyzer->stemmer);
    return stemmed == NULL || size == 0 ? word : (bytes){ .data = stemmed, .size = size };
}

static struct cached *slot_of(const struct analyzer *analyzer, bytes word)
{
    uint32_t hash = 2166136261; /* FNV-1a */

    for (size_t i = 0; i < word.size; i++) {
        hash = (hash ^ word.data[i]) * 16777619;
    }
    return &analyzer->cache[(hash ^ hash >> 15) & (CACHE_ENTRIES - 1)];
}

/* The stem is valid until the next call. */
static bytes look_up(const struct analyzer *analyzer, const struct word *word, bool *ret_common)
{
    bytes text = word->folded;

    if (text.size > CACHED_BYTES) {
        *ret_common = false;
        return stem(analyzer, text);
    }
    struct cached *slot = slot_of(analyzer, text);
    if (slot->word_size != text.size || memcmp(slot->word, text.data, text.size) != 0) {
        bytes stemmed = stem(analyzer, text);
        if (stemmed.size > CACHED_BYTES) {
            *ret_common = false;
            return stemmed;
        }
        *slot = (struct cached){
            .word_size = (uint8_t)text.size,
            .stem_size = (uint8_t)stemmed.size,
            .common = is_common(word),
        };
        memcpy(slot->word, text.data, text.size);
        memcpy(slot->stem, stemmed.data, stemmed.size);
    }
    *ret_common = slot->common;
    return (bytes){ .data = (const uint8_t *)slot->stem, .size = slot->stem_size };
}

struct list {
    struct arena *arena;
    struct term *terms;
    size_t n;
    size_t capacity;
    uint8_t *text; /* where the terms' bytes go */
    size_t left;
};

static struct term *list_add(struct list *list)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity == 0 ? FIRST_TERMS : list->capacity * 2;
        struct term *terms = ARENA_NEW_ARRAY(list->arena, struct term, capacity);
        if (list->n > 0) {
            memcpy(terms, list->terms, list->n * sizeof *terms);
        }
        list->terms = terms;
        list->capacity = capacity;
    }
    return &list->terms[list->n++];
}

static bytes list_text(struct list *list, bytes text)
{
    if (text.size > list->left) { /* now and then folding makes a word longer */
        list->left = text.size + 4096;
        list->text = arena_alloc(list->arena, list->left);
    }
    uint8_t *copy = memcpy(list->text, text.data, text.size);
    list->text += text.size;
    list->left -= text.size;
    return (bytes){ .data = copy, .size = text.size };
}

struct terms analyzer_terms(struct analyzer *analyzer, struct arena *arena, bytes text)
{
    struct words words = words_of(text);
    struct list list = { .arena = arena, .left = text.size };
    struct word word;

    list.text = arena_alloc(arena, text.size);
    while (words_next(&words, &word)) {
        bool common = false;
        bytes stemmed = look_up(analyzer, &word, &common);
        *list_add(&list) = (struct term){
            .text = list_text(&list, stemmed),
            .start = (uint32_t)word.start,
            .end = (uint32_t)word.end,
            .common = common,
        };
    }
    return (struct terms){ .terms = list.terms, .n_terms = list.n };
}
