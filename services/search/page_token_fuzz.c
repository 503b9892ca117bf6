#include "services/search/page_token.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct page_token token;
    char *text = malloc(size + 1);

    if (text == NULL) {
        abort();
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (page_token_decode(text, arena, &token)) {
        assert(isfinite(token.score) && token.id.size > 0 && token.id.size <= 512);
        struct page_token again;
        assert(page_token_decode(page_token_encode(&token, arena), arena, &again));
        assert(again.query == token.query && again.id.size == token.id.size);
    }
    free(text);
    arena_free(arena);
    return 0;
}
