#include "libs/testing/crash_tree.h"

#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* ---- Bytes ---- */

static void image_resize(struct image *image, size_t size)
{
    if (size > image->capacity) {
        image->capacity = size * 2;
        image->data = must(realloc(image->data, image->capacity));
    }
    if (size > image->size) {
        memset(image->data + image->size, 0, size - image->size);
    }
    image->size = size;
}

static void image_write(struct image *image, uint64_t offset, bytes data)
{
    if (data.data == NULL || data.size == 0) {
        return;
    }
    if (offset + data.size > image->size) {
        image_resize(image, (size_t)offset + data.size);
    }
    memcpy(image->data + offset, data.data, data.size);
}

static void image_copy(struct image *to, const struct image *from)
{
    image_resize(to, 0);
    image_write(to, 0, (bytes){ .data = from->data, .size = from->size });
}

static void add_pending(struct node *node, uint64_t offset, bytes data)
{
    struct pending *pending = must(calloc(1, sizeof *pending));

    pending->offset = offset;
    if (data.size > 0) {
        pending->data = must(malloc(data.size));
        pending->size = data.size;
        memcpy(pending->data, data.data, data.size);
    }
    *node->pending_end = pending;
    node->pending_end = &pending->next;
}

void node_write(struct node *node, uint64_t offset, bytes data)
{
    if (data.size > 0) {
        image_write(&node->now, offset, data);
        add_pending(node, offset, data);
    }
}

void node_truncate(struct node *node, uint64_t size)
{
    image_resize(&node->now, (size_t)size);
    add_pending(node, size, (bytes){ .data = NULL });
}

void node_lose_pending(struct node *node)
{
    while (node->pending != NULL) {
        struct pending *pending = node->pending;
        node->pending = pending->next;
        free(pending->data);
        free(pending);
    }
    node->pending_end = &node->pending;
}

/* Brings the bytes from first up to, not including, end, counted over all that is pending, to
 * the disk; and the truncations between them. */
static void apply_pending(struct node *node, size_t first, size_t end)
{
    size_t at = 0;

    for (const struct pending *p = node->pending; p != NULL; at += p->size, p = p->next) {
        size_t from = first > at ? first - at : 0;
        size_t to = end > at ? end - at : 0;
        to = to < p->size ? to : p->size;
        if (p->data == NULL && at >= first && at <= end) {
            image_resize(&node->disk, (size_t)p->offset);
        } else if (from < to) {
            image_write(&node->disk, p->offset + from,
                        (bytes){ .data = p->data + from, .size = to - from });
        }
    }
}

void node_sync(struct node *node)
{
    apply_pending(node, 0, SIZE_MAX);
    node_lose_pending(node);
}

static void node_tear(struct node *node, enum crash_torn torn)
{
    size_t n = 0;

    for (const struct pending *p = node->pending; p != NULL; p = p->next) {
        n += p->size;
    }
    if (torn == TORN_FIRST_HALF && n > 0) {
        apply_pending(node, 0, n / 2);
    } else if (torn == TORN_LAST_HALF && n > 0) {
        apply_pending(node, n / 2, SIZE_MAX);
    }
}

/* ---- Names ---- */

/* Where name is, or where it would be. */
static size_t entry_place(const struct entries *entries, const char *name, size_t length)
{
    size_t at = 0;

    for (; at < entries->n; at++) {
        if (strncmp(entries->items[at].name, name, length) >= 0) {
            break;
        }
    }
    return at;
}

static struct node *entry_get(const struct entries *entries, const char *name, size_t length)
{
    size_t at = entry_place(entries, name, length);

    return at < entries->n && strlen(entries->items[at].name) == length &&
                   memcmp(entries->items[at].name, name, length) == 0
               ? entries->items[at].node
               : NULL;
}

static void entries_reset(struct entries *entries)
{
    for (size_t i = 0; i < entries->n; i++) {
        free(entries->items[i].name);
    }
    free(entries->items);
    *entries = (struct entries){ .items = NULL };
}

static void entries_copy(struct entries *to, const struct entries *from)
{
    entries_reset(to);
    to->items = must(calloc(from->n + 1, sizeof *to->items));
    to->n = from->n;
    for (size_t i = 0; i < from->n; i++) {
        to->items[i] = (struct entry){ .name = must(strdup(from->items[i].name)),
                                       .node = from->items[i].node };
    }
}

struct node *folder_get(const struct node *folder, const char *name)
{
    return entry_get(&folder->now_entries, name, strlen(name));
}

static void entry_remove(struct entries *entries, size_t at)
{
    free(entries->items[at].name);
    entries->n--;
    memmove(&entries->items[at], &entries->items[at + 1],
            (entries->n - at) * sizeof *entries->items);
}

static void entry_insert(struct entries *entries, size_t at, const char *name, struct node *node)
{
    entries->items = must(realloc(entries->items, (entries->n + 1) * sizeof *entries->items));
    memmove(&entries->items[at + 1], &entries->items[at],
            (entries->n - at) * sizeof *entries->items);
    entries->items[at] = (struct entry){ .name = must(strdup(name)), .node = node };
    entries->n++;
}

void folder_set(struct node *folder, const char *name, struct node *node)
{
    struct entries *entries = &folder->now_entries;
    size_t at = entry_place(entries, name, strlen(name));

    if (folder_get(folder, name) != NULL) {
        entry_remove(entries, at);
    }
    if (node != NULL) {
        entry_insert(entries, at, name, node);
    }
    folder->has_unsynced = true;
}

void folder_sync(struct node *folder)
{
    entries_copy(&folder->disk_entries, &folder->now_entries);
    folder->has_unsynced = false;
}

struct node *tree_parent(const struct tree *tree, const char *name, const char **ret_last)
{
    struct node *folder = tree->root;

    for (const char *slash; (slash = strchr(name, '/')) != NULL; name = slash + 1) {
        folder = entry_get(&folder->now_entries, name, (size_t)(slash - name));
        if (folder == NULL || !folder->is_folder) {
            return NULL;
        }
    }
    *ret_last = name;
    return folder;
}

struct node *tree_find(const struct tree *tree, const char *name)
{
    const char *last;

    if (name[0] == '\0') {
        return tree->root;
    }
    const struct node *folder = tree_parent(tree, name, &last);
    return folder == NULL ? NULL : folder_get(folder, last);
}

bool node_contains(const struct node *node, const struct node *below)
{
    bool found = node == below;

    for (size_t i = 0; !found && i < node->now_entries.n; i++) {
        found = node_contains(node->now_entries.items[i].node, below);
    }
    return found;
}

/* ---- All of it ---- */

struct node *tree_new_node(struct tree *tree, bool is_folder)
{
    struct node *node = must(calloc(1, sizeof *node));

    node->is_folder = is_folder;
    node->pending_end = &node->pending;
    node->next = tree->nodes;
    tree->nodes = node;
    return node;
}

static void node_free(struct node *node)
{
    node_lose_pending(node);
    entries_reset(&node->now_entries);
    entries_reset(&node->disk_entries);
    free(node->now.data);
    free(node->disk.data);
    free(node);
}

void tree_init(struct tree *tree)
{
    *tree = (struct tree){ .nodes = NULL };
    tree->root = tree_new_node(tree, true);
}

void tree_reset(struct tree *tree)
{
    while (tree->nodes != NULL) {
        struct node *node = tree->nodes;
        tree->nodes = node->next;
        node_free(node);
    }
}

static void revive(struct node *node, enum crash_torn torn)
{
    if (node->is_alive) { /* two names, after a rename of which one half is on disk */
        return;
    }
    node->is_alive = true;
    entries_copy(&node->now_entries, &node->disk_entries);
    node->has_unsynced = false;
    for (size_t i = 0; i < node->now_entries.n; i++) {
        revive(node->now_entries.items[i].node, torn);
    }
    node_tear(node, torn);
    node_lose_pending(node);
    image_copy(&node->now, &node->disk);
}

void tree_crash(struct tree *tree, enum crash_torn torn)
{
    for (struct node *node = tree->nodes; node != NULL; node = node->next) {
        node->is_alive = false;
    }
    revive(tree->root, torn);
    for (struct node **at = &tree->nodes; *at != NULL;) {
        struct node *node = *at;
        if (node->is_alive) {
            at = &node->next;
        } else {
            *at = node->next;
            node_free(node);
        }
    }
}
