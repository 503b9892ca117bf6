#include "libs/base/encoding.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_the_same(const char *text, bytes want)
{
    assert(strlen(text) == want.size);
    assert(want.size == 0 || memcmp(text, want.data, want.size) == 0);
}

/* Each value has one text: what is decoded is encoded to the same text again, and what is encoded
 * is always decoded. */
static void try_base64(struct arena *arena, bytes input, enum base64_alphabet alphabet)
{
    bytes value;

    if (base64_decode(arena, input, alphabet, &value)) {
        is_the_same(base64_encode(arena, value, alphabet), input);
    }
    const char *text = base64_encode(arena, input, alphabet);
    bool is_decoded =
        base64_decode(arena, (bytes){ (const uint8_t *)text, strlen(text) }, alphabet, &value);
    assert(is_decoded && value.size == input.size);
    assert(input.size == 0 || memcmp(value.data, input.data, input.size) == 0);
}

static void try_hex(struct arena *arena, bytes input)
{
    bytes value;

    if (hex_decode(arena, input, &value)) {
        is_the_same(hex_encode(arena, value), input);
    }
    const char *text = hex_encode(arena, input);
    bool is_decoded = hex_decode(arena, (bytes){ (const uint8_t *)text, strlen(text) }, &value);
    assert(is_decoded && value.size == input.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    const bytes input = { .data = data, .size = size };

    try_base64(arena, input, BASE64_STANDARD);
    try_base64(arena, input, BASE64_URL);
    try_hex(arena, input);
    arena_free(arena);
    return 0;
}
