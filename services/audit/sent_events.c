#include "services/audit/sent_events.h"

#include "libs/base/map.h"
#include "libs/base/text.h"
#include "libs/obs/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum sent_state { SENT_WRITING, SENT_DONE, SENT_FAILED };

struct sent {
    enum sent_state state;
    unsigned holders; /* calls, the map and the ring */
    uint64_t index;
    enum status_code code;
    char message[200];
    uint8_t *row_data; /* what row points to; NULL until it was appended */
    struct audit_row row;
    size_t name_size;
    uint8_t name[]; /* the map's key: tenant, NUL, id */
};

struct sent_events {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct map by_name;
    size_t n;           /* that are held by the map */
    size_t max;         /* of these, so the ring's size too */
    uint64_t next;      /* the first entry without a row */
    struct sent **ring; /* by index % max: appended, without a row */
};

static void lock(struct sent_events *self)
{
    pthread_mutex_lock(&self->lock);
}

static void unlock(struct sent_events *self)
{
    pthread_mutex_unlock(&self->lock);
}

struct sent_events *sent_events_new(uint64_t next, size_t max)
{
    struct sent_events *self = calloc(1, sizeof *self);
    struct sent **ring = calloc(max, sizeof *ring);

    if (self == NULL || ring == NULL) {
        abort();
    }
    *self = (struct sent_events){ .max = max, .next = next, .ring = ring };
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    map_init(&self->by_name);
    return self;
}

static void free_sent(void *value)
{
    struct sent *sent = value;

    free(sent->row_data);
    free(sent);
}

void sent_events_free(struct sent_events *self)
{
    if (self == NULL) {
        return;
    }
    map_reset(&self->by_name, free_sent);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self->ring);
    free(self);
}

static bytes name_of(const struct sent *sent)
{
    return (bytes){ .data = sent->name, .size = sent->name_size };
}

/* The lock is held. */
static void let_go(struct sent *sent)
{
    if (--sent->holders == 0) {
        free_sent(sent);
    }
}

/* The lock is held. */
static void unlist(struct sent_events *self, struct sent *sent)
{
    (void)map_remove_bytes(&self->by_name, name_of(sent));
    self->n--;
    gauge_set(GAUGE_audit_unindexed, (int64_t)self->n);
    let_go(sent);
}

/* ---- Claiming ---- */

static struct sent *sent_new(const struct audit_event_name *name)
{
    size_t tenant_size = strlen(name->tenant_id) + 1;
    size_t id_size = strlen(name->event_id);
    struct sent *sent = calloc(1, sizeof *sent + tenant_size + id_size);

    if (sent == NULL) {
        abort();
    }
    sent->holders = 1;
    sent->name_size = tenant_size + id_size;
    memcpy(sent->name, name->tenant_id, tenant_size);
    memcpy(sent->name + tenant_size, name->event_id, id_size);
    return sent;
}

bool sent_events_claim(struct sent_events *self, const struct audit_event_name *names, size_t n,
                       struct sent **ret_sent, bool *ret_mine)
{
    lock(self);
    bool room = self->n + n <= self->max;
    for (size_t i = 0; room && i < n; i++) {
        struct sent *fresh = sent_new(&names[i]);
        struct sent *sent = map_get_bytes(&self->by_name, name_of(fresh));
        ret_mine[i] = sent == NULL;
        if (sent == NULL) {
            sent = fresh;
            (void)map_put_bytes(&self->by_name, name_of(sent), sent);
            self->n++;
        } else {
            free_sent(fresh);
        }
        sent->holders++;
        ret_sent[i] = sent;
    }
    gauge_set(GAUGE_audit_unindexed, (int64_t)self->n);
    unlock(self);
    return room;
}

bool sent_events_find(struct sent_events *self, const struct audit_event_name *name,
                      uint64_t *ret_index)
{
    struct sent *key = sent_new(name);

    lock(self);
    const struct sent *sent = map_get_bytes(&self->by_name, name_of(key));
    bool found = sent != NULL && sent->state == SENT_DONE;
    if (found) {
        *ret_index = sent->index;
    }
    unlock(self);
    free_sent(key);
    return found;
}

/* ---- Ends ---- */

void sent_events_found(struct sent_events *self, struct sent *sent, uint64_t index)
{
    lock(self);
    sent->state = SENT_DONE;
    sent->index = index;
    unlist(self, sent);
    pthread_cond_broadcast(&self->changed);
    unlock(self);
}

void sent_events_failed(struct sent_events *self, struct sent *sent, status why)
{
    lock(self);
    sent->state = SENT_FAILED;
    sent->code = why.code;
    (void)snprintf(sent->message, sizeof sent->message, "%s", why.message);
    unlist(self, sent);
    pthread_cond_broadcast(&self->changed);
    unlock(self);
}

/* Copies data, and a NUL behind it, to *at, and moves that on. */
static bytes put_bytes(uint8_t **at, bytes data)
{
    uint8_t *copy = *at;

    if (data.data == NULL) {
        return data;
    }
    memcpy(copy, data.data, data.size);
    copy[data.size] = '\0';
    *at += data.size + 1;
    return (bytes){ copy, data.size };
}

static const char *put_text(uint8_t **at, const char *text)
{
    return (const char *)put_bytes(at, bytes_of(text)).data;
}

/* In one block: there may be many of them. */
static void copy_row(struct sent *sent, const struct audit_row *row)
{
    size_t size = strlen(row->tenant_id) + strlen(row->event_id) + strlen(row->action) +
                  row->actor_tag.size + row->target_tag.size + row->key_id.size + 6;
    uint8_t *at = malloc(size);

    if (at == NULL) {
        abort();
    }
    sent->row_data = at;
    sent->row = (struct audit_row){
        .index = row->index,
        .time_ms = row->time_ms,
        .tenant_id = put_text(&at, row->tenant_id),
        .event_id = put_text(&at, row->event_id),
        .action = put_text(&at, row->action),
        .actor_tag = put_bytes(&at, row->actor_tag),
        .target_tag = put_bytes(&at, row->target_tag),
        .key_id = put_bytes(&at, row->key_id),
    };
}

void sent_events_appended(struct sent_events *self, struct sent *sent, const struct audit_row *row)
{
    lock(self);
    sent->state = SENT_DONE;
    sent->index = (uint64_t)row->index;
    copy_row(sent, row);
    struct sent **place = &self->ring[sent->index % self->max];
    assert(*place == NULL); /* all without a row are listed, and these are at most max */
    *place = sent;
    pthread_cond_broadcast(&self->changed);
    unlock(self);
}

bool sent_events_ended(struct sent_events *self, struct sent *sent)
{
    lock(self);
    bool ended = sent->state != SENT_WRITING;
    unlock(self);
    return ended;
}

status sent_events_result(struct sent_events *self, struct arena *arena, struct sent *sent,
                          uint64_t *ret_index)
{
    status s = status_ok();

    lock(self);
    while (sent->state == SENT_WRITING) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    if (sent->state == SENT_FAILED) {
        s = status_error(arena, sent->code, "%s", sent->message);
    } else {
        *ret_index = sent->index;
    }
    let_go(sent);
    unlock(self);
    return s;
}

/* ---- Towards the index ---- */

uint64_t sent_events_next(struct sent_events *self)
{
    lock(self);
    uint64_t next = self->next;
    unlock(self);
    return next;
}

size_t sent_events_take(struct sent_events *self, size_t max, struct audit_row *ret_rows)
{
    size_t n = 0;

    lock(self);
    max = max < self->max ? max : self->max;
    while (n < max && self->ring[(self->next + n) % self->max] != NULL) {
        ret_rows[n] = self->ring[(self->next + n) % self->max]->row;
        n++;
    }
    unlock(self);
    return n;
}

void sent_events_indexed(struct sent_events *self, size_t n)
{
    lock(self);
    for (size_t i = 0; i < n; i++) {
        struct sent **place = &self->ring[self->next++ % self->max];
        unlist(self, *place);
        *place = NULL;
    }
    pthread_cond_broadcast(&self->changed);
    unlock(self);
}

bool sent_events_wait(struct sent_events *self, uint64_t end)
{
    lock(self);
    while (self->next < end && self->ring[self->next % self->max] == NULL) {
        pthread_cond_wait(&self->changed, &self->lock);
    }
    bool indexed = self->next >= end;
    unlock(self);
    return indexed;
}
