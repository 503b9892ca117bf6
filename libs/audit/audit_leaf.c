#include "libs/audit/audit_leaf.h"

#include <string.h>

enum { VERSION = 1, HEADER_BYTES = 1 + AUDIT_KEY_ID_SIZE };

/* What is before the sealed text is sealed with it: a leaf does not open under another header. */
static bytes header_of(bytes leaf)
{
    return (bytes){ .data = leaf.data, .size = HEADER_BYTES };
}

static bytes sealed_of(bytes leaf)
{
    return (bytes){ .data = leaf.data + HEADER_BYTES, .size = leaf.size - HEADER_BYTES };
}

static status check(struct arena *arena, bytes leaf)
{
    if (leaf.size < AUDIT_LEAF_OVERHEAD) {
        return status_error(arena, STATUS_DATA_LOSS, "%zu bytes are no audit event", leaf.size);
    }
    if (leaf.data[0] != VERSION) {
        return status_error(arena, STATUS_DATA_LOSS, "an audit event of version %u, not %d",
                            leaf.data[0], VERSION);
    }
    return status_ok();
}

status audit_leaf_seal(struct arena *arena, const struct audit_key_id *key_id,
                       const struct aead_key *key, const struct random_source *random, bytes text,
                       bytes *ret_leaf)
{
    uint8_t header[HEADER_BYTES] = { VERSION };
    bytes sealed;

    if (text.size > AUDIT_LEAF_MAX_TEXT) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "the event has %zu bytes, more than %d",
                            text.size, AUDIT_LEAF_MAX_TEXT);
    }
    memcpy(header + 1, key_id->data, AUDIT_KEY_ID_SIZE);
    TRY(aead_seal(arena, key, random, (bytes){ header, sizeof header }, text, &sealed));
    uint8_t *leaf = arena_alloc(arena, sizeof header + sealed.size);
    memcpy(leaf, header, sizeof header);
    memcpy(leaf + sizeof header, sealed.data, sealed.size);
    *ret_leaf = (bytes){ .data = leaf, .size = sizeof header + sealed.size };
    return status_ok();
}

status audit_leaf_key_id(struct arena *arena, bytes leaf, struct audit_key_id *ret_key_id)
{
    TRY(check(arena, leaf));
    memcpy(ret_key_id->data, leaf.data + 1, AUDIT_KEY_ID_SIZE);
    return status_ok();
}

status audit_leaf_open(struct arena *arena, const struct aead_key *key, bytes leaf, bytes *ret_text)
{
    TRY(check(arena, leaf));
    return aead_open(arena, key, header_of(leaf), sealed_of(leaf), ret_text);
}

status audit_leaf_text_key(struct arena *arena, const struct aead_key *key, bytes leaf,
                           struct aead_key *ret_text_key)
{
    TRY(check(arena, leaf));
    return aead_text_key(arena, key, sealed_of(leaf), ret_text_key);
}

status audit_leaf_open_text(struct arena *arena, const struct aead_key *text_key, bytes leaf,
                            bytes *ret_text)
{
    TRY(check(arena, leaf));
    return aead_open_text(arena, text_key, header_of(leaf), sealed_of(leaf), ret_text);
}
