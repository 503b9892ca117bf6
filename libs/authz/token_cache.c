#include "libs/authz/token_cache.h"

#include "libs/base/map.h"
#include "libs/crypto/sha256.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct token_cache {
    pthread_mutex_t lock;
    struct map young, old;
};

struct token_cache *token_cache_new(void)
{
    struct token_cache *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    pthread_mutex_init(&self->lock, NULL);
    map_init(&self->young);
    map_init(&self->old);
    return self;
}

void token_unref(void *data)
{
    struct cached_token *token = data;

    if (token != NULL && atomic_fetch_sub(&token->refs, 1) == 1) {
        arena_free(token->arena);
    }
}

void token_cache_free(struct token_cache *self)
{
    if (self != NULL) {
        map_reset(&self->young, token_unref);
        map_reset(&self->old, token_unref);
        pthread_mutex_destroy(&self->lock);
        free(self);
    }
}

struct cached_token *token_cache_get(struct token_cache *self, bytes token, uint64_t revision)
{
    struct sha256 key = sha256_of(token);

    pthread_mutex_lock(&self->lock);
    struct cached_token *found = map_get_bytes(&self->young, sha256_bytes(&key));
    if (found == NULL) {
        found = map_get_bytes(&self->old, sha256_bytes(&key));
    }
    if (found != NULL && found->revision != revision) {
        found = NULL;
    }
    if (found != NULL) {
        (void)atomic_fetch_add(&found->refs, 1);
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

static const char *const *copy_texts(struct arena *arena, const struct jose_texts *texts)
{
    const char **copy = ARENA_NEW_ARRAY(arena, const char *, texts->n_texts);

    for (size_t i = 0; i < texts->n_texts; i++) {
        copy[i] = arena_strdup(arena, texts->texts[i]);
    }
    return copy;
}

static struct cached_token *token_of(struct snapshot *snapshot, const struct jose_claims *claims)
{
    struct arena *arena = arena_new();
    struct cached_token *token = ARENA_NEW(arena, struct cached_token);
    struct snapshot_patterns roles = snapshot_roles(snapshot, arena, &claims->roles);
    size_t n = roles.n_patterns + claims->permissions.n_texts;
    const char **patterns = ARENA_NEW_ARRAY(arena, const char *, n);

    for (size_t i = 0; i < roles.n_patterns; i++) {
        patterns[i] = roles.patterns[i];
    }
    for (size_t i = 0; i < claims->permissions.n_texts; i++) {
        patterns[roles.n_patterns + i] = arena_strdup(arena, claims->permissions.texts[i]);
    }
    token->arena = arena;
    token->principal = (struct principal){
        .tenant_id = arena_strdup(arena, claims->tenant),
        .subject = arena_strdup(arena, claims->subject),
        .credential = CREDENTIAL_TOKEN,
        .permissions = patterns,
        .n_permissions = n,
        .roles = copy_texts(arena, &claims->roles),
        .n_roles = claims->roles.n_texts,
        .expire_ms = claims->expires_s * 1000,
    };
    token->credential = arena_strdup(arena, claims->credential);
    token->account = arena_printf(arena, "tenant:%s:%s", claims->tenant, claims->subject);
    token->issued_ms = claims->issued_s * 1000;
    token->revision = snapshot_revision(snapshot);
    atomic_init(&token->refs, 2); /* the cache's and the caller's */
    return token;
}

struct cached_token *token_cache_put(struct token_cache *self, bytes token,
                                     struct snapshot *snapshot, const struct jose_claims *claims)
{
    struct sha256 key = sha256_of(token);
    struct cached_token *made = token_of(snapshot, claims);

    pthread_mutex_lock(&self->lock);
    if (self->young.n_entries >= TOKEN_CACHE_SIZE) {
        struct map grown_old = self->young;
        map_reset(&self->old, token_unref);
        self->old = grown_old;
        map_init(&self->young);
    }
    struct cached_token *before = map_put_bytes(&self->young, sha256_bytes(&key), made);
    pthread_mutex_unlock(&self->lock);
    token_unref(before);
    return made;
}
