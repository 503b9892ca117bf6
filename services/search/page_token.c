#include "services/search/page_token.h"

#include "libs/base/crc32c.h"
#include "libs/base/encoding.h"
#include "services/search/pack.h"
#include "services/search/search_document.h"

#include <math.h>

enum {
    TOKEN_VERSION = 1,
    MAX_TOKEN_CHARACTERS = 1024, /* 512 bytes of id, 30 of numbers, in base64 */
};

const char *page_token_encode(const struct page_token *token, struct arena *arena)
{
    struct text out = text_new(arena);
    uint64_t score;

    memcpy(&score, &token->score, sizeof score);
    pack_varint(&out, TOKEN_VERSION);
    pack_u32(&out, token->query);
    pack_varint(&out, token->revision);
    pack_u64(&out, score);
    pack_string(&out, token->id);
    pack_u32(&out, crc32c(text_bytes(&out)));
    return base64_encode(arena, text_bytes(&out), BASE64_URL);
}

static bool unpack(bytes data, struct page_token *ret_token)
{
    struct unpack in = unpack_of(data);
    uint64_t version = unpack_varint(&in);
    struct page_token token = { .query = unpack_u32(&in) };

    token.revision = unpack_varint(&in);
    uint64_t score = unpack_u64(&in);
    token.id = unpack_string(&in);
    memcpy(&token.score, &score, sizeof score);
    if (in.failed || version != TOKEN_VERSION || unpack_left(&in) > 0 || !isfinite(token.score) ||
        token.id.size == 0 || token.id.size > MAX_DOCUMENT_ID_BYTES) {
        return false;
    }
    *ret_token = token;
    return true;
}

bool page_token_decode(const char *text, struct arena *arena, struct page_token *ret_token)
{
    bytes data;

    if (strlen(text) > MAX_TOKEN_CHARACTERS ||
        !base64_decode(arena, bytes_of(text), BASE64_URL, &data) || data.size < 4) {
        return false;
    }
    bytes covered = { .data = data.data, .size = data.size - 4 };
    return crc32c(covered) == load_u32(data.data + covered.size) && unpack(covered, ret_token);
}
