/* Who is told when a job changes. */

#include "services/scheduler/engine_internal.h"

#include <stdlib.h>
#include <string.h>

struct engine_watch {
    struct engine *engine;
    struct engine_watch *next; /* of the same job */
    void (*wake)(void *data);
    void *data;
    size_t key_size;
    char key[]; /* tenant_id, NUL, job_id, NUL */
};

/* Ids that are no job's may be any text; nothing is found under what does not fit. */
enum { MAX_KEY_BYTES = 512 };

static size_t make_key(char key[MAX_KEY_BYTES], const char *tenant_id, const char *job_id)
{
    size_t n = strlen(tenant_id) + 1;
    size_t m = strlen(job_id) + 1;

    if (n + m > MAX_KEY_BYTES) {
        return 0;
    }
    memcpy(key, tenant_id, n);
    memcpy(key + n, job_id, m);
    return n + m;
}

static bytes key_of(const char *key, size_t size)
{
    return (bytes){ (const uint8_t *)key, size };
}

void watches_wake(struct engine *self, const char *tenant_id, const char *job_id)
{
    char key[MAX_KEY_BYTES];

    if (self->n_watches == 0) {
        return;
    }
    struct engine_watch *watch =
        map_get_bytes(&self->watches, key_of(key, make_key(key, tenant_id, job_id)));
    for (; watch != NULL; watch = watch->next) {
        watch->wake(watch->data);
    }
}

static struct engine_watch *add_watch(struct engine *self, bytes key, void (*wake)(void *data),
                                      void *data)
{
    struct engine_watch *watch = calloc(1, sizeof *watch + key.size);

    if (watch == NULL) {
        abort();
    }
    watch->engine = self;
    watch->wake = wake;
    watch->data = data;
    watch->key_size = key.size;
    memcpy(watch->key, key.data, key.size);
    watch->next = map_get_bytes(&self->watches, key);
    (void)map_put_bytes(&self->watches, key, watch);
    self->n_watches++;
    return watch;
}

status engine_watch_open(struct engine *self, struct arena *arena, const char *tenant_id,
                         const char *job_id, void (*wake)(void *data), void *data,
                         struct engine_watch **ret_watch)
{
    char key[MAX_KEY_BYTES];
    size_t size = make_key(key, tenant_id, job_id);
    struct engine_watch *watch = NULL;

    if (size == 0) {
        return status_error(arena, STATUS_NOT_FOUND, "there is no such job");
    }
    pthread_mutex_lock(&self->lock);
    if (self->n_watches < ENGINE_MAX_WATCHES) {
        watch = add_watch(self, key_of(key, size), wake, data);
    }
    pthread_mutex_unlock(&self->lock);
    if (watch == NULL) {
        return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "%d jobs are watched already",
                            ENGINE_MAX_WATCHES);
    }
    *ret_watch = watch;
    return status_ok();
}

void engine_watch_close(struct engine_watch *watch)
{
    struct engine *self = watch->engine;
    bytes key = key_of(watch->key, watch->key_size);

    pthread_mutex_lock(&self->lock);
    struct engine_watch *first = map_get_bytes(&self->watches, key);
    if (first == watch) {
        (void)map_remove_bytes(&self->watches, key);
        if (watch->next != NULL) {
            (void)map_put_bytes(&self->watches, key, watch->next);
        }
    } else {
        while (first->next != watch) {
            first = first->next;
        }
        first->next = watch->next;
    }
    self->n_watches--;
    pthread_mutex_unlock(&self->lock);
    free(watch);
}
