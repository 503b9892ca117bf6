#include "libs/testing/crash_files.h"

#include "libs/testing/crash_tree.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct crash_files_state {
    pthread_mutex_t lock;
    struct tree tree;
    unsigned generation; /* crashes so far: what was open before one is dead */
};

struct crash_file {
    struct file file;
    struct crash_files *files;
    struct node *node;
    uint8_t *map;
    enum files_mode mode;
    unsigned generation;
};

static void unlock(pthread_mutex_t *const *lock)
{
    pthread_mutex_unlock(*lock);
}

/* Holds the lock to the end of the block. */
#define WHOLE(self)                                                       \
    CLEANUP(unlock) pthread_mutex_t *const whole_ = &(self)->state->lock; \
    pthread_mutex_lock(whole_)

static struct tree *tree_of(const struct crash_files *self)
{
    return &self->state->tree;
}

/* ---- Faults ---- */

/* What becomes of the operation that is about to be done. */
enum fate { FATE_DONE, FATE_FAILED, FATE_CRASHED };

static enum fate next_fate(struct crash_files *self)
{
    self->n_operations++;
    if (self->crash_after != 0 && self->n_operations >= self->crash_after) {
        return FATE_CRASHED;
    }
    return self->n_operations == self->fail_operation ? FATE_FAILED : FATE_DONE;
}

static status told_to_fail(struct arena *arena, const char *doing)
{
    return status_error(arena, STATUS_UNAVAILABLE, "%s: told to fail", doing);
}

static status is_full(struct arena *arena, const char *doing)
{
    return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "%s: no space left on device", doing);
}

static status not_found(struct arena *arena, const char *doing, const char *name)
{
    return status_error(arena, STATUS_NOT_FOUND, "%s '%s': no such file", doing, name);
}

static status refused(struct arena *arena, const char *doing, const char *name)
{
    return status_error(arena, STATUS_UNAVAILABLE, "%s '%s': not with what is there", doing, name);
}

/* For operations on names: they happen or they do not. */
static status take_turn(struct crash_files *self, struct arena *arena, const char *doing)
{
    return next_fate(self) == FATE_DONE ? status_ok() : told_to_fail(arena, doing);
}

/* Whether the sync that is about to be done is the one that does nothing. */
static bool is_skipped(struct crash_files *self)
{
    return ++self->n_syncs == self->skip_sync;
}

/* ---- A file ---- */

static status check_open(const struct crash_file *self, struct arena *arena, enum files_mode mode)
{
    if (self->generation != self->files->state->generation) {
        return status_error(arena, STATUS_UNAVAILABLE, "the file was open before the crash");
    }
    if (mode == FILES_WRITE && self->mode == FILES_READ) {
        return status_error(arena, STATUS_UNAVAILABLE, "the file was opened for reading");
    }
    return status_ok();
}

static status crash_read_at(struct file *file, struct arena *arena, uint64_t offset, uint8_t *data,
                            size_t size, size_t *ret_n)
{
    const struct crash_file *self = (const struct crash_file *)file;
    WHOLE(self->files);

    TRY(check_open(self, arena, FILES_READ));
    const struct image *now = &self->node->now;
    size_t there = offset < now->size ? now->size - (size_t)offset : 0;
    size_t n = there < size ? there : size;
    if (n > 0) {
        memcpy(data, now->data + offset, n);
    }
    *ret_n = n;
    return status_ok();
}

static status crash_write_at(struct file *file, struct arena *arena, uint64_t offset, bytes data)
{
    struct crash_file *self = (struct crash_file *)file;
    const bytes half = { .data = data.data, .size = data.size / 2 };
    WHOLE(self->files);

    TRY(check_open(self, arena, FILES_WRITE));
    enum fate fate = next_fate(self->files);
    if (fate == FATE_DONE && !self->files->full) {
        node_write(self->node, offset, data);
        return status_ok();
    }
    if (fate != FATE_CRASHED) {
        node_write(self->node, offset, half);
    }
    return fate == FATE_DONE ? is_full(arena, "write") : told_to_fail(arena, "write");
}

static status crash_truncate(struct file *file, struct arena *arena, uint64_t size)
{
    struct crash_file *self = (struct crash_file *)file;
    WHOLE(self->files);

    TRY(check_open(self, arena, FILES_WRITE));
    TRY(take_turn(self->files, arena, "truncate"));
    if (self->files->full && size > self->node->now.size) {
        return is_full(arena, "truncate");
    }
    node_truncate(self->node, size);
    return status_ok();
}

static status crash_sync(struct file *file, struct arena *arena)
{
    struct crash_file *self = (struct crash_file *)file;
    WHOLE(self->files);

    TRY(check_open(self, arena, FILES_READ));
    enum fate fate = next_fate(self->files);
    if (fate == FATE_FAILED) {
        node_lose_pending(self->node);
    }
    if (fate != FATE_DONE) {
        return told_to_fail(arena, "sync");
    }
    if (!is_skipped(self->files)) {
        node_sync(self->node);
    }
    return status_ok();
}

static status crash_size(struct file *file, struct arena *arena, uint64_t *ret_size)
{
    const struct crash_file *self = (const struct crash_file *)file;
    WHOLE(self->files);

    TRY(check_open(self, arena, FILES_READ));
    *ret_size = self->node->now.size;
    return status_ok();
}

/* A copy, so that a test that writes behind a map's back is found by AddressSanitizer or by
 * reading what is old. */
static status crash_map(struct file *file, struct arena *arena, bytes *ret_data)
{
    struct crash_file *self = (struct crash_file *)file;
    WHOLE(self->files);

    TRY(check_open(self, arena, FILES_READ));
    const struct image *now = &self->node->now;
    if (now->size == 0) {
        *ret_data = (bytes){ .data = NULL };
        return status_ok();
    }
    free(self->map);
    self->map = malloc(now->size);
    if (self->map == NULL) {
        abort();
    }
    memcpy(self->map, now->data, now->size);
    *ret_data = (bytes){ .data = self->map, .size = now->size };
    return status_ok();
}

static void crash_close(struct file *file)
{
    struct crash_file *self = (struct crash_file *)file;

    free(self->map);
    free(self);
}

static const struct file_ops crash_file_ops = {
    .read_at = crash_read_at,
    .write_at = crash_write_at,
    .truncate = crash_truncate,
    .sync = crash_sync,
    .size = crash_size,
    .map = crash_map,
    .close = crash_close,
};

/* ---- Names ---- */

/* A new file or folder under name.  The lock is held. */
static status make_node(struct crash_files *self, struct arena *arena, const char *name,
                        bool is_folder, struct node **ret_node)
{
    const char *last;
    struct node *folder = tree_parent(tree_of(self), name, &last);

    if (folder == NULL) {
        return not_found(arena, "make", name);
    }
    TRY(take_turn(self, arena, "make"));
    if (self->full) {
        return is_full(arena, "make");
    }
    *ret_node = tree_new_node(tree_of(self), is_folder);
    folder_set(folder, last, *ret_node);
    return status_ok();
}

static status crash_open(struct files *files, struct arena *arena, const char *name,
                         enum files_mode mode, struct file **ret_file)
{
    struct crash_files *self = (struct crash_files *)files;
    WHOLE(self);
    struct node *node = tree_find(tree_of(self), name);

    if (node == NULL && mode == FILES_READ) {
        return not_found(arena, "open", name);
    }
    if (node == NULL) {
        TRY(make_node(self, arena, name, false, &node));
    }
    if (node->is_folder) {
        return refused(arena, "open", name);
    }
    struct crash_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        abort();
    }
    *file = (struct crash_file){
        .file = { .ops = &crash_file_ops },
        .files = self,
        .node = node,
        .mode = mode,
        .generation = self->state->generation,
    };
    *ret_file = &file->file;
    return status_ok();
}

/* As rename(2): a file takes the place of a file, a folder that of an empty folder. */
static bool can_replace(const struct node *from, const struct node *to)
{
    return to == NULL || (from->is_folder == to->is_folder && to->now_entries.n == 0);
}

static status crash_rename(struct files *files, struct arena *arena, const char *from,
                           const char *to)
{
    struct crash_files *self = (struct crash_files *)files;
    WHOLE(self);
    const char *from_last;
    const char *to_last;
    struct node *from_folder = tree_parent(tree_of(self), from, &from_last);
    struct node *to_folder = tree_parent(tree_of(self), to, &to_last);
    struct node *node = from_folder == NULL ? NULL : folder_get(from_folder, from_last);

    if (node == NULL || to_folder == NULL) {
        return not_found(arena, "rename", from);
    }
    TRY(take_turn(self, arena, "rename"));
    if (folder_get(to_folder, to_last) == node) {
        return status_ok();
    }
    if (!can_replace(node, folder_get(to_folder, to_last)) || node_contains(node, to_folder)) {
        return refused(arena, "rename", from);
    }
    folder_set(from_folder, from_last, NULL);
    folder_set(to_folder, to_last, node);
    return status_ok();
}

static status crash_remove(struct files *files, struct arena *arena, const char *name)
{
    struct crash_files *self = (struct crash_files *)files;
    WHOLE(self);
    const char *last;
    struct node *folder = tree_parent(tree_of(self), name, &last);
    const struct node *node = folder == NULL ? NULL : folder_get(folder, last);

    TRY(take_turn(self, arena, "remove"));
    if (node == NULL) {
        return status_ok();
    }
    if (node->now_entries.n > 0) {
        return refused(arena, "remove", name);
    }
    folder_set(folder, last, NULL);
    return status_ok();
}

/* The lock is held. */
static status sync_names(struct crash_files *self, struct arena *arena, struct node *folder)
{
    TRY(take_turn(self, arena, "sync folder"));
    if (!is_skipped(self)) {
        folder_sync(folder);
    }
    return status_ok();
}

static status crash_sync_folder(struct files *files, struct arena *arena, const char *folder)
{
    struct crash_files *self = (struct crash_files *)files;
    WHOLE(self);
    struct node *node = tree_find(tree_of(self), folder);

    if (node == NULL) {
        return not_found(arena, "sync folder", folder);
    }
    return node->is_folder ? sync_names(self, arena, node) : refused(arena, "sync folder", folder);
}

/* One folder whose parent is there.  A parent with nothing to sync is left alone, so that each
 * sync that is counted is one that a test can miss. */
static status make_one_folder(struct crash_files *self, struct arena *arena, const char *name)
{
    const char *last;
    struct node *node = tree_find(tree_of(self), name);

    if (node != NULL && !node->is_folder) {
        return refused(arena, "make", name);
    }
    if (node == NULL) {
        TRY(make_node(self, arena, name, true, &node));
    }
    struct node *parent = tree_parent(tree_of(self), name, &last);
    return parent->has_unsynced ? sync_names(self, arena, parent) : status_ok();
}

static status crash_make_folder(struct files *files, struct arena *arena, const char *folder)
{
    struct crash_files *self = (struct crash_files *)files;
    char *name = arena_strdup(arena, folder);
    WHOLE(self);

    for (char *slash = name; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
        *slash = '\0';
        TRY(make_one_folder(self, arena, name));
    }
    return make_one_folder(self, arena, name);
}

static status crash_list(struct files *files, struct arena *arena, const char *folder,
                         struct files_names *ret_names)
{
    struct crash_files *self = (struct crash_files *)files;
    WHOLE(self);
    const struct node *node = tree_find(tree_of(self), folder);

    if (node == NULL || !node->is_folder) {
        return not_found(arena, "list", folder);
    }
    const struct entries *entries = &node->now_entries;
    const char **names = ARENA_NEW_ARRAY(arena, const char *, entries->n);
    for (size_t i = 0; i < entries->n; i++) {
        names[i] = arena_strdup(arena, entries->items[i].name);
    }
    *ret_names = (struct files_names){ .names = names, .n_names = entries->n };
    return status_ok();
}

static const struct files_ops crash_files_ops = {
    .open = crash_open,
    .rename = crash_rename,
    .remove = crash_remove,
    .make_folder = crash_make_folder,
    .list = crash_list,
    .sync_folder = crash_sync_folder,
};

/* ---- All of it ---- */

void crash_files_init(struct crash_files *self)
{
    *self = (struct crash_files){
        .files = { .ops = &crash_files_ops },
        .state = calloc(1, sizeof *self->state),
    };
    if (self->state == NULL) {
        abort();
    }
    pthread_mutex_init(&self->state->lock, NULL);
    tree_init(tree_of(self));
}

void crash_files_reset(struct crash_files *self)
{
    tree_reset(tree_of(self));
    pthread_mutex_destroy(&self->state->lock);
    free(self->state);
    self->state = NULL;
}

void crash_files_crash(struct crash_files *self)
{
    WHOLE(self);

    tree_crash(tree_of(self), self->torn);
    self->state->generation++;
    self->crash_after = 0;
    self->fail_operation = 0;
    self->skip_sync = 0;
    self->full = false;
    self->n_operations = 0;
    self->n_syncs = 0;
}

void crash_files_flip(struct crash_files *self, const char *name, uint64_t offset)
{
    WHOLE(self);
    struct node *node = tree_find(tree_of(self), name);

    assert(node != NULL && offset < node->now.size);
    node->now.data[offset] ^= 0x10;
    if (offset < node->disk.size) {
        node->disk.data[offset] ^= 0x10;
    }
}
