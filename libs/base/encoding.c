#include "libs/base/encoding.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

const char *hex_encode(struct arena *arena, bytes data)
{
    char *text = arena_alloc(arena, data.size * 2 + 1);

    for (size_t i = 0; i < data.size; i++) {
        text[2 * i] = hex_digits[data.data[i] >> 4];
        text[2 * i + 1] = hex_digits[data.data[i] & 0xf];
    }
    return text;
}

static int hex_value(uint8_t digit)
{
    const char *at = digit == '\0' ? NULL : strchr(hex_digits, digit);

    return at == NULL ? -1 : (int)(at - hex_digits);
}

bool hex_decode(struct arena *arena, bytes text, bytes *ret_data)
{
    uint8_t *data = arena_alloc(arena, text.size / 2 + 1);

    if (text.size % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.size / 2; i++) {
        int high = hex_value(text.data[2 * i]);
        int low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        data[i] = (uint8_t)(high << 4 | low);
    }
    *ret_data = (bytes){ .data = data, .size = text.size / 2 };
    return true;
}

static const char *const alphabets[] = {
    [BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

const char *base64_encode(struct arena *arena, bytes data, enum base64_alphabet alphabet)
{
    const char *digits = alphabets[alphabet];
    char *text = arena_alloc(arena, data.size / 3 * 4 + 5);
    char *out = text;

    for (size_t i = 0; i < data.size; i += 3) {
        size_t n = data.size - i < 3 ? data.size - i : 3;
        uint32_t group = (uint32_t)data.data[i] << 16;
        group |= n > 1 ? (uint32_t)data.data[i + 1] << 8 : 0;
        group |= n > 2 ? data.data[i + 2] : 0;
        for (size_t j = 0; j < 4; j++) {
            if (j <= n) {
                *out++ = digits[group >> (18 - 6 * j) & 0x3f];
            } else if (alphabet == BASE64_STANDARD) {
                *out++ = '=';
            }
        }
    }
    return text;
}

static int base64_value(const char *digits, uint8_t digit)
{
    const char *at = digit == '\0' ? NULL : strchr(digits, digit);

    return at == NULL ? -1 : (int)(at - digits);
}

/* The text without its padding, or false when the padding is not as it must be. */
static bool strip_padding(bytes *text, enum base64_alphabet alphabet)
{
    if (alphabet == BASE64_URL) {
        return text->size % 4 != 1;
    }
    if (text->size % 4 != 0) {
        return false;
    }
    for (int i = 0; i < 2 && text->size > 0 && text->data[text->size - 1] == '='; i++) {
        text->size--;
    }
    return text->size % 4 != 1;
}

bool base64_decode(struct arena *arena, bytes text, enum base64_alphabet alphabet, bytes *ret_data)
{
    uint8_t *data = arena_alloc(arena, text.size / 4 * 3 + 4);
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t size = 0;

    if (!strip_padding(&text, alphabet)) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        int value = base64_value(alphabets[alphabet], text.data[i]);
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            data[size++] = (uint8_t)(bits >> n_bits);
            bits &= (1u << n_bits) - 1;
        }
    }
    if (bits != 0) { /* the last digit's unused bits */
        return false;
    }
    *ret_data = (bytes){ .data = data, .size = size };
    return true;
}
