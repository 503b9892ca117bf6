#include "services/audit/audit_keys.h"

#include "libs/base/map.h"
#include "libs/base/text.h"
#include "libs/crypto/sha256.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Never change a row that has been released; add one. */
static const struct store_migration migrations[] = {
    {
        .up = "CREATE TABLE audit_key ("
              " tenant_id TEXT NOT NULL, subject_tag BYTEA NOT NULL, key_id BYTEA NOT NULL,"
              " wrapped BYTEA, create_time_ms BIGINT NOT NULL, erase_time_ms BIGINT,"
              " PRIMARY KEY (tenant_id, subject_tag, key_id))",
        .down = "DROP TABLE audit_key",
    },
    {
        .up = "CREATE UNIQUE INDEX audit_key_by_id ON audit_key (key_id)",
        .down = "DROP INDEX audit_key_by_id",
    },
    {
        .up = "CREATE UNIQUE INDEX audit_key_alive ON audit_key (tenant_id, subject_tag)"
              " WHERE wrapped IS NOT NULL",
        .down = "DROP INDEX audit_key_alive",
    },
};

struct cached {
    struct audit_data_key key;
    uint8_t tag[AUDIT_TAG_SIZE];
};

struct audit_keys {
    struct store *store;
    const struct random_source *random;
    const struct clock *clock;
    struct aead_key master;
    struct sha256 tag_key;
    pthread_mutex_t lock; /* over what follows */
    struct map by_tag;    /* of struct cached, which are this map's */
    struct map by_id;     /* the same */
    uint64_t erasures;    /* what was read before one may not be cached after it */
};

/* ---- Tags and wrapping ---- */

bytes audit_keys_tag(const struct audit_keys *keys, struct arena *arena, const char *kind,
                     const struct audit_subject *subject)
{
    struct text text = text_new(arena);
    uint8_t *tag = arena_alloc(arena, AUDIT_TAG_SIZE);

    /* Each with its NUL, so that no two are the same bytes. */
    text_add_bytes(&text, (bytes){ (const uint8_t *)kind, strlen(kind) + 1 });
    text_add_bytes(&text,
                   (bytes){ (const uint8_t *)subject->tenant_id, strlen(subject->tenant_id) + 1 });
    text_add_bytes(&text, bytes_of(subject->subject));
    struct sha256 hash = hmac_sha256(sha256_bytes(&keys->tag_key), text_bytes(&text));
    memcpy(tag, hash.data, AUDIT_TAG_SIZE);
    return (bytes){ tag, AUDIT_TAG_SIZE };
}

/* A wrapped key opens in its own row alone. */
static bytes wrap_context(struct arena *arena, const char *tenant_id, bytes tag, bytes id)
{
    struct text text = text_new(arena);

    text_add(&text, "weft audit data key v1 ");
    text_add_bytes(&text, tag);
    text_add_bytes(&text, id);
    text_add(&text, "%s", tenant_id);
    return text_bytes(&text);
}

static bytes id_bytes(const struct audit_key_id *id)
{
    return (bytes){ .data = id->data, .size = AUDIT_KEY_ID_SIZE };
}

#define COLUMNS "key_id, wrapped, tenant_id, subject_tag"

/* The first row, which has COLUMNS. */
static status unwrap(struct audit_keys *keys, struct arena *arena, const struct store_rows *rows,
                     struct cached *ret_cached)
{
    bytes id = store_blob_at(rows, 0, 0);
    bytes tag = store_blob_at(rows, 0, 3);
    bytes context = wrap_context(arena, store_text_at(rows, 0, 2), tag, id);
    bytes key;

    if (id.size != AUDIT_KEY_ID_SIZE || tag.size != AUDIT_TAG_SIZE) {
        return status_error(arena, STATUS_DATA_LOSS, "a row of audit_key is not as it was written");
    }
    TRY(aead_open(arena, &keys->master, context, store_blob_at(rows, 0, 1), &key));
    if (key.size != AEAD_KEY_SIZE) {
        return status_error(arena, STATUS_DATA_LOSS, "a wrapped key has %zu bytes", key.size);
    }
    memcpy(ret_cached->key.id.data, id.data, AUDIT_KEY_ID_SIZE);
    memcpy(ret_cached->key.key.data, key.data, AEAD_KEY_SIZE);
    memcpy(ret_cached->tag, tag.data, AUDIT_TAG_SIZE);
    return status_ok();
}

/* ---- What lies in memory ---- */

static void free_cached(void *value)
{
    struct cached *cached = value;

    aead_wipe(&cached->key.key);
    free(cached);
}

/* The lock is held. */
static void clear_cache(struct audit_keys *keys)
{
    map_reset(&keys->by_id, NULL);
    map_reset(&keys->by_tag, free_cached);
    map_init(&keys->by_tag);
    map_init(&keys->by_id);
}

/* The lock is held. */
static void forget(struct audit_keys *keys, bytes tag)
{
    struct cached *cached = map_remove_bytes(&keys->by_tag, tag);

    if (cached != NULL) {
        (void)map_remove_bytes(&keys->by_id, id_bytes(&cached->key.id));
        free_cached(cached);
    }
}

/* Keeps what was read when there had been so many erasures. */
static void keep(struct audit_keys *keys, const struct cached *read, uint64_t erasures)
{
    pthread_mutex_lock(&keys->lock);
    if (keys->erasures == erasures) {
        struct cached *copy = malloc(sizeof *copy);
        if (copy == NULL) {
            abort();
        }
        if (keys->by_tag.n_entries >= AUDIT_KEYS_MAX_CACHED) {
            clear_cache(keys);
        }
        *copy = *read;
        forget(keys, (bytes){ copy->tag, AUDIT_TAG_SIZE });
        (void)map_put_bytes(&keys->by_tag, (bytes){ copy->tag, AUDIT_TAG_SIZE }, copy);
        (void)map_put_bytes(&keys->by_id, id_bytes(&copy->key.id), copy);
    }
    pthread_mutex_unlock(&keys->lock);
}

/* Whether it lies in the map; *ret_erasures: for keep(), when it does not. */
static bool is_cached(struct audit_keys *keys, const struct map *map, bytes name,
                      struct audit_data_key *ret_key, uint64_t *ret_erasures)
{
    pthread_mutex_lock(&keys->lock);
    const struct cached *cached = map_get_bytes(map, name);
    if (cached != NULL) {
        *ret_key = cached->key;
    }
    *ret_erasures = keys->erasures;
    pthread_mutex_unlock(&keys->lock);
    return cached != NULL;
}

/* ---- Keys of subjects ---- */

static status read_alive(struct audit_keys *keys, struct arena *arena,
                         const struct audit_subject *subject, bytes tag, struct cached *ret_cached)
{
    const struct store_statement query = {
        .sql = "SELECT " COLUMNS " FROM audit_key"
               " WHERE tenant_id = $1 AND subject_tag = $2 AND wrapped IS NOT NULL",
        .params = PARAMS(store_text(subject->tenant_id), store_blob(tag)),
        .expect = EXPECT_ONE,
        .otherwise = status_error(arena, STATUS_NOT_FOUND, "the subject has no key"),
    };
    struct store_rows rows;

    TRY(store_query(keys->store, arena, &query, &rows));
    return unwrap(keys, arena, &rows, ret_cached);
}

/* Adds a new key to write; when another call makes one first, that one's stays. */
static status add_new(struct audit_keys *keys, struct store_write *write,
                      const struct audit_subject *subject, bytes tag)
{
    struct arena *arena = write->arena;
    uint8_t *id = arena_alloc(arena, AUDIT_KEY_ID_SIZE);
    struct aead_key key;
    bytes wrapped;

    random_fill(keys->random, id, AUDIT_KEY_ID_SIZE);
    aead_generate(keys->random, &key);
    const bytes key_id = { id, AUDIT_KEY_ID_SIZE };
    status s = aead_seal(arena, &keys->master, keys->random,
                         wrap_context(arena, subject->tenant_id, tag, key_id),
                         (bytes){ key.data, AEAD_KEY_SIZE }, &wrapped);
    aead_wipe(&key);
    TRY(s);
    store_write_add(
        write,
        (struct store_statement){
            .sql = "INSERT INTO audit_key (tenant_id, subject_tag, key_id, wrapped, create_time_ms)"
                   " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            .params = PARAMS(store_text(subject->tenant_id), store_blob(tag), store_blob(key_id),
                             store_blob(wrapped), store_int(clock_wall_ms(keys->clock))),
        });
    return status_ok();
}

/* Makes keys for those that `missing` names, and are still without. */
static status make_missing(struct audit_keys *keys, struct arena *arena,
                           const struct audit_subject *subjects, size_t n, const bool *missing)
{
    struct store_write *write = store_write_new(arena);
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (missing[i]) {
            TRY(add_new(keys, write, &subjects[i],
                        audit_keys_tag(keys, arena, "subject", &subjects[i])));
            any = true;
        }
    }
    return any ? store_commit(keys->store, arena, write) : status_ok();
}

static status find_alive(struct audit_keys *keys, struct arena *arena,
                         const struct audit_subject *subject, struct audit_data_key *ret_key)
{
    bytes tag = audit_keys_tag(keys, arena, "subject", subject);
    uint64_t erasures;
    struct cached read;

    if (is_cached(keys, &keys->by_tag, tag, ret_key, &erasures)) {
        return status_ok();
    }
    TRY(read_alive(keys, arena, subject, tag, &read));
    keep(keys, &read, erasures);
    *ret_key = read.key;
    aead_wipe(&read.key.key);
    return status_ok();
}

status audit_keys_of(struct audit_keys *keys, struct arena *arena,
                     const struct audit_subject *subjects, size_t n,
                     struct audit_data_key *ret_keys)
{
    bool *missing = ARENA_NEW_ARRAY(arena, bool, n);

    for (size_t i = 0; i < n; i++) {
        status s = find_alive(keys, arena, &subjects[i], &ret_keys[i]);
        missing[i] = s.code == STATUS_NOT_FOUND;
        if (!missing[i]) {
            TRY(s);
        }
    }
    TRY(make_missing(keys, arena, subjects, n, missing));
    for (size_t i = 0; i < n; i++) {
        if (missing[i]) {
            TRY(find_alive(keys, arena, &subjects[i], &ret_keys[i]));
        }
    }
    return status_ok();
}

/* ---- Keys by their id ---- */

status audit_keys_find(struct audit_keys *keys, struct arena *arena, const struct audit_key_id *id,
                       struct aead_key *ret_key)
{
    const struct store_statement query = {
        .sql = "SELECT " COLUMNS " FROM audit_key WHERE key_id = $1 AND wrapped IS NOT NULL",
        .params = PARAMS(store_blob(id_bytes(id))),
        .expect = EXPECT_ONE,
        .otherwise = status_error(arena, STATUS_NOT_FOUND, "the key was destroyed"),
    };
    struct audit_data_key key;
    uint64_t erasures;
    struct store_rows rows;
    struct cached read;

    if (is_cached(keys, &keys->by_id, id_bytes(id), &key, &erasures)) {
        *ret_key = key.key;
        aead_wipe(&key.key);
        return status_ok();
    }
    TRY(store_query(keys->store, arena, &query, &rows));
    TRY(unwrap(keys, arena, &rows, &read));
    keep(keys, &read, erasures);
    *ret_key = read.key.key;
    aead_wipe(&read.key.key);
    return status_ok();
}

status audit_keys_tenant(struct audit_keys *keys, struct arena *arena,
                         const struct audit_key_id *id, const char **ret_tenant_id)
{
    const struct store_statement query = {
        .sql = "SELECT tenant_id FROM audit_key WHERE key_id = $1",
        .params = PARAMS(store_blob(id_bytes(id))),
        .expect = EXPECT_ONE,
        .otherwise = status_error(arena, STATUS_NOT_FOUND, "nobody has had this key"),
    };
    struct store_rows rows;

    TRY(store_query(keys->store, arena, &query, &rows));
    *ret_tenant_id = store_text_at(&rows, 0, 0);
    return status_ok();
}

/* ---- Erasing ---- */

void audit_keys_erase(struct audit_keys *keys, struct store_write *write,
                      const struct audit_subject *subject)
{
    bytes tag = audit_keys_tag(keys, write->arena, "subject", subject);

    store_write_add(
        write,
        (struct store_statement){
            .sql = "UPDATE audit_key SET wrapped = NULL, erase_time_ms = $1"
                   " WHERE tenant_id = $2 AND subject_tag = $3 AND wrapped IS NOT NULL",
            .params = PARAMS(store_int(clock_wall_ms(keys->clock)), store_text(subject->tenant_id),
                             store_blob(tag)),
            .expect = EXPECT_ONE,
            .otherwise = status_error(write->arena, STATUS_NOT_FOUND,
                                      "tenant '%s' has no such data subject", subject->tenant_id),
        });
}

void audit_keys_forget(struct audit_keys *keys, const struct audit_subject *subject)
{
    struct arena *arena = arena_new();
    bytes tag = audit_keys_tag(keys, arena, "subject", subject);

    pthread_mutex_lock(&keys->lock);
    keys->erasures++;
    forget(keys, tag);
    pthread_mutex_unlock(&keys->lock);
    arena_free(arena);
}

/* ---- Beginning and end ---- */

status audit_keys_migrate(struct store *store, struct arena *arena)
{
    return store_migrate(store, arena, "audit_keys", migrations,
                         sizeof migrations / sizeof migrations[0]);
}

/* Some row that has a key: the last that was made. */
static status read_any(struct store *store, struct arena *arena, struct store_rows *ret_rows)
{
    const struct store_statement query = {
        .sql = "SELECT " COLUMNS " FROM audit_key WHERE wrapped IS NOT NULL"
               " ORDER BY create_time_ms DESC LIMIT 1",
    };

    return store_query(store, arena, &query, ret_rows);
}

status audit_keys_exist(struct store *store, struct arena *arena, bool *ret_exist)
{
    const struct store_statement query = { .sql = "SELECT 1 FROM audit_key LIMIT 1" };
    struct store_rows rows;

    TRY(store_query(store, arena, &query, &rows));
    *ret_exist = rows.n_rows > 0;
    return status_ok();
}

static status check_master(struct audit_keys *keys, struct arena *arena)
{
    struct store_rows rows;
    struct cached read;

    TRY(read_any(keys->store, arena, &rows));
    if (rows.n_rows == 0) {
        return status_ok();
    }
    status s = unwrap(keys, arena, &rows, &read);
    if (s.code == STATUS_DATA_LOSS) {
        return status_error(arena, s.code, "the keys of the data subjects: %s", s.message);
    }
    TRY(s);
    aead_wipe(&read.key.key);
    return status_ok();
}

status audit_keys_new(const struct audit_keys_options *options, struct arena *arena,
                      struct audit_keys **ret_keys)
{
    assert(options->store != NULL && options->master != NULL && options->random != NULL &&
           options->clock != NULL);

    struct audit_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL) {
        abort();
    }
    *keys = (struct audit_keys){
        .store = options->store,
        .random = options->random,
        .clock = options->clock,
        .master = *options->master,
        .tag_key = hkdf_sha256((bytes){ options->master->data, AEAD_KEY_SIZE }, (bytes){ 0 },
                               "weft audit tags v1"),
    };
    pthread_mutex_init(&keys->lock, NULL);
    map_init(&keys->by_tag);
    map_init(&keys->by_id);
    status s = check_master(keys, arena);
    if (!status_is_ok(s)) {
        audit_keys_free(keys);
        return s;
    }
    *ret_keys = keys;
    return status_ok();
}

void audit_keys_free(struct audit_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    clear_cache(keys);
    map_reset(&keys->by_tag, NULL);
    map_reset(&keys->by_id, NULL);
    aead_wipe(&keys->master);
    sha256_wipe(&keys->tag_key);
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}
