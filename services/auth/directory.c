#include "services/auth/directory.h"

#include "libs/base/map.h"
#include "libs/base/status_details.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { LOAD_PAGE = 1000 };

struct account {
    struct account_record record;
    struct arena *arena; /* of the record's texts */
    struct key *keys;
};

struct key {
    struct key *next, *previous; /* of its account's */
    struct account *account;
    struct sha256 hash;
    int64_t expire_time_ms;
    char id[];
};

struct directory {
    pthread_rwlock_t lock;
    struct map accounts; /* by "tenant/account" */
    struct map keys;     /* by id */
};

/* ---- Records ---- */

static struct text_list copy_texts(struct arena *arena, const struct text_list *list)
{
    const char **texts = ARENA_NEW_ARRAY(arena, const char *, list->n_texts);

    for (size_t i = 0; i < list->n_texts; i++) {
        texts[i] = arena_strdup(arena, list->texts[i]);
    }
    return (struct text_list){ .texts = texts, .n_texts = list->n_texts };
}

static struct account_record copy_record(struct arena *arena, const struct account_record *record)
{
    return (struct account_record){
        .tenant_id = arena_strdup(arena, record->tenant_id),
        .account_id = arena_strdup(arena, record->account_id),
        .uid = arena_strdup(arena, record->uid),
        .display_name = arena_strdup(arena, record->display_name),
        .roles = copy_texts(arena, &record->roles),
        .permissions = copy_texts(arena, &record->permissions),
        .create_time_ms = record->create_time_ms,
        .earliest_ms = record->earliest_ms,
    };
}

/* ---- Accounts and keys, under the lock ---- */

/* Where an account is found: its name, which is put together on the stack.  Ids have at most 63
 * characters, and one that is longer is no account's. */
struct place {
    char text[2 * 64];
};

static struct place place_of(const char *tenant_id, const char *account_id)
{
    struct place place = { "" };
    size_t n_tenant = strlen(tenant_id);
    size_t n_account = strlen(account_id);

    if (n_tenant < 64 && n_account < 64) {
        memcpy(place.text, tenant_id, n_tenant);
        place.text[n_tenant] = '/';
        memcpy(place.text + n_tenant + 1, account_id, n_account);
    }
    return place;
}

static struct account *find_account(const struct directory *self, const char *tenant_id,
                                    const char *account_id)
{
    struct place place = place_of(tenant_id, account_id);

    return map_get(&self->accounts, place.text);
}

/* It is in no list any more. */
static void forget_key(struct directory *self, struct key *key)
{
    (void)map_remove(&self->keys, key->id);
    sha256_wipe(&key->hash);
    free(key);
}

static void remove_key(struct directory *self, struct key *key)
{
    if (key->previous != NULL) {
        key->previous->next = key->next;
    } else {
        key->account->keys = key->next;
    }
    if (key->next != NULL) {
        key->next->previous = key->previous;
    }
    forget_key(self, key);
}

static void free_account(struct directory *self, struct account *account)
{
    struct key *next;

    for (struct key *key = account->keys; key != NULL; key = next) {
        next = key->next;
        forget_key(self, key);
    }
    arena_free(account->arena);
}

/* ---- Changes ---- */

void directory_put_account(struct directory *self, const struct account_record *record)
{
    struct place place = place_of(record->tenant_id, record->account_id);
    struct arena *arena = arena_new();
    struct account *account = ARENA_NEW(arena, struct account);

    *account = (struct account){ .record = copy_record(arena, record), .arena = arena };
    (void)pthread_rwlock_wrlock(&self->lock);
    struct account *before = map_put(&self->accounts, place.text, account);
    if (before != NULL) {
        free_account(self, before);
    }
    (void)pthread_rwlock_unlock(&self->lock);
}

void directory_remove_account(struct directory *self, const char *tenant_id, const char *account_id)
{
    struct place place = place_of(tenant_id, account_id);

    (void)pthread_rwlock_wrlock(&self->lock);
    struct account *account = map_remove(&self->accounts, place.text);
    if (account != NULL) {
        free_account(self, account);
    }
    (void)pthread_rwlock_unlock(&self->lock);
}

/* Goes through all there are: it is seldom. */
void directory_remove_tenant(struct directory *self, const char *tenant_id)
{
    (void)pthread_rwlock_wrlock(&self->lock);
    for (struct map_at at = { 0 }; map_next(&self->accounts, &at);) {
        struct account *account = at.value;
        if (strcmp(account->record.tenant_id, tenant_id) == 0) {
            (void)map_remove_bytes(&self->accounts, at.key);
            free_account(self, account);
        }
    }
    (void)pthread_rwlock_unlock(&self->lock);
}

static struct key *make_key(const struct key_record *record, struct account *account)
{
    size_t size = strlen(record->key_id) + 1;
    struct key *key = malloc(sizeof *key + size);

    if (key == NULL) {
        abort();
    }
    *key = (struct key){
        .next = account->keys,
        .account = account,
        .hash = record->hash,
        .expire_time_ms = record->expire_time_ms,
    };
    memcpy(key->id, record->key_id, size);
    if (key->next != NULL) {
        key->next->previous = key;
    }
    account->keys = key;
    return key;
}

static void drop_expired(struct directory *self, struct account *account, int64_t now_ms)
{
    for (struct key **at = &account->keys; *at != NULL;) {
        struct key *key = *at;
        if (key->expire_time_ms == 0 || key->expire_time_ms > now_ms) {
            at = &key->next;
            continue;
        }
        *at = key->next;
        if (key->next != NULL) {
            key->next->previous = key->previous;
        }
        forget_key(self, key);
    }
}

void directory_put_key(struct directory *self, const struct key_record *record)
{
    (void)pthread_rwlock_wrlock(&self->lock);
    struct account *account = find_account(self, record->tenant_id, record->account_id);
    if (account != NULL && strcmp(account->record.uid, record->account_uid) == 0 &&
        map_get(&self->keys, record->key_id) == NULL) {
        drop_expired(self, account, record->create_time_ms);
        (void)map_put(&self->keys, record->key_id, make_key(record, account));
    }
    (void)pthread_rwlock_unlock(&self->lock);
}

void directory_remove_key(struct directory *self, const char *key_id)
{
    (void)pthread_rwlock_wrlock(&self->lock);
    struct key *key = map_get(&self->keys, key_id);
    if (key != NULL) {
        remove_key(self, key);
    }
    (void)pthread_rwlock_unlock(&self->lock);
}

/* ---- Look-ups ---- */

bool directory_find_account(struct directory *self, struct arena *arena, const char *tenant_id,
                            const char *account_id, struct account_record *ret_record)
{
    (void)pthread_rwlock_rdlock(&self->lock);
    const struct account *account = find_account(self, tenant_id, account_id);
    if (account != NULL) {
        *ret_record = copy_record(arena, &account->record);
    }
    (void)pthread_rwlock_unlock(&self->lock);
    return account != NULL;
}

bool directory_find_key(struct directory *self, struct arena *arena, const char *key_id,
                        struct directory_key *ret_key)
{
    (void)pthread_rwlock_rdlock(&self->lock);
    const struct key *key = map_get(&self->keys, key_id);
    if (key != NULL) {
        *ret_key = (struct directory_key){
            .hash = key->hash,
            .expire_time_ms = key->expire_time_ms,
            .account = copy_record(arena, &key->account->record),
        };
    }
    (void)pthread_rwlock_unlock(&self->lock);
    return key != NULL;
}

/* ---- Life ---- */

/* scratch takes a page at a time; where the next page begins is kept in arena. */
static status load_accounts(struct directory *self, struct store *store, struct feed *feed,
                            struct arena *scratch, struct arena *arena)
{
    struct account_page page = { .more = true };
    const char *tenant_id = "", *account_id = "";

    while (page.more) {
        arena_reset(scratch);
        TRY(auth_store_scan_accounts(store, scratch, tenant_id, account_id, LOAD_PAGE, &page));
        for (size_t i = 0; i < page.n_records; i++) {
            struct account_record record = page.records[i];
            record.earliest_ms = feed_revoked_until(
                feed, directory_subject(scratch, record.tenant_id, record.account_id));
            directory_put_account(self, &record);
        }
        if (page.more) {
            tenant_id = arena_strdup(arena, page.records[page.n_records - 1].tenant_id);
            account_id = arena_strdup(arena, page.records[page.n_records - 1].account_id);
        }
    }
    return status_ok();
}

static status load_keys(struct directory *self, struct store *store, struct arena *scratch,
                        struct arena *arena)
{
    struct key_page page = { .more = true };
    const char *tenant_id = "", *key_id = "";

    while (page.more) {
        arena_reset(scratch);
        TRY(auth_store_scan_keys(store, scratch, tenant_id, key_id, LOAD_PAGE, &page));
        for (size_t i = 0; i < page.n_records; i++) {
            directory_put_key(self, &page.records[i]);
        }
        if (page.more) {
            tenant_id = arena_strdup(arena, page.records[page.n_records - 1].tenant_id);
            key_id = arena_strdup(arena, page.records[page.n_records - 1].key_id);
        }
    }
    return status_ok();
}

const char *directory_subject(struct arena *arena, const char *tenant_id, const char *account_id)
{
    return arena_printf(arena, "tenant:%s:sa:%s", tenant_id, account_id);
}

status directory_load(struct directory *self, struct store *store, struct feed *feed,
                      struct arena *arena)
{
    struct arena *scratch = arena_new();
    status s = load_accounts(self, store, feed, scratch, arena);

    if (status_is_ok(s)) {
        s = load_keys(self, store, scratch, arena);
    }
    s = status_copy(arena, s);
    arena_free(scratch);
    return s;
}

struct directory *directory_new(void)
{
    struct directory *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    (void)pthread_rwlock_init(&self->lock, NULL);
    map_init(&self->accounts);
    map_init(&self->keys);
    return self;
}

void directory_free(struct directory *self)
{
    if (self == NULL) {
        return;
    }
    for (struct map_at at = { 0 }; map_next(&self->accounts, &at);) {
        free_account(self, at.value);
    }
    map_reset(&self->accounts, NULL);
    map_reset(&self->keys, NULL);
    (void)pthread_rwlock_destroy(&self->lock);
    free(self);
}
