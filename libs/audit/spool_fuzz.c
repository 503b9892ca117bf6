#include "libs/audit/event.h"
#include "libs/audit/spool_record.h"
#include "libs/base/arena.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever lies on disk: reading ends, and every byte is in a record or skipped. */
static void read_all(bytes file)
{
    size_t at = 0;
    size_t n_skipped = 0;
    size_t n_read = 0;
    bytes record;

    while (spool_record_next(file, &at, &n_skipped, &record)) {
        n_read += SPOOL_RECORD_HEADER + record.size;
        assert(at == n_read + n_skipped);
    }
    assert(n_read + n_skipped == file.size);
}

/* An event is written as the bytes it was read from, but for what a later program has added. */
static void read_event(struct arena *arena, bytes data)
{
    struct audit_event event;
    struct audit_event again;

    if (!status_is_ok(audit_event_decode(arena, data, &event))) {
        return;
    }
    bytes encoded = audit_event_encode(arena, &event);
    assert(encoded.size <= data.size);
    assert(memcmp(encoded.data, data.data, encoded.size) == 0);
    status s = audit_event_decode(arena, encoded, &again);
    assert(status_is_ok(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    const bytes input = { .data = data, .size = size };

    read_all(input);
    read_event(arena, input);
    bytes record = spool_record_encode(arena, input);
    size_t at = 0;
    size_t n_skipped = 0;
    bytes found;
    bool is_found = spool_record_next(record, &at, &n_skipped, &found);
    assert(size > SPOOL_RECORD_MAX || (is_found && n_skipped == 0 && found.size == size));
    arena_free(arena);
    return 0;
}
