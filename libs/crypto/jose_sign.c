#include "libs/crypto/jose.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/crypto/secret.h"
#include "libs/crypto/sha256.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COORDINATE_BYTES = 32 };

static const char *coordinate(struct arena *arena, const struct p256_public *key, size_t index)
{
    const uint8_t *point = p256_public_point(key);

    return base64_encode(
        arena, (bytes){ .data = point + 1 + index * COORDINATE_BYTES, .size = COORDINATE_BYTES },
        BASE64_URL);
}

const char *jose_kid(struct arena *arena, const struct p256_public *key)
{
    /* RFC 7638, 3: the required members alone, in the order of their names, without spaces. */
    const char *json =
        arena_printf(arena, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                     coordinate(arena, key, 0), coordinate(arena, key, 1));
    struct sha256 thumbprint = sha256_of(bytes_of(json));

    return base64_encode(arena, sha256_bytes(&thumbprint), BASE64_URL);
}

const char *jose_jwks(struct arena *arena, const struct p256_public *const *keys, size_t n_keys,
                      const char *use)
{
    struct text jwks = text_new(arena);

    text_add(&jwks, "{\"keys\":[");
    for (size_t i = 0; i < n_keys; i++) {
        text_add(&jwks, "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\",",
                 i == 0 ? "" : ",", coordinate(arena, keys[i], 0), coordinate(arena, keys[i], 1));
        text_add(&jwks, "\"kid\":\"%s\",\"use\":\"%s\",\"alg\":\"ES256\"}",
                 jose_kid(arena, keys[i]), use);
    }
    text_add(&jwks, "]}");
    return text_string(&jwks);
}

/* ---- Claims as JSON ---- */

static void add_name(struct text *json, const char *name)
{
    text_add(json, "%s\"%s\":", json->size == 1 ? "" : ",", name);
}

static void add_text(struct text *json, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        add_name(json, name);
        text_add_json(json, bytes_of(value));
    }
}

static void add_time(struct text *json, const char *name, int64_t seconds)
{
    if (seconds != 0) {
        add_name(json, name);
        text_add(json, "%" PRId64, seconds);
    }
}

static void add_texts(struct text *json, const char *name, const struct jose_texts *list)
{
    if (list->n_texts == 0) {
        return;
    }
    add_name(json, name);
    for (size_t i = 0; i < list->n_texts; i++) {
        text_add(json, "%s", i == 0 ? "[" : ",");
        text_add_json(json, bytes_of(list->texts[i]));
    }
    text_add(json, "]");
}

static bytes claims_json(struct arena *arena, const struct jose_claims *claims)
{
    struct text json = text_new(arena);

    text_add(&json, "{");
    add_text(&json, "iss", claims->issuer);
    add_text(&json, "sub", claims->subject);
    add_texts(&json, "aud", &claims->audiences);
    add_time(&json, "exp", claims->expires_s);
    add_time(&json, "nbf", claims->not_before_s);
    add_time(&json, "iat", claims->issued_s);
    add_text(&json, "jti", claims->id);
    add_text(&json, "tenant", claims->tenant);
    add_text(&json, "cred", claims->credential);
    add_texts(&json, "roles", &claims->roles);
    add_texts(&json, "permissions", &claims->permissions);
    text_add(&json, "}");
    return text_bytes(&json);
}

/* ---- A token ---- */

/* It becomes a secret only with its signature, so what was before need not be wiped. */
static const char *with_signature(struct arena *arena, const char *signed_text,
                                  const struct p256_key *key)
{
    uint8_t raw[P256_SIGNATURE_BYTES];

    p256_sign(key, bytes_of(signed_text), raw);
    const char *signature = base64_encode(arena, (bytes){ raw, sizeof raw }, BASE64_URL);
    size_t size = strlen(signed_text) + 1 + strlen(signature) + 1;
    char *token = (char *)secret_alloc(arena, size);
    (void)snprintf(token, size, "%s.%s", signed_text, signature);
    return token;
}

status jose_sign(struct arena *arena, const struct p256_key *key, const char *type,
                 const struct jose_claims *claims, const char **ret_token)
{
    const char *header = arena_printf(arena, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"%s\"}",
                                      jose_kid(arena, p256_key_public(key)), type);

    if (claims->expires_s <= 0) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "a token needs an end");
    }
    const char *text =
        arena_printf(arena, "%s.%s", base64_encode(arena, bytes_of(header), BASE64_URL),
                     base64_encode(arena, claims_json(arena, claims), BASE64_URL));
    const char *token = with_signature(arena, text, key);
    if (strlen(token) > JOSE_MAX_TOKEN_BYTES) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "the token would be longer than %d bytes", JOSE_MAX_TOKEN_BYTES);
    }
    *ret_token = token;
    return status_ok();
}
