#include "libs/crypto/jose.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A set that was taken is within its limits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct jose_keys *keys = NULL;

    if (status_is_ok(jose_keys_parse(arena, (bytes){ data, size }, &keys))) {
        assert(jose_keys_count(keys) <= JOSE_MAX_KEYS);
        assert(jose_keys_find(keys, "") == NULL);
        jose_keys_free(keys);
    }
    arena_free(arena);
    return 0;
}
