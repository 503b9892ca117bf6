/* map - from names to things.
 *
 * Keys are copied; values are the caller's.  A chained hash table that grows by doubling; the
 * hash is keyed (SipHash-1-3 under a key of its own), so that a stranger who chooses the names
 * cannot make them all collide.  Not locked: who shares one brings a lock.
 */

#ifndef LIBS_BASE_MAP_H_
#define LIBS_BASE_MAP_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry;

struct map {
    struct map_entry **buckets;
    size_t n_buckets;
    size_t n_entries;
    uint64_t key[2];
};

void map_init(struct map *map) NONNULL;
/* Frees the table and the keys; free_value, when not NULL, each value. */
void map_reset(struct map *map, void (*free_value)(void *value)) NONNULL_ARGS(1);

/* NULL when there is none. */
void *map_get(const struct map *map, const char *key) NONNULL;
/* Returns the value that was there before, or NULL. */
void *map_put(struct map *map, const char *key, void *value) NONNULL_ARGS(1, 2);
void *map_remove(struct map *map, const char *key) NONNULL;

/* The same for keys that are bytes. */
void *map_get_bytes(const struct map *map, bytes key) NONNULL;
void *map_put_bytes(struct map *map, bytes key, void *value) NONNULL_ARGS(1);
void *map_remove_bytes(struct map *map, bytes key) NONNULL;

/* Goes through all, in no order:  for (struct map_at at = { 0 }; map_next(map, &at);)
 * The entry at hand may be removed; nothing may be put meanwhile. */
struct map_at {
    bytes key; /* NUL-terminated behind its end */
    void *value;
    size_t bucket;
    struct map_entry *next;
};
bool map_next(const struct map *map, struct map_at *at) NONNULL;

/* SipHash-1-3 of data. */
uint64_t map_hash(const uint64_t key[2], bytes data) NONNULL;

#endif
