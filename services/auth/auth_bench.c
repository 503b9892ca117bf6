/* auth_bench - what an exchange costs: how many of them one core does in a second, beside the
 * signature that each needs.
 *
 *     bazel run -c opt //services/auth:auth_bench
 */

#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/crypto/p256.h"
#include "libs/rpc/message.h"
#include "services/auth/auth_service.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECONDS = 2, KEYS = 10000 };

struct bench {
    struct store *store;
    struct directory *directory;
    struct feed *feed;
    struct points *points;
    struct signing_keys *keys;
    struct auth_service *service;
    struct api_key_pepper pepper;
    bytes requests[KEYS]; /* encoded, each with another key */
    size_t next;
    struct p256_key *key;
};

static void must(status s)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "auth_bench: %s\n", s.message);
        exit(EXIT_FAILURE);
    }
}

static void nobody_is_told(void *data)
{
    (void)data;
}

/* Accounts with a key each, straight into memory. */
static void fill(struct bench *bench, struct arena *arena)
{
    static const char *const publisher[] = { "publisher" };

    for (size_t i = 0; i < KEYS; i++) {
        Weft__Auth__V1__ExchangeApiKeyRequest request;
        struct api_key key;
        const char *secret = api_key_generate(arena, &system_random, KEY_PURPOSE, &key);
        const struct account_record account = {
            .tenant_id = PLATFORM_TENANT,
            .account_id = arena_printf(arena, "robot-%zu", i),
            .uid = "1",
            .display_name = "",
            .roles = { publisher, 1 },
        };
        const struct key_record record = {
            .tenant_id = account.tenant_id,
            .key_id = key.id,
            .account_id = account.account_id,
            .account_uid = account.uid,
            .hash = api_key_hash(&bench->pepper, bytes_of(secret)),
        };
        directory_put_account(bench->directory, &account);
        directory_put_key(bench->directory, &record);
        weft__auth__v1__exchange_api_key_request__init(&request);
        request.secret = message_text(secret);
        bench->requests[i] = message_pack(arena, &request.base);
    }
}

static void exchange(struct bench *bench, struct arena *arena)
{
    struct call call = call_of_process(arena);
    bytes response;

    call.service = bench->service;
    call.check = call_allow;
    must(service_handle(&auth_service_methods, &call, "ExchangeApiKey",
                        bench->requests[bench->next++ % KEYS], &response));
}

static void sign(struct bench *bench, struct arena *arena)
{
    uint8_t signature[P256_SIGNATURE_BYTES];

    (void)arena;
    p256_sign(bench->key, bytes_of("message"), signature);
}

static void measure(struct bench *bench, const char *name,
                    void (*operation)(struct bench *bench, struct arena *arena))
{
    struct arena *arena = arena_new();
    int64_t start_us = clock_monotonic_us(&system_clock);
    int64_t took_us = 0;
    int64_t n = 0;

    for (; took_us < (int64_t)SECONDS * 1000000; n++) {
        operation(bench, arena);
        arena_reset(arena);
        took_us = clock_monotonic_us(&system_clock) - start_us;
    }
    (void)printf("%-10s %8lld /s\n", name, (long long)(n * 1000000 / took_us));
    arena_free(arena);
}

int main(void)
{
    static struct bench bench;
    struct arena *arena = arena_new();
    struct disk_files files;
    char folder[] = "/tmp/weft-auth-bench-XXXXXX";

    if (mkdtemp(folder) == NULL) {
        abort();
    }
    must(disk_files_init(&files, arena, folder));
    must(store_open(arena, ":memory:", &bench.store));
    must(signing_keys_open(arena,
                           &(struct signing_keys_options){ .files = &files.files,
                                                           .random = &system_random,
                                                           .clock = &system_clock },
                           &bench.keys));
    bench.points = points_new(&system_clock);
    bench.feed = feed_new(
        &(struct feed_options){ .clock = &system_clock, .epoch = 1, .changed = nobody_is_told });
    bench.directory = directory_new();
    bench.key = p256_key_generate(&system_random);
    bench.service = auth_service_new(&(struct auth_service_options){
        .store = bench.store,
        .clock = &system_clock,
        .random = &system_random,
        .directory = bench.directory,
        .feed = bench.feed,
        .points = bench.points,
        .signing_keys = bench.keys,
        .pepper = &bench.pepper,
    });
    fill(&bench, arena);
    measure(&bench, "signature", sign);
    measure(&bench, "exchange", exchange);

    must(files_remove(&files.files, arena, SIGNING_KEYS_FILE));
    disk_files_reset(&files);
    (void)remove(folder);
    auth_service_free(bench.service);
    directory_free(bench.directory);
    feed_free(bench.feed);
    points_free(bench.points);
    signing_keys_free(bench.keys);
    p256_key_free(bench.key);
    store_close(bench.store);
    arena_free(arena);
    return EXIT_SUCCESS;
}
