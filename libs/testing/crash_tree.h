/* crash_tree - the files and folders of crash_files, each as it is now and as it is on disk.
 *
 *     folder  now:  name -> node, name -> node     what list, open and rename see
 *             disk: name -> node                   what the folder's last sync saw
 *     file    now:  bytes                          what reads see
 *             disk: bytes                          what is left after a crash
 *             pending: write, write, truncate      what leads from disk to now
 *
 * Nodes that no name leads to any more stay until the next crash, for a file may still be open.
 */

#ifndef LIBS_TESTING_CRASH_TREE_H_
#define LIBS_TESTING_CRASH_TREE_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/testing/crash_files.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;

struct entry {
    char *name;
    struct node *node;
};

/* Sorted by name. */
struct entries {
    struct entry *items;
    size_t n;
};

struct image {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* A write of data at offset; or, with data NULL, a truncation to offset. */
struct pending {
    uint64_t offset;
    uint8_t *data; /* owned */
    size_t size;
    struct pending *next;
};

struct node {
    bool is_folder;
    bool is_alive;     /* for the sweep after a crash */
    bool has_unsynced; /* names of a folder */
    struct entries now_entries, disk_entries;
    struct image now, disk;
    struct pending *pending;
    struct pending **pending_end;
    struct node *next; /* of all */
};

struct tree {
    struct node *root;
    struct node *nodes;
};

void tree_init(struct tree *tree) NONNULL;
void tree_reset(struct tree *tree) NONNULL;
/* Everything back to what is on disk. */
void tree_crash(struct tree *tree, enum crash_torn torn) NONNULL;

/* The tree owns it.  It has no name yet. */
struct node *tree_new_node(struct tree *tree, bool is_folder) NONNULL RETURNS_NONNULL;
/* The node that name leads to now, or NULL. */
struct node *tree_find(const struct tree *tree, const char *name) NONNULL;
/* The folder that name stands in, or NULL; and name's last part. */
struct node *tree_parent(const struct tree *tree, const char *name, const char **ret_last) NONNULL;
/* Whether below is node or somewhere below it, now. */
bool node_contains(const struct node *node, const struct node *below) NONNULL;

/* With node NULL the name is removed. */
void folder_set(struct node *folder, const char *name, struct node *node) NONNULL_ARGS(1, 2);
struct node *folder_get(const struct node *folder, const char *name) NONNULL;
void folder_sync(struct node *folder) NONNULL;

void node_write(struct node *node, uint64_t offset, bytes data) NONNULL;
void node_truncate(struct node *node, uint64_t size) NONNULL;
void node_sync(struct node *node) NONNULL;
/* What is pending will never be on disk. */
void node_lose_pending(struct node *node) NONNULL;

#endif
