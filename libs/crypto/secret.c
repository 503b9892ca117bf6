#include "libs/crypto/secret.h"

#include <string.h>

struct secret {
    size_t size;
    uint8_t data[];
};

static void wipe(void *data)
{
    struct secret *secret = data;

    explicit_bzero(secret->data, secret->size);
}

uint8_t *secret_alloc(struct arena *arena, size_t size)
{
    struct secret *secret = arena_alloc(arena, sizeof *secret + size);

    secret->size = size;
    arena_defer(arena, wipe, secret);
    return secret->data;
}

uint8_t *secret_copy(struct arena *arena, bytes data)
{
    uint8_t *copy = secret_alloc(arena, data.size + 1);

    if (data.size > 0) {
        memcpy(copy, data.data, data.size);
    }
    return copy;
}

void secret_wipe(bytes data)
{
    if (data.size > 0) {
        /* By way of a number, since a view is const to all who may only read. */
        explicit_bzero((void *)(uintptr_t)data.data, data.size);
    }
}
