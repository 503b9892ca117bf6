#include "services/search/search_document.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What can be read can be written, and is then the same to the byte. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct search_document document;
    struct search_document again;
    uint8_t *copy = malloc(size); /* of exactly this size, for AddressSanitizer */

    if (copy == NULL && size > 0) {
        abort();
    }
    memcpy(copy, data, size);
    if (search_document_decode((bytes){ .data = copy, .size = size }, arena, &document)) {
        bytes first = search_document_encode(&document, arena);
        assert(search_document_decode(first, arena, &again));
        bytes second = search_document_encode(&again, arena);
        assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    }
    free(copy);
    arena_free(arena);
    return 0;
}
