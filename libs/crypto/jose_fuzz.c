#include "libs/crypto/jose.h"

#include "libs/base/encoding.h"
#include "libs/base/random.h"
#include "libs/base/text.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct p256_key *key;
static struct jose_keys *keys;

static void prepare(struct arena *arena)
{
    if (key == NULL) {
        key = p256_key_generate(&system_random);
        const struct p256_public *public = p256_key_public(key);
        const char *jwks = jose_jwks(arena, &public, 1, "sig");
        status s = jose_keys_parse(arena, bytes_of(jwks), &keys);
        assert(status_is_ok(s));
    }
}

static bool is_taken(struct arena *arena, const char *token)
{
    const struct jose_expectation expectation = { .type = "JWT", .now_ms = 1795000000000 };
    struct jose_claims claims;

    return status_is_ok(jose_verify(arena, keys, bytes_of(token), &expectation, &claims));
}

/* As a token of its own the input is never taken.  As the claims of one that is rightly signed
 * it may be; what was taken can be said again, and is taken again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct jose_expectation expectation = { .type = "JWT", .now_ms = 1795000000000 };
    struct arena *arena = arena_new();
    struct jose_claims claims;
    uint8_t raw[P256_SIGNATURE_BYTES];
    const char *again = NULL;

    prepare(arena);
    assert(!status_is_ok(jose_verify(arena, keys, (bytes){ data, size }, &expectation, &claims)));
    const char *header = arena_printf(arena, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                                      jose_kid(arena, p256_key_public(key)));
    const char *text =
        arena_printf(arena, "%s.%s", base64_encode(arena, bytes_of(header), BASE64_URL),
                     base64_encode(arena, (bytes){ data, size }, BASE64_URL));
    p256_sign(key, bytes_of(text), raw);
    const char *token = arena_printf(arena, "%s.%s", text,
                                     base64_encode(arena, (bytes){ raw, sizeof raw }, BASE64_URL));
    if (status_is_ok(jose_verify(arena, keys, bytes_of(token), &expectation, &claims)) &&
        status_is_ok(jose_sign(arena, key, "JWT", &claims, &again))) {
        assert(is_taken(arena, again));
    }
    arena_free(arena);
    return 0;
}
