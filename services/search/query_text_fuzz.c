#include "services/search/query_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_query(struct analyzer *analyzer, struct arena *arena, const char *text)
{
    struct query_text query;
    status s = query_text_parse(analyzer, arena, text, &query);

    assert(status_is_ok(s) || s.code == STATUS_INVALID_ARGUMENT);
    if (!status_is_ok(s)) {
        return;
    }
    assert(query.n_terms <= MAX_QUERY_TERMS);
    bool any = query.n_terms == 0;
    for (size_t i = 0; i < query.n_terms; i++) {
        any = any || query.terms[i].count > 0;
    }
    assert(any); /* a query of words asks for one of them */
    for (size_t p = 0; p < query.n_phrases; p++) {
        assert(query.phrases[p].n_terms > 0);
        for (size_t i = 0; i < query.phrases[p].n_terms; i++) {
            assert(query.phrases[p].terms[i] < query.n_terms);
        }
    }
}

/* Words stand in the text, one behind the other. */
static void check_terms(struct analyzer *analyzer, struct arena *arena, bytes text)
{
    struct terms terms = analyzer_terms(analyzer, arena, text);
    uint32_t end = 0;

    for (size_t i = 0; i < terms.n_terms; i++) {
        assert(terms.terms[i].text.size > 0);
        assert(terms.terms[i].start >= end && terms.terms[i].start < terms.terms[i].end);
        end = terms.terms[i].end;
    }
    assert(end <= text.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct analyzer *analyzer = analyzer_new();
    struct arena *arena = arena_new();
    char *text = malloc(size + 1);

    if (text == NULL) {
        abort();
    }
    memcpy(text, data, size);
    text[size] = '\0';
    check_query(analyzer, arena, text);
    check_terms(analyzer, arena, (bytes){ .data = (const uint8_t *)text, .size = size });
    free(text);
    arena_free(arena);
    analyzer_free(analyzer);
    return 0;
}
