#include "libs/crypto/jose.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

static const int64_t now_s = 1795000000;

struct fixture {
    struct arena *arena;
    struct p256_key *key;
    struct p256_key *other;
    struct jose_keys *keys; /* with key alone */
    const char *kid;
    struct jose_claims claims;
    struct jose_expectation expectation;
};

static struct jose_keys *keys_of(struct arena *arena, const struct p256_key *key)
{
    const struct p256_public *public = p256_key_public(key);
    struct jose_keys *keys = NULL;

    assert_status(jose_keys_parse(arena, bytes_of(jose_jwks(arena, &public, 1, "sig")), &keys),
                  STATUS_OK);
    return keys;
}

static const char *const audiences[] = { "weft", "other" };
static const char *const permissions[] = { "project:apt:data:publish", "project:apt:data:read" };
static const char *const roles[] = { "publisher" };

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct seeded_random random;

    seeded_random_init(&random, 8);
    f->arena = arena_new();
    f->key = p256_key_generate(&random.source);
    f->other = p256_key_generate(&random.source);
    f->keys = keys_of(f->arena, f->key);
    f->kid = jose_kid(f->arena, p256_key_public(f->key));
    f->claims = (struct jose_claims){
        .issuer = "https://auth.weft",
        .subject = "user:ada \"the first\" \xc3\xa4",
        .audiences = { audiences, 2 },
        .expires_s = now_s + 900,
        .not_before_s = now_s,
        .issued_s = now_s,
        .id = "01hf7yat00",
        .tenant = "acme",
        .credential = "key:abc",
        .roles = { roles, 1 },
        .permissions = { permissions, 2 },
    };
    f->expectation = (struct jose_expectation){
        .type = JOSE_ACCESS_TOKEN,
        .issuer = "https://auth.weft",
        .audience = "weft",
        .now_ms = now_s * 1000,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    jose_keys_free(f->keys);
    p256_key_free(f->key);
    p256_key_free(f->other);
    arena_free(f->arena);
    free(f);
    return 0;
}

static status verify(struct fixture *f, const char *token, struct jose_claims *ret_claims)
{
    return jose_verify(f->arena, f->keys, bytes_of(token), &f->expectation, ret_claims);
}

static const char *base64url(struct fixture *f, const char *text)
{
    return base64_encode(f->arena, bytes_of(text), BASE64_URL);
}

static const char *sign_text(struct fixture *f, const struct p256_key *key, const char *text)
{
    uint8_t signature[P256_SIGNATURE_BYTES];

    p256_sign(key, bytes_of(text), signature);
    return arena_printf(
        f->arena, "%s.%s", text,
        base64_encode(f->arena, (bytes){ signature, sizeof signature }, BASE64_URL));
}

/* A token of any header and claims, rightly signed. */
static const char *token_of(struct fixture *f, const char *header, const char *claims)
{
    return sign_text(f, f->key,
                     arena_printf(f->arena, "%s.%s", base64url(f, header), base64url(f, claims)));
}

static const char *header_of(struct fixture *f, const char *more)
{
    return arena_printf(f->arena, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"%s}", f->kid,
                        more);
}

/* ---- What is right ---- */

static void what_was_signed_is_verified_and_says_the_same(void **state)
{
    struct fixture *f = *state;
    const char *token = NULL;
    struct jose_claims claims;

    assert_status(jose_sign(f->arena, f->key, JOSE_ACCESS_TOKEN, &f->claims, &token), STATUS_OK);
    assert_status(verify(f, token, &claims), STATUS_OK);
    assert_string_equal(claims.issuer, f->claims.issuer);
    assert_string_equal(claims.subject, f->claims.subject);
    assert_int_equal(claims.audiences.n_texts, 2);
    assert_string_equal(claims.audiences.texts[1], "other");
    assert_int_equal(claims.expires_s, f->claims.expires_s);
    assert_int_equal(claims.not_before_s, f->claims.not_before_s);
    assert_int_equal(claims.issued_s, f->claims.issued_s);
    assert_string_equal(claims.id, f->claims.id);
    assert_string_equal(claims.tenant, "acme");
    assert_string_equal(claims.credential, "key:abc");
    assert_int_equal(claims.roles.n_texts, 1);
    assert_string_equal(claims.roles.texts[0], "publisher");
    assert_int_equal(claims.permissions.n_texts, 2);
    assert_string_equal(claims.permissions.texts[1], permissions[1]);
}

static void what_a_token_does_not_say_is_empty(void **state)
{
    struct fixture *f = *state;
    const char *token = NULL;
    struct jose_claims claims;

    f->claims = (struct jose_claims){ .expires_s = now_s + 1 };
    f->expectation.issuer = NULL;
    f->expectation.audience = NULL;
    assert_status(jose_sign(f->arena, f->key, JOSE_ACCESS_TOKEN, &f->claims, &token), STATUS_OK);
    assert_status(verify(f, token, &claims), STATUS_OK);
    assert_string_equal(claims.subject, "");
    assert_string_equal(claims.tenant, "");
    assert_int_equal(claims.permissions.n_texts, 0);
    f->expectation.audience = "weft";
    assert_status(verify(f, token, &claims), STATUS_UNAUTHENTICATED);
}

static void times_have_edges_and_leeway(void **state)
{
    static const struct {
        int64_t at_ms;
        int64_t leeway_ms;
        const char *message; /* NULL: taken */
    } cases[] = {
        { 0, 0, NULL },
        { 899999, 0, NULL },
        { 900000, 0, "has expired" },
        { 900000, 1000, NULL },
        { 959999, 60000, NULL },
        { 960000, 60000, "has expired" },
        { -1, 0, "not valid yet" },
        { -60000, 60000, NULL },
        { -60001, 60000, "not valid yet" },
    };
    struct fixture *f = *state;
    const char *token = NULL;

    assert_status(jose_sign(f->arena, f->key, JOSE_ACCESS_TOKEN, &f->claims, &token), STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jose_claims claims;
        f->expectation.now_ms = now_s * 1000 + cases[i].at_ms;
        f->expectation.leeway_ms = cases[i].leeway_ms;
        status s = verify(f, token, &claims);
        if (status_is_ok(s) != (cases[i].message == NULL) ||
            (cases[i].message != NULL && strstr(s.message, cases[i].message) == NULL)) {
            fail_msg("case %zu: %s (%s)", i, status_code_name(s.code), s.message);
        }
    }
}

/* RFC 7519, 4.1.3: one audience need not be a list. */
static void one_audience_may_stand_alone(void **state)
{
    struct fixture *f = *state;
    struct jose_claims claims;
    const char *json = "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\",\"exp\":1795000001}";

    assert_status(verify(f, token_of(f, header_of(f, ""), json), &claims), STATUS_OK);
    assert_int_equal(claims.audiences.n_texts, 1);
}

/* What a token brings along to be believed by is not looked at. */
static void keys_and_addresses_in_the_header_are_passed_over(void **state)
{
    static const char *const more[] = {
        ",\"jku\":\"https://evil.example/jwks\"",
        ",\"x5u\":\"https://evil.example/x\"",
        ",\"x5c\":[\"MAEB\"]",
        ",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}",
        ",\"b64\":true",
    };
    struct fixture *f = *state;
    const char *json = "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\",\"exp\":1795000001}";

    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        struct jose_claims claims;
        assert_status(verify(f, token_of(f, header_of(f, more[i]), json), &claims), STATUS_OK);
    }
}

/* ---- What is not ---- */

static void headers_that_are_not_ours_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *header;
        const char *message;
    } cases[] = {
        { "{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", "not signed by ES256" },
        { "{\"alg\":\"None\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", "not signed by ES256" },
        { "{\"alg\":\"\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", "not signed by ES256" },
        { "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", "not signed by ES256" },
        { "{\"alg\":\"es256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", "not signed by ES256" },
        { "{\"alg\":\"ES384\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", "not signed by ES256" },
        { "{\"alg\":[\"ES256\"],\"typ\":\"at+jwt\",\"kid\":\"%s\"}", "not signed by ES256" },
        { "{\"typ\":\"at+jwt\",\"kid\":\"%s\"}", "not signed by ES256" },
        { "{\"alg\":\"ES256\",\"kid\":\"%s\"}", "another type" },
        { "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", "another type" },
        { "{\"alg\":\"ES256\",\"typ\":7,\"kid\":\"%s\"}", "another type" },
        { "{\"alg\":\"ES256\",\"typ\":\"logout+jwt\",\"kid\":\"%s\"}", "another type" },
        { "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"crit\":[\"exp\"]}", "extension" },
        { "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"crit\":[]}", "extension" },
        { "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"b64\":false,\"crit\":[\"b64\"]}",
          "extension" },
        { "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"x\":\"%s\"}", "key that is not known" },
        { "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"../%s\"}", "key that is not known" },
        { "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"' OR '1'='1%s\"}",
          "key that is not known" },
        { "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":[\"%s\"]}", "key that is not known" },
        { "{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", "no header" },
        { "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\\u0000\"}", "no header" },
        { "[\"%s\"]", "no header" },
        { "\"%s\"", "no header" },
        { "{%s", "no header" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jose_claims claims;
        struct text header = text_new(f->arena);
        const char *at = strstr(cases[i].header, "%s");
        text_add(&header, "%.*s%s%s", (int)(at - cases[i].header), cases[i].header, f->kid, at + 2);
        const char *token = token_of(f, text_string(&header),
                                     "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\","
                                     "\"exp\":1795000001}");
        status s = verify(f, token, &claims);
        if (s.code != STATUS_UNAUTHENTICATED || strstr(s.message, cases[i].message) == NULL) {
            fail_msg("'%s': %s (%s)", cases[i].header, status_code_name(s.code), s.message);
        }
    }
}

static void claims_that_are_not_ours_are_refused(void **state)
{
    static const struct {
        const char *claims;
        const char *message;
    } cases[] = {
        { "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\"}", "no end" },
        { "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\",\"exp\":0}", "no end" },
        { "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\",\"exp\":1794999999}", "has expired" },
        { "{\"aud\":\"weft\",\"exp\":1795000001}", "another issuer" },
        { "{\"iss\":\"https://auth.weft/\",\"aud\":\"weft\",\"exp\":1795000001}",
          "another issuer" },
        { "{\"iss\":\"https://auth.weft\",\"exp\":1795000001}", "another audience" },
        { "{\"iss\":\"https://auth.weft\",\"aud\":[],\"exp\":1795000001}", "another audience" },
        { "{\"iss\":\"https://auth.weft\",\"aud\":\"wef\",\"exp\":1795000001}",
          "another audience" },
        { "{\"iss\":\"https://auth.weft\",\"aud\":[\"a\",\"b\"],\"exp\":1795000001}",
          "another audience" },
        { "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\",\"exp\":1795000001,\"nbf\":1795000001}",
          "not valid yet" },
        { "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\",\"exp\":1795000001,\"iat\":1795000001}",
          "not valid yet" },
        { "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\",\"exp\":9223372036854775807,"
          "\"nbf\":9223372036854775807}",
          "not valid yet" },
        { "{\"aud\":\"weft\",\"exp\":\"1795000001\"}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":1795000001.5}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":1e300}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":-1}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":99999999999999999999}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":null}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":1795000001,\"nbf\":\"x\"}", "not well formed" },
        { "{\"aud\":7,\"exp\":1795000001}", "not well formed" },
        { "{\"aud\":[\"weft\",7],\"exp\":1795000001}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":1795000001,\"tenant\":{}}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":1795000001,\"permissions\":{\"a\":1}}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":1795000001,\"permissions\":[[]]}", "not well formed" },
        { "{\"aud\":\"weft\",\"exp\":1795000001,\"exp\":1795000001}", "not well formed" },
        { "[]", "not well formed" },
        { "", "not well formed" },
        { "{} ", "no end" },
        { "{}{}", "not well formed" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jose_claims claims;
        status s = verify(f, token_of(f, header_of(f, ""), cases[i].claims), &claims);
        if (s.code != STATUS_UNAUTHENTICATED || strstr(s.message, cases[i].message) == NULL) {
            fail_msg("'%s': %s (%s)", cases[i].claims, status_code_name(s.code), s.message);
        }
    }
}

static void deep_nesting_is_refused_or_passed_over_but_survived(void **state)
{
    struct fixture *f = *state;
    struct jose_claims claims;
    struct text json = text_new(f->arena);

    text_add(&json, "{\"x\":");
    for (int i = 0; i < 5500; i++) {
        text_add(&json, "[");
    }
    assert_status(verify(f, token_of(f, header_of(f, ""), text_string(&json)), &claims),
                  STATUS_UNAUTHENTICATED);
}

static void another_key_is_not_taken_for_this_one(void **state)
{
    struct fixture *f = *state;
    struct jose_claims claims;
    const char *text = arena_printf(f->arena, "%s.%s", base64url(f, header_of(f, "")),
                                    base64url(f, "{\"iss\":\"https://auth.weft\",\"aud\":\"weft\","
                                                 "\"exp\":1795000001}"));
    const char *token = NULL;

    assert_status(verify(f, sign_text(f, f->key, text), &claims), STATUS_OK);
    status s = verify(f, sign_text(f, f->other, text), &claims);
    assert_status(s, STATUS_UNAUTHENTICATED);
    assert_string_equal(s.message, "the token has a signature that is not good");
    assert_status(jose_sign(f->arena, f->other, JOSE_ACCESS_TOKEN, &f->claims, &token), STATUS_OK);
    assert_status(verify(f, token, &claims), STATUS_UNAUTHENTICATED);
}

/* Bits of the last character that carry nothing must be zero, or one token had several texts. */
static void a_token_changed_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *token = NULL;

    assert_status(jose_sign(f->arena, f->key, JOSE_ACCESS_TOKEN, &f->claims, &token), STATUS_OK);
    const size_t size = strlen(token);
    for (size_t i = 0; i < size; i++) {
        struct jose_claims claims;
        char *changed = arena_strdup(f->arena, token);
        for (const char *with = "AZaz09-_.=+/\n "; *with != '\0'; with++) {
            changed[i] = *with;
            if (*with != token[i]) {
                assert_status(verify(f, changed, &claims), STATUS_UNAUTHENTICATED);
            }
        }
        assert_status(jose_verify(f->arena, f->keys, (bytes){ (const uint8_t *)token, i },
                                  &f->expectation, &claims),
                      STATUS_UNAUTHENTICATED);
    }
}

static void what_has_not_three_parts_is_no_token(void **state)
{
    struct fixture *f = *state;
    const char *token = NULL;
    struct jose_claims claims;

    assert_status(jose_sign(f->arena, f->key, JOSE_ACCESS_TOKEN, &f->claims, &token), STATUS_OK);
    const char *const cases[] = {
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        arena_printf(f->arena, "%s.", token),
        arena_printf(f->arena, ".%s", token),
        arena_printf(f->arena, "%s.AAAA.AAAA", token), /* as an encrypted one has */
        arena_printf(f->arena, "%s=", token),
        arena_printf(f->arena, "%s\n", token),
        arena_printf(f->arena, "Bearer %s", token),
        arena_printf(f->arena, "%.*s", (int)(strrchr(token, '.') - token), token),
        arena_printf(f->arena, "%.*s", (int)(strrchr(token, '.') - token) + 1, token),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_status(verify(f, cases[i], &claims), STATUS_UNAUTHENTICATED);
    }
}

static void a_token_has_a_limit(void **state)
{
    struct fixture *f = *state;
    struct text tenant = text_new(f->arena);
    const char *token = NULL;
    struct jose_claims claims;

    text_add(&tenant, "a");
    f->claims.tenant = text_string(&tenant);
    while (status_is_ok(jose_sign(f->arena, f->key, JOSE_ACCESS_TOKEN, &f->claims, &token))) {
        assert_status(verify(f, token, &claims), STATUS_OK);
        text_add(&tenant, "%0100d", 0);
        f->claims.tenant = text_string(&tenant);
    }
    assert_true(strlen(token) > JOSE_MAX_TOKEN_BYTES - 200);
    char *long_token = arena_alloc(f->arena, JOSE_MAX_TOKEN_BYTES + 2);
    memset(long_token, 'a', JOSE_MAX_TOKEN_BYTES + 1);
    status s = verify(f, long_token, &claims);
    assert_string_equal(s.message, "the token is longer than 8192 bytes");
}

static void a_token_without_end_is_not_made(void **state)
{
    struct fixture *f = *state;
    const char *token = NULL;

    f->claims.expires_s = 0;
    assert_status(jose_sign(f->arena, f->key, JOSE_ACCESS_TOKEN, &f->claims, &token),
                  STATUS_INVALID_ARGUMENT);
}

/* ---- Sets of keys ---- */

/* The key of RFC 7515, A.3, and its thumbprint. */
#define RFC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

#define JWK(more) \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_X "\",\"y\":\"" RFC_Y "\"" more "}"
#define SET(keys) "{\"keys\":[" keys "]}"

static void the_rfcs_key_verifies_the_rfcs_token(void **state)
{
    static const char token[] =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        "LmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISl"
        "SApmWQxfKTUJqPP3-Kg6NU1Q";
    struct fixture *f = *state;
    struct jose_keys *keys = NULL;
    bytes signature = { 0 };

    assert_status(jose_keys_parse(f->arena, bytes_of(SET(JWK(",\"kid\":\"a3\""))), &keys),
                  STATUS_OK);
    const char *last = strrchr(token, '.');
    assert_true(base64_decode(f->arena, bytes_of(last + 1), BASE64_URL, &signature));
    assert_true(p256_verify(jose_keys_find(keys, "a3"),
                            (bytes){ (const uint8_t *)token, (size_t)(last - token) }, signature));
    assert_string_equal(jose_kid(f->arena, jose_keys_find(keys, "a3")),
                        "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    jose_keys_free(keys);
}

static void a_set_keeps_what_is_for_us(void **state)
{
    static const struct {
        const char *jwks;
        size_t n_keys;
    } cases[] = {
        { SET(""), 0 },
        { SET(JWK(",\"kid\":\"a\"")), 1 },
        { SET(JWK(",\"kid\":\"a\",\"use\":\"sig\",\"alg\":\"ES256\"")), 1 },
        { SET(JWK(",\"kid\":\"a\",\"use\":\"jwt-svid\"")), 1 },
        { SET(JWK(",\"kid\":\"a\",\"use\":\"enc\"")), 0 },
        { SET(JWK(",\"kid\":\"a\",\"use\":\"x509-svid\"")), 0 },
        { SET(JWK(",\"kid\":\"a\",\"alg\":\"ECDH-ES\"")), 0 },
        { SET("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"kid\":\"a\"}"), 0 },
        { SET("{\"kty\":\"oct\",\"k\":\"AQAB\",\"kid\":\"a\"}"), 0 },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\",\"kid\":\"a\"}"), 0 },
        { SET("7,null,[]," JWK(",\"kid\":\"a\"") "," JWK(",\"kid\":\"b\"")), 2 },
        { "{\"keys\":[],\"spiffe_sequence\":3,\"spiffe_refresh_hint\":60}", 0 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jose_keys *keys = NULL;
        assert_status(jose_keys_parse(f->arena, bytes_of(cases[i].jwks), &keys), STATUS_OK);
        assert_int_equal(jose_keys_count(keys), cases[i].n_keys);
        jose_keys_free(keys);
    }
}

static void sets_that_are_broken_are_refused(void **state)
{
    static const struct {
        const char *jwks;
        const char *message;
    } cases[] = {
        { "", "no JWKS" },
        { "{}", "no JWKS" },
        { "[]", "no JWKS" },
        { "{\"keys\":{}}", "no JWKS" },
        { "{\"keys\":[],\"keys\":[]}", "no JWKS" },
        { "{\"keys\":[]", "no JWKS" },
        { SET(JWK("")), "no name" },
        { SET(JWK(",\"kid\":\"\"")), "no name" },
        { SET(JWK(",\"kid\":7")), "no name" },
        { SET(JWK(",\"kid\":\"a\"") "," JWK(",\"kid\":\"a\"")), "name of another" },
        { SET(JWK(",\"kid\":\"a\",\"d\":\"AAAA\"")), "private" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":\"" RFC_X "\"}"),
          "coordinates" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":\"" RFC_X "=\",\"y\":\"" RFC_Y
              "\"}"),
          "coordinates" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":\"AAAA\",\"y\":\"" RFC_Y
              "\"}"),
          "coordinates" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":\"" RFC_Y "\",\"y\":\"" RFC_X
              "\"}"),
          "no point" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct jose_keys *keys = NULL;
        status s = jose_keys_parse(f->arena, bytes_of(cases[i].jwks), &keys);
        if (s.code != STATUS_INVALID_ARGUMENT || strstr(s.message, cases[i].message) == NULL) {
            fail_msg("'%s': %s (%s)", cases[i].jwks, status_code_name(s.code), s.message);
        }
    }
}

static void a_set_has_limits(void **state)
{
    struct fixture *f = *state;
    struct text jwks = text_new(f->arena);
    struct jose_keys *keys = NULL;

    text_add(&jwks, "{\"keys\":[");
    for (int i = 0; i < JOSE_MAX_KEYS; i++) {
        text_add(&jwks, "%s" JWK(",\"kid\":\"%d\""), i == 0 ? "" : ",", i);
    }
    const char *most = arena_printf(f->arena, "%s]}", text_string(&jwks));
    assert_status(jose_keys_parse(f->arena, bytes_of(most), &keys), STATUS_OK);
    assert_int_equal(jose_keys_count(keys), JOSE_MAX_KEYS);
    jose_keys_free(keys);
    text_add(&jwks, "," JWK(",\"kid\":\"x\"") "]}");
    assert_status(jose_keys_parse(f->arena, text_bytes(&jwks), &keys), STATUS_RESOURCE_EXHAUSTED);
    bytes large = { .data = arena_alloc(f->arena, JOSE_MAX_JWKS_BYTES + 1),
                    .size = JOSE_MAX_JWKS_BYTES + 1 };
    assert_status(jose_keys_parse(f->arena, large, &keys), STATUS_RESOURCE_EXHAUSTED);
    const char *long_name =
        arena_printf(f->arena, SET(JWK(",\"kid\":\"%0*d\"")), JOSE_MAX_KID_BYTES + 1, 0);
    assert_status(jose_keys_parse(f->arena, bytes_of(long_name), &keys), STATUS_INVALID_ARGUMENT);
}

static void while_keys_change_tokens_of_both_are_taken(void **state)
{
    struct fixture *f = *state;
    const struct p256_public *both[] = { p256_key_public(f->key), p256_key_public(f->other) };
    const char *jwks = jose_jwks(f->arena, both, 2, "sig");
    const struct p256_key *const signers[] = { f->key, f->other };

    jose_keys_free(f->keys);
    assert_status(jose_keys_parse(f->arena, bytes_of(jwks), &f->keys), STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        const char *token = NULL;
        struct jose_claims claims;
        assert_status(jose_sign(f->arena, signers[i], JOSE_ACCESS_TOKEN, &f->claims, &token),
                      STATUS_OK);
        assert_status(verify(f, token, &claims), STATUS_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_signed_is_verified_and_says_the_same),
        TEST(what_a_token_does_not_say_is_empty),
        TEST(times_have_edges_and_leeway),
        TEST(one_audience_may_stand_alone),
        TEST(keys_and_addresses_in_the_header_are_passed_over),
        TEST(headers_that_are_not_ours_are_refused),
        TEST(claims_that_are_not_ours_are_refused),
        TEST(deep_nesting_is_refused_or_passed_over_but_survived),
        TEST(another_key_is_not_taken_for_this_one),
        TEST(a_token_changed_anywhere_is_refused),
        TEST(what_has_not_three_parts_is_no_token),
        TEST(a_token_has_a_limit),
        TEST(a_token_without_end_is_not_made),
        TEST(the_rfcs_key_verifies_the_rfcs_token),
        TEST(a_set_keeps_what_is_for_us),
        TEST(sets_that_are_broken_are_refused),
        TEST(a_set_has_limits),
        TEST(while_keys_change_tokens_of_both_are_taken),
    };

    return cmocka_run_group_tests_name("jose", tests, NULL, NULL);
}
