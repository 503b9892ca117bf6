/* What is decoded as an event is well formed, and is the same event when it is written again. */

#include "services/audit/audit_record.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct audit_record event;
    struct audit_record again;

    if (status_is_ok(audit_record_decode(arena, (bytes){ data, size }, &event))) {
        bytes text = audit_record_encode(arena, &event);
        status s = audit_record_decode(arena, text, &again);
        assert(status_is_ok(s));
        bytes same = audit_record_encode(arena, &again);
        assert(same.size == text.size && memcmp(same.data, text.data, text.size) == 0);
    }
    arena_free(arena);
    return 0;
}
