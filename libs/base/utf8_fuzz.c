#include "libs/base/utf8.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t encode(uint32_t character, uint8_t out[4])
{
    static const uint8_t marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    size_t length = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

    for (size_t i = length; i-- > 1; character >>= 6) {
        out[i] = (uint8_t)(0x80 | (character & 0x3f));
    }
    out[0] = (uint8_t)(marks[length] | character);
    return length;
}

/* What is a character is one that may be, and its bytes are the only ones for it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes rest = { .data = data, .size = size };
    bool is_valid = true;

    while (rest.size > 0) {
        uint32_t character = 0;
        uint8_t again[4];
        size_t length = utf8_decode(rest, &character);
        assert(length == utf8_character_length(rest));
        if (length == 0) {
            is_valid = false;
            length = 1;
        } else {
            assert(character > 0 && character <= 0x10ffff);
            assert(character < 0xd800 || character > 0xdfff);
            assert(encode(character, again) == length && memcmp(again, rest.data, length) == 0);
        }
        rest.data += length;
        rest.size -= length;
    }
    assert(utf8_is_valid((bytes){ data, size }) == is_valid);
    return 0;
}
