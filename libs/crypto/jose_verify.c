#include "libs/crypto/jose.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* The four pieces of "header.claims.signature". */
struct parts {
    bytes header;
    bytes claims;
    bytes signature;
    bytes signed_text; /* "header.claims" */
};

static void free_json(json_t **json)
{
    json_decref(*json);
}

static status refuse(struct arena *arena, const char *why)
{
    return status_error(arena, STATUS_UNAUTHENTICATED, "the token %s", why);
}

/* ---- The form ---- */

static bytes until(bytes text, const uint8_t *end)
{
    return (bytes){ .data = text.data, .size = (size_t)(end - text.data) };
}

static bytes after(bytes text, const uint8_t *dot)
{
    return (bytes){ .data = dot + 1, .size = (size_t)(text.data + text.size - dot) - 1 };
}

/* A third dot is in the signature, which base64url then refuses. */
static bool cut(bytes token, struct parts *ret_parts)
{
    const uint8_t *dot = memchr(token.data, '.', token.size);

    if (dot == NULL) {
        return false;
    }
    bytes rest = after(token, dot);
    const uint8_t *second = memchr(rest.data, '.', rest.size);
    if (second == NULL) {
        return false;
    }
    *ret_parts = (struct parts){
        .header = until(token, dot),
        .claims = until(rest, second),
        .signature = after(rest, second),
        .signed_text = until(token, second),
    };
    return true;
}

/* NULL when it is no JSON object, or has a member twice.  The caller owns it: json_decref(). */
static json_t *read_object(struct arena *arena, bytes part)
{
    bytes text = { 0 };

    if (!base64_decode(arena, part, BASE64_URL, &text) || text.size == 0) {
        return NULL;
    }
    json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json)) {
        return json;
    }
    json_decref(json);
    return NULL;
}

/* ---- The header ---- */

static bool is_text(const json_t *object, const char *name, const char *want)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL && strcmp(text, want) == 0;
}

static status find_key(struct arena *arena, const struct jose_keys *keys, bytes header,
                       const char *type, const struct p256_public **ret_key)
{
    CLEANUP(free_json) json_t *json = read_object(arena, header);

    if (json == NULL) {
        return refuse(arena, "has no header");
    }
    if (!is_text(json, "alg", "ES256")) {
        return refuse(arena, "is not signed by ES256");
    }
    if (json_object_get(json, "crit") != NULL) {
        return refuse(arena, "asks for an extension that is not known");
    }
    if (!is_text(json, "typ", type)) {
        return refuse(arena, "is of another type");
    }
    const char *kid = json_string_value(json_object_get(json, "kid"));
    const struct p256_public *key = kid == NULL ? NULL : jose_keys_find(keys, kid);
    if (key == NULL) {
        return refuse(arena, "is signed by a key that is not known");
    }
    *ret_key = key;
    return status_ok();
}

/* ---- The claims ---- */

/* What is there must be of its type: a claim that is passed over might be one that restricts. */
static bool read_text(struct arena *arena, const json_t *object, const char *name,
                      const char **ret_text)
{
    const json_t *value = json_object_get(object, name);

    *ret_text = json_is_string(value) ? arena_strdup(arena, json_string_value(value)) : "";
    return value == NULL || json_is_string(value);
}

/* Whole seconds, and none before 1970. */
static bool read_time(const json_t *object, const char *name, int64_t *ret_seconds)
{
    const json_t *value = json_object_get(object, name);

    *ret_seconds = json_integer_value(value);
    return value == NULL || (json_is_integer(value) && *ret_seconds >= 0);
}

/* A list of texts, or one text alone, as RFC 7519, 4.1.3, allows for aud. */
static bool read_texts(struct arena *arena, const json_t *object, const char *name,
                       struct jose_texts *ret_list)
{
    const json_t *value = json_object_get(object, name);
    size_t n = json_is_string(value) ? 1 : json_array_size(value);
    const char **texts = ARENA_NEW_ARRAY(arena, const char *, n + 1);

    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_string(value) ? value : json_array_get(value, i);
        if (!json_is_string(item)) {
            return false;
        }
        texts[i] = arena_strdup(arena, json_string_value(item));
    }
    *ret_list = (struct jose_texts){ .texts = texts, .n_texts = n };
    return value == NULL || json_is_string(value) || json_is_array(value);
}

static bool read_claims(struct arena *arena, const json_t *json, struct jose_claims *claims)
{
    return read_text(arena, json, "iss", &claims->issuer) &&
           read_text(arena, json, "sub", &claims->subject) &&
           read_texts(arena, json, "aud", &claims->audiences) &&
           read_time(json, "exp", &claims->expires_s) &&
           read_time(json, "nbf", &claims->not_before_s) &&
           read_time(json, "iat", &claims->issued_s) &&
           read_text(arena, json, "jti", &claims->id) &&
           read_text(arena, json, "tenant", &claims->tenant) &&
           read_text(arena, json, "cred", &claims->credential) &&
           read_texts(arena, json, "roles", &claims->roles) &&
           read_texts(arena, json, "permissions", &claims->permissions);
}

static bool is_among(const struct jose_texts *list, const char *text)
{
    for (size_t i = 0; i < list->n_texts; i++) {
        if (strcmp(list->texts[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* In seconds, so that no number of a token overflows. */
static status check_time(struct arena *arena, const struct jose_claims *claims,
                         const struct jose_expectation *expectation)
{
    int64_t earliest_s = (expectation->now_ms - expectation->leeway_ms) / 1000;
    int64_t latest_s = (expectation->now_ms + expectation->leeway_ms) / 1000;

    if (claims->expires_s == 0) {
        return refuse(arena, "has no end");
    }
    if (claims->expires_s <= earliest_s) { /* RFC 7519, 4.1.4: on or after */
        return refuse(arena, "has expired");
    }
    if (claims->not_before_s > latest_s || claims->issued_s > latest_s) {
        return refuse(arena, "is not valid yet");
    }
    return status_ok();
}

static status check_claims(struct arena *arena, const struct jose_claims *claims,
                           const struct jose_expectation *expectation)
{
    TRY(check_time(arena, claims, expectation));
    if (expectation->issuer != NULL && strcmp(claims->issuer, expectation->issuer) != 0) {
        return refuse(arena, "is from another issuer");
    }
    if (expectation->audience != NULL && !is_among(&claims->audiences, expectation->audience)) {
        return refuse(arena, "is for another audience");
    }
    return status_ok();
}

/* ---- All of it ---- */

static bool is_signed(struct arena *arena, const struct parts *parts, const struct p256_public *key)
{
    bytes signature = { 0 };

    return base64_decode(arena, parts->signature, BASE64_URL, &signature) &&
           p256_verify(key, parts->signed_text, signature);
}

status jose_verify(struct arena *arena, const struct jose_keys *keys, bytes token,
                   const struct jose_expectation *expectation, struct jose_claims *ret_claims)
{
    const struct p256_public *key = NULL;
    struct jose_claims claims;
    struct parts parts;

    if (token.size > JOSE_MAX_TOKEN_BYTES) {
        return refuse(arena, "is longer than 8192 bytes");
    }
    if (token.size == 0 || !cut(token, &parts)) {
        return refuse(arena, "has not three parts");
    }
    TRY(find_key(arena, keys, parts.header, expectation->type, &key));
    if (!is_signed(arena, &parts, key)) {
        return refuse(arena, "has a signature that is not good");
    }
    CLEANUP(free_json) json_t *json = read_object(arena, parts.claims);
    if (json == NULL || !read_claims(arena, json, &claims)) {
        return refuse(arena, "has claims that are not well formed");
    }
    TRY(check_claims(arena, &claims, expectation));
    *ret_claims = claims;
    return status_ok();
}
