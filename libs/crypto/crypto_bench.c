/* crypto_bench - what each operation costs: how many of them one core does in a second.
 *
 *     bazel run -c opt //libs/crypto:crypto_bench
 */

#include "libs/base/clock.h"
#include "libs/base/text.h"
#include "libs/crypto/jose.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECONDS = 2, DAY_MS = 24 * 3600 * 1000 };

static const int64_t now_ms = 1795000000000;

struct bench {
    struct arena *arena; /* of one operation */
    struct p256_key *key;
    struct jose_keys *keys;
    const char *token;
    struct jose_claims claims;
    uint8_t signature[P256_SIGNATURE_BYTES];
    bytes authority;
    bytes svid;
    struct x509_svid_options options;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "crypto_bench: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

static void must_be_ok(status s)
{
    must(status_is_ok(s), s.message);
}

static void sign(struct bench *bench)
{
    p256_sign(bench->key, bytes_of("message"), bench->signature);
}

static void verify(struct bench *bench)
{
    must(p256_verify(p256_key_public(bench->key), bytes_of("message"),
                     (bytes){ bench->signature, sizeof bench->signature }),
         "verify");
}

static void generate(struct bench *bench)
{
    (void)bench;
    p256_key_free(p256_key_generate(&system_random));
}

static void sign_token(struct bench *bench)
{
    const char *token;

    must_be_ok(jose_sign(bench->arena, bench->key, JOSE_ACCESS_TOKEN, &bench->claims, &token));
}

static void verify_token(struct bench *bench)
{
    const struct jose_expectation expectation = {
        .type = JOSE_ACCESS_TOKEN,
        .issuer = "weft",
        .audience = "weft",
        .now_ms = now_ms,
    };
    struct jose_claims claims;

    must_be_ok(
        jose_verify(bench->arena, bench->keys, bytes_of(bench->token), &expectation, &claims));
}

static void issue(struct bench *bench)
{
    bytes svid;

    must_be_ok(x509_issue_svid(bench->arena, &bench->options, &svid));
}

static void verify_svid(struct bench *bench)
{
    struct x509_certificate svid;

    must_be_ok(x509_verify(bench->arena,
                           &(struct x509_verify_options){ .chain = bench->svid,
                                                          .bundle = bench->authority,
                                                          .trust_domain = "weft",
                                                          .now_ms = now_ms },
                           &svid));
}

static void measure(struct bench *bench, const char *name, void (*operation)(struct bench *bench))
{
    int64_t start_us = clock_monotonic_us(&system_clock);
    int64_t elapsed_us = 0;
    int64_t done = 0;

    bench->arena = arena_new();
    while (elapsed_us < (int64_t)SECONDS * 1000000) {
        operation(bench);
        arena_reset(bench->arena);
        done++;
        elapsed_us = clock_monotonic_us(&system_clock) - start_us;
    }
    arena_free(bench->arena);
    printf("%-28s %9.0f /s  %8.1f us\n", name, (double)done * 1e6 / (double)elapsed_us,
           (double)elapsed_us / (double)done);
}

static void prepare_token(struct bench *bench, struct arena *arena)
{
    static const char *const audience[] = { "weft" };
    static const char *const permissions[] = { "project:apt:data:publish",
                                               "project:apt:data:read" };
    const struct p256_public *public = p256_key_public(bench->key);

    bench->claims = (struct jose_claims){
        .issuer = "weft",
        .subject = "service-account:01hf7yat00abcdefghjkmnpqrs",
        .audiences = { .texts = audience, .n_texts = 1 },
        .expires_s = now_ms / 1000 + 900,
        .issued_s = now_ms / 1000,
        .id = "01hf7yat00abcdefghjkmnpqrs",
        .tenant = "acme",
        .permissions = { .texts = permissions, .n_texts = 2 },
    };
    must_be_ok(jose_sign(arena, bench->key, JOSE_ACCESS_TOKEN, &bench->claims, &bench->token));
    must_be_ok(jose_keys_parse(arena, bytes_of(jose_jwks(arena, &public, 1, "sig")), &bench->keys));
}

static void prepare_svid(struct bench *bench, struct arena *arena)
{
    const struct x509_authority_options authority = {
        .random = &system_random,
        .key = bench->key,
        .trust_domain = "weft",
        .now_ms = now_ms,
        .lifetime_ms = (int64_t)365 * DAY_MS,
    };

    must_be_ok(x509_issue_authority(arena, &authority, &bench->authority));
    bench->options = (struct x509_svid_options){
        .random = &system_random,
        .key = bench->key,
        .authority = bench->authority,
        .spki = p256_key_spki(bench->key, arena),
        .now_ms = now_ms,
        .lifetime_ms = DAY_MS,
    };
    must_be_ok(spiffe_id_make(arena, "weft", "/service/search", &bench->options.id));
    must_be_ok(x509_issue_svid(arena, &bench->options, &bench->svid));
}

int main(void)
{
    struct arena *arena = arena_new();
    struct bench bench = { .key = p256_key_generate(&system_random) };

    prepare_token(&bench, arena);
    prepare_svid(&bench, arena);
    measure(&bench, "P-256 sign", sign);
    measure(&bench, "P-256 verify", verify);
    measure(&bench, "P-256 key generation", generate);
    measure(&bench, "token sign", sign_token);
    measure(&bench, "token verify", verify_token);
    measure(&bench, "SVID issue", issue);
    measure(&bench, "SVID verify", verify_svid);
    jose_keys_free(bench.keys);
    p256_key_free(bench.key);
    arena_free(arena);
    return EXIT_SUCCESS;
}
