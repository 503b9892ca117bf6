#include "libs/base/map.h"

#include "libs/base/random.h"
#include "libs/base/text.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 16 };

struct map_entry {
    struct map_entry *next;
    uint64_t hash;
    void *value;
    size_t size;
    char key[];
};

/* ---- SipHash (Aumasson, Bernstein 2012), one round a block and three at the end ---- */

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(struct sip *v)
{
    v->a += v->b;
    v->b = rotate(v->b, 13) ^ v->a;
    v->a = rotate(v->a, 32);
    v->c += v->d;
    v->d = rotate(v->d, 16) ^ v->c;
    v->a += v->d;
    v->d = rotate(v->d, 21) ^ v->a;
    v->c += v->b;
    v->b = rotate(v->b, 17) ^ v->c;
    v->c = rotate(v->c, 32);
}

uint64_t map_hash(const uint64_t key[2], bytes data)
{
    struct sip v = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
    uint64_t last = (uint64_t)data.size << 56;
    size_t whole = data.size / 8 * 8;

    for (size_t i = 0; i < whole; i += 8) {
        uint64_t block;
        memcpy(&block, data.data + i, 8);
        v.d ^= block;
        sip_round(&v);
        v.a ^= block;
    }
    for (size_t i = whole; i < data.size; i++) {
        last |= (uint64_t)data.data[i] << (8 * (i - whole));
    }
    v.d ^= last;
    sip_round(&v);
    v.a ^= last;
    v.c ^= 0xff;
    sip_round(&v);
    sip_round(&v);
    sip_round(&v);
    return v.a ^ v.b ^ v.c ^ v.d;
}

/* ---- The table ---- */

void map_init(struct map *map)
{
    *map = (struct map){ .buckets = NULL };
    random_fill(&system_random, (uint8_t *)map->key, sizeof map->key);
}

void map_reset(struct map *map, void (*free_value)(void *value))
{
    for (size_t i = 0; i < map->n_buckets; i++) {
        for (struct map_entry *entry = map->buckets[i]; entry != NULL;) {
            struct map_entry *next = entry->next;
            if (free_value != NULL) {
                free_value(entry->value);
            }
            free(entry);
            entry = next;
        }
    }
    free(map->buckets);
    *map = (struct map){ .key = { map->key[0], map->key[1] } };
}

/* Where the entry of key hangs, or where it would. */
static struct map_entry **find(const struct map *map, bytes key, uint64_t hash)
{
    struct map_entry **at = &map->buckets[hash & (map->n_buckets - 1)];

    while (*at != NULL && ((*at)->hash != hash || (*at)->size != key.size ||
                           (key.size > 0 && memcmp((*at)->key, key.data, key.size) != 0))) {
        at = &(*at)->next;
    }
    return at;
}

static void grow(struct map *map)
{
    size_t n = map->n_buckets == 0 ? FIRST_BUCKETS : map->n_buckets * 2;
    struct map_entry **buckets = calloc(n, sizeof *buckets);

    if (buckets == NULL) {
        abort();
    }
    for (size_t i = 0; i < map->n_buckets; i++) {
        for (struct map_entry *entry = map->buckets[i]; entry != NULL;) {
            struct map_entry *next = entry->next;
            struct map_entry **bucket = &buckets[entry->hash & (n - 1)];
            entry->next = *bucket;
            *bucket = entry;
            entry = next;
        }
    }
    free(map->buckets);
    map->buckets = buckets;
    map->n_buckets = n;
}

void *map_get_bytes(const struct map *map, bytes key)
{
    if (map->n_entries == 0) {
        return NULL;
    }
    const struct map_entry *entry = *find(map, key, map_hash(map->key, key));
    return entry == NULL ? NULL : entry->value;
}

void *map_put_bytes(struct map *map, bytes key, void *value)
{
    uint64_t hash = map_hash(map->key, key);

    if (map->n_entries >= map->n_buckets) {
        grow(map);
    }
    struct map_entry **at = find(map, key, hash);
    if (*at != NULL) {
        void *before = (*at)->value;
        (*at)->value = value;
        return before;
    }
    struct map_entry *entry = calloc(1, sizeof *entry + key.size + 1);
    if (entry == NULL) {
        abort();
    }
    entry->hash = hash;
    entry->value = value;
    entry->size = key.size;
    if (key.size > 0) {
        memcpy(entry->key, key.data, key.size);
    }
    *at = entry;
    map->n_entries++;
    return NULL;
}

void *map_remove_bytes(struct map *map, bytes key)
{
    if (map->n_entries == 0) {
        return NULL;
    }
    struct map_entry **at = find(map, key, map_hash(map->key, key));
    struct map_entry *entry = *at;
    if (entry == NULL) {
        return NULL;
    }
    void *value = entry->value;
    *at = entry->next;
    free(entry);
    map->n_entries--;
    return value;
}

void *map_get(const struct map *map, const char *key)
{
    return map_get_bytes(map, bytes_of(key));
}

void *map_put(struct map *map, const char *key, void *value)
{
    return map_put_bytes(map, bytes_of(key), value);
}

void *map_remove(struct map *map, const char *key)
{
    return map_remove_bytes(map, bytes_of(key));
}

bool map_next(const struct map *map, struct map_at *at)
{
    struct map_entry *entry = at->next;

    while (entry == NULL && at->bucket < map->n_buckets) {
        entry = map->buckets[at->bucket++];
    }
    if (entry == NULL) {
        return false;
    }
    at->key = (bytes){ .data = (const uint8_t *)entry->key, .size = entry->size };
    at->value = entry->value;
    at->next = entry->next;
    return true;
}
