#include "libs/base/utf8.h"

size_t utf8_character_length(bytes data)
{
    /* RFC 3629, section 4: the second byte's range rules out what is overlong, a surrogate,
     * or past U+10FFFF. */
    static const struct {
        uint8_t first, last, second_min, second_max;
        size_t length;
    } forms[] = {
        { 0x01, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    size_t form = 0;

    while (form < sizeof forms / sizeof forms[0] && data.data[0] > forms[form].last) {
        form++;
    }
    if (form == sizeof forms / sizeof forms[0] || data.data[0] < forms[form].first ||
        data.size < forms[form].length) {
        return 0;
    }
    for (size_t i = 1; i < forms[form].length; i++) {
        uint8_t min = i == 1 ? forms[form].second_min : 0x80;
        uint8_t max = i == 1 ? forms[form].second_max : 0xbf;
        if (data.data[i] < min || data.data[i] > max) {
            return 0;
        }
    }
    return forms[form].length;
}

bool utf8_is_valid(bytes data)
{
    while (data.size > 0) {
        size_t length = utf8_character_length(data);
        if (length == 0) {
            return false;
        }
        data.data += length;
        data.size -= length;
    }
    return true;
}

size_t utf8_decode(bytes data, uint32_t *ret_character)
{
    static const uint8_t first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    size_t length = utf8_character_length(data);

    if (length == 0) {
        return 0;
    }
    uint32_t character = data.data[0] & first_bits[length];
    for (size_t i = 1; i < length; i++) {
        character = character << 6 | (data.data[i] & 0x3f);
    }
    *ret_character = character;
    return length;
}
