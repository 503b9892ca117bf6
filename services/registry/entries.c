#include "services/registry/entries.h"

#include "libs/base/text.h"
#include "libs/crypto/spiffe_id.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct arena *arena; /* holds all of it */
    const char *text;    /* that it was read from */
    size_t text_size;
    struct entry *entries;
    size_t n;
};

struct entries {
    char *trust_domain;
    pthread_mutex_t lock;
    struct list list;
    uint64_t revision;
    struct watchers watchers;
};

struct entries *entries_new(const char *trust_domain)
{
    struct entries *self = calloc(1, sizeof *self);

    if (self == NULL || (self->trust_domain = strdup(trust_domain)) == NULL) {
        abort();
    }
    self->revision = 1;
    (void)pthread_mutex_init(&self->lock, NULL);
    return self;
}

void entries_free(struct entries *entries)
{
    if (entries != NULL) {
        arena_free(entries->list.arena);
        (void)pthread_mutex_destroy(&entries->lock);
        free(entries->trust_domain);
        free(entries);
    }
}

/* ---- Reading the file ---- */

static void decref(json_t **json)
{
    json_decref(*json);
}

static const char *text_member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

static status bad_entry(struct arena *arena, size_t i, const char *why)
{
    return status_error(arena, STATUS_INVALID_ARGUMENT, "entry %zu: %s", i, why);
}

/* Into the list's arena; errors into the caller's. */
static status read_dns_names(struct arena *arena, struct arena *keep, size_t i,
                             const json_t *object, struct entry *entry)
{
    const json_t *list = json_object_get(object, "dns");
    size_t n = json_array_size(list);
    const char **names = ARENA_NEW_ARRAY(keep, const char *, n + 1);

    if (list != NULL && !json_is_array(list)) {
        return bad_entry(arena, i, "'dns' is no list");
    }
    if (n > ENTRIES_MAX_DNS_NAMES) {
        return bad_entry(arena, i, "'dns' has too many names");
    }
    for (size_t j = 0; j < n; j++) {
        const char *name = json_string_value(json_array_get(list, j));
        if (name == NULL) {
            return bad_entry(arena, i, "'dns' has something else than texts");
        }
        names[j] = arena_strdup(keep, name);
    }
    entry->dns_names = names;
    entry->n_dns_names = n;
    return status_ok();
}

static status read_selectors(struct arena *arena, struct arena *keep, size_t i,
                             const json_t *object, struct entry *entry)
{
    const json_t *uid = json_object_get(object, "uid");

    if (uid != NULL && (!json_is_integer(uid) || json_integer_value(uid) < 0)) {
        return bad_entry(arena, i, "'uid' is no number of a user");
    }
    entry->uid = uid == NULL ? -1 : json_integer_value(uid);
    entry->path = arena_strdup(keep, text_member(object, "path"));
    entry->sha256 = arena_strdup(keep, text_member(object, "sha256"));
    if (entry->path[0] != '\0' && entry->path[0] != '/') {
        return bad_entry(arena, i, "'path' does not begin with '/'");
    }
    if (entry->sha256[0] != '\0' &&
        (strlen(entry->sha256) != 64 || strspn(entry->sha256, "0123456789abcdef") != 64)) {
        return bad_entry(arena, i, "'sha256' is not 64 hex digits");
    }
    if (entry->uid < 0 && entry->path[0] == '\0' && entry->sha256[0] == '\0') {
        return bad_entry(arena, i, "it has none of 'uid', 'path' and 'sha256'");
    }
    return status_ok();
}

static status read_entry(struct entries *self, struct arena *arena, struct arena *keep, size_t i,
                         const json_t *object, struct entry *entry)
{
    const char *text = text_member(object, "spiffe_id");
    struct spiffe_id id;

    if (!status_is_ok(spiffe_id_parse(arena, bytes_of(text), &id)) ||
        !spiffe_id_names_workload(&id) || strcmp(id.trust_domain, self->trust_domain) != 0) {
        return bad_entry(arena, i, "'spiffe_id' names no workload of the trust domain");
    }
    if (strncmp(id.path, "/agent/", strlen("/agent/")) == 0) {
        return bad_entry(arena, i, "agents join by themselves");
    }
    entry->spiffe_id = arena_strdup(keep, text);
    TRY(read_dns_names(arena, keep, i, object, entry));
    return read_selectors(arena, keep, i, object, entry);
}

static status read_list(struct entries *self, struct arena *arena, bytes text, struct list *list)
{
    json_error_t error;
    CLEANUP(decref)
    json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_array(json)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "no list of entries: %s",
                            json == NULL ? error.text : "it is something else");
    }
    if (json_array_size(json) > ENTRIES_MAX) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "more than %d entries", ENTRIES_MAX);
    }
    list->entries = ARENA_NEW_ARRAY(list->arena, struct entry, json_array_size(json) + 1);
    for (size_t i = 0; i < json_array_size(json); i++) {
        TRY(read_entry(self, arena, list->arena, i, json_array_get(json, i), &list->entries[i]));
        list->n++;
    }
    return status_ok();
}

/* ---- What is in force ---- */

static bool is_same(struct entries *self, bytes json)
{
    (void)pthread_mutex_lock(&self->lock);
    bool same = self->list.arena != NULL && self->list.text_size == json.size &&
                memcmp(self->list.text, json.data, json.size) == 0;
    (void)pthread_mutex_unlock(&self->lock);
    return same;
}

status entries_load(struct entries *entries, struct arena *arena, bytes json)
{
    if (is_same(entries, json)) {
        return status_ok();
    }
    struct list list = { .arena = arena_new() };
    status s = read_list(entries, arena, json, &list);
    if (!status_is_ok(s)) {
        arena_free(list.arena);
        return s;
    }
    char *text = arena_alloc(list.arena, json.size);
    memcpy(text, json.data, json.size);
    list.text = text;
    list.text_size = json.size;
    (void)pthread_mutex_lock(&entries->lock);
    struct list before = entries->list;
    entries->list = list;
    entries->revision++;
    watchers_wake(&entries->watchers);
    (void)pthread_mutex_unlock(&entries->lock);
    arena_free(before.arena);
    return status_ok();
}

void entries_touch(struct entries *entries)
{
    (void)pthread_mutex_lock(&entries->lock);
    entries->revision++;
    watchers_wake(&entries->watchers);
    (void)pthread_mutex_unlock(&entries->lock);
}

uint64_t entries_revision(struct entries *entries)
{
    (void)pthread_mutex_lock(&entries->lock);
    uint64_t revision = entries->revision;
    (void)pthread_mutex_unlock(&entries->lock);
    return revision;
}

static struct entry copy_of(struct arena *arena, const struct entry *entry)
{
    struct entry copy = *entry;
    const char **names = ARENA_NEW_ARRAY(arena, const char *, entry->n_dns_names + 1);

    for (size_t i = 0; i < entry->n_dns_names; i++) {
        names[i] = arena_strdup(arena, entry->dns_names[i]);
    }
    copy.dns_names = names;
    copy.spiffe_id = arena_strdup(arena, entry->spiffe_id);
    copy.path = arena_strdup(arena, entry->path);
    copy.sha256 = arena_strdup(arena, entry->sha256);
    return copy;
}

uint64_t entries_list(struct entries *entries, struct arena *arena,
                      const struct entry **ret_entries, size_t *ret_n)
{
    (void)pthread_mutex_lock(&entries->lock);
    struct entry *copies = ARENA_NEW_ARRAY(arena, struct entry, entries->list.n + 1);
    for (size_t i = 0; i < entries->list.n; i++) {
        copies[i] = copy_of(arena, &entries->list.entries[i]);
    }
    *ret_entries = copies;
    *ret_n = entries->list.n;
    uint64_t revision = entries->revision;
    (void)pthread_mutex_unlock(&entries->lock);
    return revision;
}

bool entries_find(struct entries *entries, struct arena *arena, const char *spiffe_id,
                  struct entry *ret_entry)
{
    bool found = false;

    (void)pthread_mutex_lock(&entries->lock);
    for (size_t i = 0; i < entries->list.n && !found; i++) {
        if (strcmp(entries->list.entries[i].spiffe_id, spiffe_id) == 0) {
            *ret_entry = copy_of(arena, &entries->list.entries[i]);
            found = true;
        }
    }
    (void)pthread_mutex_unlock(&entries->lock);
    return found;
}

void entries_watch(struct entries *entries, struct watcher *watcher)
{
    (void)pthread_mutex_lock(&entries->lock);
    watchers_add(&entries->watchers, watcher);
    (void)pthread_mutex_unlock(&entries->lock);
}

void entries_unwatch(struct entries *entries, struct watcher *watcher)
{
    (void)pthread_mutex_lock(&entries->lock);
    watchers_remove(&entries->watchers, watcher);
    (void)pthread_mutex_unlock(&entries->lock);
}
