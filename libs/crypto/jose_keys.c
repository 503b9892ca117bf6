#include "libs/crypto/jose.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"

#include <jansson.h>
#include <openssl/ec.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct named_key {
    char *kid; /* owned */
    struct p256_public *key;
};

struct jose_keys {
    struct named_key keys[JOSE_MAX_KEYS];
    size_t n_keys;
};

static void free_json(json_t **json)
{
    json_decref(*json);
}

void jose_keys_free(struct jose_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->n_keys; i++) {
        free(keys->keys[i].kid);
        p256_public_free(keys->keys[i].key);
    }
    free(keys);
}

size_t jose_keys_count(const struct jose_keys *keys)
{
    return keys->n_keys;
}

const struct p256_public *jose_keys_find(const struct jose_keys *keys, const char *kid)
{
    for (size_t i = 0; i < keys->n_keys; i++) {
        if (strcmp(keys->keys[i].kid, kid) == 0) {
            return keys->keys[i].key;
        }
    }
    return NULL;
}

/* "" when it is not there or no text. */
static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static bool is_one_of(const char *text, const char *first, const char *second)
{
    return strcmp(text, first) == 0 || strcmp(text, second) == 0;
}

/* What is not there leaves the key for everything (RFC 7517, 4.2 and 4.4). */
static bool is_of_our_kind(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    const json_t *alg = json_object_get(jwk, "alg");

    return strcmp(member(jwk, "kty"), "EC") == 0 && strcmp(member(jwk, "crv"), "P-256") == 0 &&
           (use == NULL || is_one_of(member(jwk, "use"), "sig", "jwt-svid")) &&
           (alg == NULL || strcmp(member(jwk, "alg"), "ES256") == 0);
}

static status mistake(struct arena *arena, size_t index, const char *what)
{
    return status_error(arena, STATUS_INVALID_ARGUMENT, "key %zu of the JWKS %s", index + 1, what);
}

static bool read_coordinate(struct arena *arena, const json_t *jwk, const char *name,
                            uint8_t ret_number[P256_SECRET_BYTES])
{
    bytes number = { 0 };

    if (!base64_decode(arena, bytes_of(member(jwk, name)), BASE64_URL, &number) ||
        number.size != P256_SECRET_BYTES) {
        return false;
    }
    memcpy(ret_number, number.data, number.size);
    return true;
}

static status read_key(struct arena *arena, const json_t *jwk, size_t index,
                       struct p256_public **ret_key)
{
    uint8_t point[P256_POINT_BYTES] = { POINT_CONVERSION_UNCOMPRESSED };

    if (json_object_get(jwk, "d") != NULL) {
        return mistake(arena, index, "is a private one");
    }
    if (!read_coordinate(arena, jwk, "x", point + 1) ||
        !read_coordinate(arena, jwk, "y", point + 1 + P256_SECRET_BYTES)) {
        return mistake(arena, index, "has not two coordinates of 32 bytes");
    }
    struct p256_public *key = p256_public_from_point(point);
    if (key == NULL) {
        return mistake(arena, index, "is no point of the curve");
    }
    *ret_key = key;
    return status_ok();
}

static status add_key(struct arena *arena, struct jose_keys *keys, const json_t *jwk, size_t index)
{
    const char *kid = member(jwk, "kid");
    struct p256_public *key = NULL;

    if (kid[0] == '\0' || strlen(kid) > JOSE_MAX_KID_BYTES) {
        return mistake(arena, index, "has no name of 1 to 128 bytes");
    }
    if (jose_keys_find(keys, kid) != NULL) {
        return mistake(arena, index, "has the name of another");
    }
    if (keys->n_keys == JOSE_MAX_KEYS) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "a JWKS has %d keys at most",
                            JOSE_MAX_KEYS);
    }
    TRY(read_key(arena, jwk, index, &key));
    char *copy = strdup(kid);
    if (copy == NULL) {
        abort();
    }
    keys->keys[keys->n_keys++] = (struct named_key){ .kid = copy, .key = key };
    return status_ok();
}

static status add_keys(struct arena *arena, struct jose_keys *keys, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *jwk = json_array_get(list, i);
        if (is_of_our_kind(jwk)) {
            TRY(add_key(arena, keys, jwk, i));
        }
    }
    return status_ok();
}

status jose_keys_parse(struct arena *arena, bytes jwks, struct jose_keys **ret_keys)
{
    if (jwks.size > JOSE_MAX_JWKS_BYTES) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "a JWKS has %d bytes at most",
                            JOSE_MAX_JWKS_BYTES);
    }
    CLEANUP(free_json)
    json_t *json = json_loadb((const char *)jwks.data, jwks.size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(json, "keys");
    if (!json_is_array(list)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "this is no JWKS");
    }
    struct jose_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL) {
        abort();
    }
    status s = add_keys(arena, keys, list);
    if (!status_is_ok(s)) {
        jose_keys_free(keys);
        return s;
    }
    *ret_keys = keys;
    return status_ok();
}
