#include "libs/crypto/api_key.h"

#include "libs/base/text.h"
#include "libs/crypto/secret.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "weft_";
static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
static const char base32[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 of ISO 3309, zlib's: of 70 bytes, so a table would not pay. */
static uint32_t crc32(bytes data)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < data.size; i++) {
        crc ^= data.data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320U : 0);
        }
    }
    return ~crc;
}

static void write_checksum(bytes data, char ret_digits[API_KEY_CHECKSUM_CHARS])
{
    uint32_t crc = crc32(data);

    for (size_t i = API_KEY_CHECKSUM_CHARS; i > 0; i--, crc /= 62) {
        ret_digits[i - 1] = base62[crc % 62];
    }
}

static void fill_digits(const struct random_source *random, const char *digits, char *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = digits[random_below(random, strlen(digits))];
    }
}

const char *api_key_generate(struct arena *arena, const struct random_source *random,
                             const char *purpose, struct api_key *ret_key)
{
    char *text = (char *)secret_alloc(arena, API_KEY_MAX_BYTES + 1);
    char *id = arena_alloc(arena, API_KEY_ID_CHARS + 1);

    assert(strspn(purpose, letters) == strlen(purpose) &&
           strlen(purpose) >= API_KEY_PURPOSE_MIN_CHARS &&
           strlen(purpose) <= API_KEY_PURPOSE_MAX_CHARS);
    fill_digits(random, base32, id, API_KEY_ID_CHARS);
    size_t size = (size_t)snprintf(text, API_KEY_MAX_BYTES, "%s%s_%s_", prefix, purpose, id);
    fill_digits(random, base62, text + size, API_KEY_SECRET_CHARS);
    size += API_KEY_SECRET_CHARS;
    write_checksum((bytes){ .data = (const uint8_t *)text, .size = size }, text + size);
    *ret_key = (struct api_key){ .purpose = arena_strdup(arena, purpose), .id = id };
    return text;
}

/* ---- Reading ---- */

/* Takes min to max characters of the alphabet off the front of text, all that there are. */
static bool take(struct arena *arena, bytes *text, const char *alphabet, size_t min, size_t max,
                 const char **ret_part)
{
    size_t n = 0;

    while (n < text->size && text->data[n] != '\0' && strchr(alphabet, text->data[n]) != NULL) {
        n++;
    }
    if (n < min || n > max) {
        return false;
    }
    *ret_part = arena_printf(arena, "%.*s", (int)n, (const char *)text->data);
    *text = (bytes){ .data = text->data + n, .size = text->size - n };
    return true;
}

static bool skip(bytes *text, const char *word)
{
    size_t n = strlen(word);

    if (text->size < n || memcmp(text->data, word, n) != 0) {
        return false;
    }
    *text = (bytes){ .data = text->data + n, .size = text->size - n };
    return true;
}

/* The secret is looked at and not copied. */
static bool is_secret(bytes rest)
{
    size_t n = 0;

    while (n < rest.size && rest.data[n] != '\0' && strchr(base62, rest.data[n]) != NULL) {
        n++;
    }
    return n == rest.size && n == API_KEY_SECRET_CHARS + API_KEY_CHECKSUM_CHARS;
}

static bool checksum_is_right(bytes text)
{
    bytes body = { .data = text.data, .size = text.size - API_KEY_CHECKSUM_CHARS };
    char digits[API_KEY_CHECKSUM_CHARS];

    write_checksum(body, digits);
    return memcmp(digits, text.data + body.size, sizeof digits) == 0;
}

static status mistake(struct arena *arena, const char *what)
{
    return status_error(arena, STATUS_INVALID_ARGUMENT, "the key %s", what);
}

status api_key_parse(struct arena *arena, bytes text, struct api_key *ret_key)
{
    struct api_key key;
    bytes rest = text;

    if (!skip(&rest, prefix)) {
        return mistake(arena, "does not begin with 'weft_'");
    }
    if (!take(arena, &rest, letters, API_KEY_PURPOSE_MIN_CHARS, API_KEY_PURPOSE_MAX_CHARS,
              &key.purpose) ||
        !skip(&rest, "_")) {
        return mistake(arena, "does not say what it is for");
    }
    if (!take(arena, &rest, base32, API_KEY_ID_CHARS, API_KEY_ID_CHARS, &key.id) ||
        !skip(&rest, "_")) {
        return mistake(arena, "has no id of 16 characters");
    }
    if (!is_secret(rest)) {
        return mistake(arena, "does not end with 38 letters and digits");
    }
    if (!checksum_is_right(text)) {
        return mistake(arena, "has a wrong checksum: a character was lost or changed");
    }
    *ret_key = key;
    return status_ok();
}

struct sha256 api_key_hash(const struct api_key_pepper *pepper, bytes text)
{
    return hmac_sha256((bytes){ .data = pepper->data, .size = sizeof pepper->data }, text);
}
