#include "libs/rpc/message.h"
#include "services/auth/feed_internal.h"
#include "services/auth/roles.h"

#include <stdlib.h>

typedef Weft__Auth__V1__Snapshot Snapshot;
typedef Weft__Auth__V1__TenantState TenantState;

void *feed_allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* ---- Messages ---- */

enum { MAX_LENGTH_BYTES = 10 };

struct feed_message *feed_message_new(const Snapshot *snapshot)
{
    size_t size = weft__auth__v1__snapshot__get_packed_size(snapshot);
    struct feed_message *message = feed_allocate(sizeof *message + MAX_LENGTH_BYTES + size);
    uint8_t *at = message->data;

    for (; size >= 0x80; size >>= 7) {
        *at++ = (uint8_t)(size | 0x80);
    }
    *at++ = (uint8_t)size;
    at += weft__auth__v1__snapshot__pack(snapshot, at);
    message->size = (size_t)(at - message->data);
    atomic_init(&message->refs, 1);
    return message;
}

bytes feed_message_data(const struct feed_message *message)
{
    return (bytes){ .data = message->data, .size = message->size };
}

struct feed_message *feed_message_ref(struct feed_message *message)
{
    (void)atomic_fetch_add(&message->refs, 1);
    return message;
}

void feed_message_unref(struct feed_message *message)
{
    if (atomic_fetch_sub(&message->refs, 1) == 1) {
        free(message);
    }
}

void feed_whole_unref(struct feed_whole *whole)
{
    if (whole == NULL || atomic_fetch_sub(&whole->refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < whole->n_messages; i++) {
        feed_message_unref(whole->messages[i]);
    }
    free(whole);
}

/* ---- The whole ---- */

static void fill_roles(struct arena *arena, Snapshot *snapshot)
{
    snapshot->n_roles = n_roles;
    snapshot->roles = ARENA_NEW_ARRAY(arena, Weft__Auth__V1__Role *, n_roles);
    for (size_t i = 0; i < n_roles; i++) {
        Weft__Auth__V1__Role *role = ARENA_NEW(arena, Weft__Auth__V1__Role);
        weft__auth__v1__role__init(role);
        role->role_id = message_text(roles[i].id);
        role->n_permissions = roles[i].n_patterns;
        role->permissions = ARENA_NEW_ARRAY(arena, char *, roles[i].n_patterns);
        for (size_t j = 0; j < roles[i].n_patterns; j++) {
            role->permissions[j] = message_text(roles[i].patterns[j]);
        }
        snapshot->roles[i] = role;
    }
}

static Weft__Auth__V1__Revocation *
revocation_message(struct arena *arena, bytes subject,
                   const struct feed_state_revocation *revocation)
{
    Weft__Auth__V1__Revocation *message = ARENA_NEW(arena, Weft__Auth__V1__Revocation);

    weft__auth__v1__revocation__init(message);
    message->subject = message_text((const char *)subject.data);
    message->epoch_ms = revocation->epoch_ms;
    message->forget_ms = revocation->forget_ms;
    return message;
}

/* All of it as messages of at most FEED_CHUNK entries, of which all but the last are partial. */
struct writer {
    struct arena *arena;
    struct feed_whole *whole;
    Snapshot message;
    bool is_begun; /* a message before this one was written */
};

static void writer_begin(struct writer *writer)
{
    weft__auth__v1__snapshot__init(&writer->message);
    writer->message.revision = writer->whole->revision;
    writer->message.whole = !writer->is_begun;
    writer->message.tenants = ARENA_NEW_ARRAY(writer->arena, TenantState *, FEED_CHUNK);
    writer->message.revocations =
        ARENA_NEW_ARRAY(writer->arena, Weft__Auth__V1__Revocation *, FEED_CHUNK);
    writer->is_begun = true;
}

static void writer_end(struct writer *writer, bool partial)
{
    writer->message.partial = partial;
    writer->whole->messages[writer->whole->n_messages++] = feed_message_new(&writer->message);
}

static void writer_make_room(struct writer *writer)
{
    if (writer->message.n_tenants + writer->message.n_revocations == FEED_CHUNK) {
        writer_end(writer, true);
        writer_begin(writer);
    }
}

static void write_entries(const struct feed_state *self, struct writer *writer)
{
    for (struct map_at at = { 0 }; map_next(&self->revocations, &at);) {
        writer_make_room(writer);
        writer->message.revocations[writer->message.n_revocations++] =
            revocation_message(writer->arena, at.key, at.value);
    }
    for (struct map_at at = { 0 }; map_next(&self->tenants, &at);) {
        struct feed_state_tenant *tenant = at.value;
        writer_make_room(writer);
        writer->message.tenants[writer->message.n_tenants++] = &tenant->state;
    }
}

struct feed_whole *feed_whole_new(const struct feed_state *self)
{
    struct arena *arena = arena_new();
    size_t n = self->revocations.n_entries + self->tenants.n_entries;
    struct writer writer = { .arena = arena };

    writer.whole =
        feed_allocate(sizeof *writer.whole + (n / FEED_CHUNK + 1) * sizeof(struct feed_message *));
    atomic_init(&writer.whole->refs, 1);
    writer.whole->revision = self->revision;
    writer_begin(&writer);
    writer.message.jwks = message_text(self->jwks);
    fill_roles(arena, &writer.message);
    write_entries(self, &writer);
    writer_end(&writer, false);
    arena_free(arena);
    return writer.whole;
}
