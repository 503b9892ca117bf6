#include "libs/testing/crash_vfs_locks.h"

#include <stdlib.h>
#include <string.h>

struct shared_file *shared_file_new(const char *name)
{
    struct shared_file *self = calloc(1, sizeof *self);

    if (self == NULL || (self->name = strdup(name)) == NULL) {
        abort();
    }
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

static void free_regions(struct shared_file *self)
{
    for (int i = 0; i < MAX_REGIONS; i++) {
        free(self->regions[i]);
        self->regions[i] = NULL;
    }
}

void shared_file_free(struct shared_file *self)
{
    free_regions(self);
    pthread_mutex_destroy(&self->lock);
    free(self->name);
    free(self);
}

/* ---- Locks ---- */

static int lock_shared(struct shared_file *self, struct holder *holder)
{
    if (self->writer != NULL && self->writer->level >= SQLITE_LOCK_PENDING) {
        return SQLITE_BUSY;
    }
    self->n_shared++;
    holder->level = SQLITE_LOCK_SHARED;
    return SQLITE_OK;
}

/* The writer keeps PENDING when readers are left: no new ones come, and it asks again. */
static int lock_to_write(struct shared_file *self, struct holder *holder, int level)
{
    if (self->writer != NULL && self->writer != holder) {
        return SQLITE_BUSY;
    }
    self->writer = holder;
    bool must_wait = level == SQLITE_LOCK_EXCLUSIVE && self->n_shared > 1;
    holder->level = must_wait ? SQLITE_LOCK_PENDING : level;
    return must_wait ? SQLITE_BUSY : SQLITE_OK;
}

int shared_file_lock(struct shared_file *self, struct holder *holder, int level)
{
    int code = SQLITE_OK;

    pthread_mutex_lock(&self->lock);
    if (holder->level < level) {
        code = level == SQLITE_LOCK_SHARED ? lock_shared(self, holder)
                                           : lock_to_write(self, holder, level);
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

int shared_file_unlock(struct shared_file *self, struct holder *holder, int level)
{
    pthread_mutex_lock(&self->lock);
    if (holder->level > level) {
        self->writer = self->writer == holder ? NULL : self->writer;
        self->n_shared -= level == SQLITE_LOCK_NONE;
        holder->level = level;
    }
    pthread_mutex_unlock(&self->lock);
    return SQLITE_OK;
}

bool shared_file_is_reserved(struct shared_file *self)
{
    pthread_mutex_lock(&self->lock);
    bool is_reserved = self->writer != NULL;
    pthread_mutex_unlock(&self->lock);
    return is_reserved;
}

/* ---- The log's index ---- */

int shared_index_map(struct shared_file *self, struct holder *holder, int region, int size,
                     bool extend, void volatile **ret_region)
{
    if (region >= MAX_REGIONS) {
        return SQLITE_FULL;
    }
    pthread_mutex_lock(&self->lock);
    self->n_index += !holder->has_index;
    holder->has_index = true;
    if (self->regions[region] == NULL && extend) {
        self->regions[region] = calloc(1, (size_t)size);
    }
    *ret_region = self->regions[region];
    pthread_mutex_unlock(&self->lock);
    return SQLITE_OK;
}

static bool can_lock(const struct shared_file *self, int first, int n, bool is_exclusive)
{
    for (int i = first; i < first + n; i++) {
        if (self->index_is_exclusive[i] || (is_exclusive && self->index_n_shared[i] > 0)) {
            return false;
        }
    }
    return true;
}

static void take(struct shared_file *self, struct holder *holder, int i, bool is_exclusive)
{
    if (is_exclusive) {
        self->index_is_exclusive[i] = true;
        holder->index_exclusive = (unsigned short)(holder->index_exclusive | 1u << i);
    } else {
        self->index_n_shared[i]++;
        holder->index_shared = (unsigned short)(holder->index_shared | 1u << i);
    }
}

static void give_back(struct shared_file *self, struct holder *holder, int i)
{
    unsigned bit = 1u << i;

    if ((holder->index_exclusive & bit) != 0) {
        self->index_is_exclusive[i] = false;
        holder->index_exclusive = (unsigned short)(holder->index_exclusive & ~bit);
    } else if ((holder->index_shared & bit) != 0) {
        self->index_n_shared[i]--;
        holder->index_shared = (unsigned short)(holder->index_shared & ~bit);
    }
}

int shared_index_lock(struct shared_file *self, struct holder *holder, int first, int n, int flags)
{
    bool is_exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    int code = SQLITE_OK;

    pthread_mutex_lock(&self->lock);
    if ((flags & SQLITE_SHM_UNLOCK) == 0 && !can_lock(self, first, n, is_exclusive)) {
        code = SQLITE_BUSY;
    }
    for (int i = first; code == SQLITE_OK && i < first + n; i++) {
        if ((flags & SQLITE_SHM_UNLOCK) != 0) {
            give_back(self, holder, i);
        } else {
            take(self, holder, i, is_exclusive);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return code;
}

void shared_index_unmap(struct shared_file *self, struct holder *holder)
{
    pthread_mutex_lock(&self->lock);
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
        give_back(self, holder, i);
    }
    self->n_index -= holder->has_index;
    holder->has_index = false;
    if (self->n_index == 0) {
        free_regions(self);
    }
    pthread_mutex_unlock(&self->lock);
}
