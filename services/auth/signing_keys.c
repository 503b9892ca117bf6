#include "services/auth/signing_keys.h"

#include "libs/base/text.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/pem.h"
#include "libs/crypto/secret.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_KEYS = 2, MAX_KEYS = 3, MAX_FILE_BYTES = 4096, DAY_MS = 24 * 3600 * 1000 };

#define SINCE "since "

struct ring {
    int64_t since_ms; /* the first has signed */
    struct p256_key *keys[MAX_KEYS];
    size_t n;
};

struct signing_keys {
    struct signing_keys_options options;
    pthread_mutex_t rotating; /* one rotation at a time */
    pthread_rwlock_t lock;
    struct ring ring;
};

/* ---- The file ---- */

static status write_ring(struct signing_keys *self, struct arena *arena, const struct ring *ring)
{
    const char *parts[1 + MAX_KEYS];
    size_t size = 0;

    parts[0] = arena_printf(arena, SINCE "%lld\n", (long long)ring->since_ms);
    for (size_t i = 0; i < ring->n; i++) {
        parts[1 + i] = p256_key_pem(ring->keys[i], arena);
    }
    for (size_t i = 0; i < 1 + ring->n; i++) {
        size += strlen(parts[i]);
    }
    uint8_t *text = secret_alloc(arena, size);
    size = 0;
    for (size_t i = 0; i < 1 + ring->n; i++) {
        size_t length = strlen(parts[i]);
        memcpy(text + size, parts[i], length);
        size += length;
    }
    return files_replace(self->options.files, arena, SIGNING_KEYS_FILE,
                         (bytes){ .data = text, .size = size });
}

/* 0 when it does not say: then they are due. */
static int64_t parse_since(struct arena *arena, bytes text)
{
    enum { MOST = sizeof SINCE - 1 + 20 };
    const char *line = arena_printf(arena, "%.*s", (int)(text.size < MOST ? text.size : MOST),
                                    (const char *)text.data);

    return strncmp(line, SINCE, sizeof SINCE - 1) == 0 ? strtoll(line + sizeof SINCE - 1, NULL, 10)
                                                       : 0;
}

static status parse_ring(struct arena *arena, bytes text, struct ring *ret_ring)
{
    struct der_list list;

    TRY(pem_decode(arena, text, "PRIVATE KEY", &list));
    if (list.n_values < MIN_KEYS || list.n_values > MAX_KEYS) {
        return status_error(arena, STATUS_DATA_LOSS, "'%s' holds %zu keys", SIGNING_KEYS_FILE,
                            list.n_values);
    }
    ret_ring->since_ms = parse_since(arena, text);
    for (size_t i = 0; i < list.n_values; i++) {
        TRY(p256_key_parse(arena, list.values[i], &ret_ring->keys[i]));
        ret_ring->n++;
    }
    return status_ok();
}

static status read_or_make(struct signing_keys *self, struct arena *arena)
{
    bytes text;
    status s = files_read(self->options.files, arena, SIGNING_KEYS_FILE, MAX_FILE_BYTES, &text);

    if (s.code == STATUS_NOT_FOUND) {
        self->ring.since_ms = clock_wall_ms(self->options.clock);
        for (; self->ring.n < MIN_KEYS; self->ring.n++) {
            self->ring.keys[self->ring.n] = p256_key_generate(self->options.random);
        }
        return write_ring(self, arena, &self->ring);
    }
    TRY(s);
    s = parse_ring(arena, text, &self->ring);
    secret_wipe(text);
    return s.code == STATUS_INVALID_ARGUMENT
               ? status_error(arena, STATUS_DATA_LOSS, "'%s' holds no keys: %s", SIGNING_KEYS_FILE,
                              s.message)
               : s;
}

/* ---- Life ---- */

status signing_keys_open(struct arena *arena, const struct signing_keys_options *options,
                         struct signing_keys **ret_keys)
{
    assert(options->files != NULL && options->random != NULL && options->clock != NULL);

    struct signing_keys *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    (void)pthread_mutex_init(&self->rotating, NULL);
    (void)pthread_rwlock_init(&self->lock, NULL);
    status s = read_or_make(self, arena);
    if (!status_is_ok(s)) {
        signing_keys_free(self);
        return s;
    }
    *ret_keys = self;
    return status_ok();
}

void signing_keys_free(struct signing_keys *self)
{
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->ring.n; i++) {
        p256_key_free(self->ring.keys[i]);
    }
    (void)pthread_rwlock_destroy(&self->lock);
    (void)pthread_mutex_destroy(&self->rotating);
    free(self);
}

static status rotate(struct signing_keys *self, struct arena *arena)
{
    struct p256_key *oldest = self->ring.n == MAX_KEYS ? self->ring.keys[2] : NULL;
    struct ring ring = {
        .keys = { self->ring.keys[1], p256_key_generate(self->options.random), self->ring.keys[0] },
        .n = MAX_KEYS,
        .since_ms = clock_wall_ms(self->options.clock),
    };
    status s = write_ring(self, arena, &ring);

    if (!status_is_ok(s)) {
        p256_key_free(ring.keys[1]);
        return s;
    }
    (void)pthread_rwlock_wrlock(&self->lock);
    self->ring = ring;
    (void)pthread_rwlock_unlock(&self->lock);
    p256_key_free(oldest);
    return status_ok();
}

bool signing_keys_are_due(struct signing_keys *self)
{
    (void)pthread_rwlock_rdlock(&self->lock);
    int64_t since_ms = self->ring.since_ms;
    (void)pthread_rwlock_unlock(&self->lock);
    return clock_wall_ms(self->options.clock) - since_ms >=
           (int64_t)SIGNING_KEYS_PERIOD_DAYS * DAY_MS;
}

status signing_keys_rotate(struct signing_keys *self, struct arena *arena)
{
    (void)pthread_mutex_lock(&self->rotating);
    status s = rotate(self, arena);
    (void)pthread_mutex_unlock(&self->rotating);
    return s;
}

/* ---- Use ---- */

status signing_keys_sign(struct signing_keys *self, struct arena *arena,
                         const struct jose_claims *claims, const char **ret_token)
{
    (void)pthread_rwlock_rdlock(&self->lock);
    status s = jose_sign(arena, self->ring.keys[0], JOSE_ACCESS_TOKEN, claims, ret_token);
    (void)pthread_rwlock_unlock(&self->lock);
    return s;
}

const char *signing_keys_jwks(struct signing_keys *self, struct arena *arena)
{
    const struct p256_public *keys[MAX_KEYS];

    (void)pthread_rwlock_rdlock(&self->lock);
    for (size_t i = 0; i < self->ring.n; i++) {
        keys[i] = p256_key_public(self->ring.keys[i]);
    }
    const char *jwks = jose_jwks(arena, keys, self->ring.n, "sig");
    (void)pthread_rwlock_unlock(&self->lock);
    return jwks;
}
