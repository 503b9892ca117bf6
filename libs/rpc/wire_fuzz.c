#include "libs/rpc/wire.h"

#include "libs/base/status_details.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The trailer grpc-status-details-bin as any peer may send it: what was taken of it is within its
 * limits and can be sent on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    grpc_metadata trailer = {
        .key = grpc_slice_from_static_string("grpc-status-details-bin"),
        .value = grpc_slice_from_static_buffer(data, size),
    };
    const grpc_metadata_array trailers = { .count = 1, .capacity = 1, .metadata = &trailer };
    struct wire_status sent;

    status s = wire_status_read(arena, GRPC_STATUS_NOT_FOUND, grpc_empty_slice(), &trailers);
    assert(s.code == STATUS_NOT_FOUND);
    if (s.details != NULL) {
        assert(s.details->retry_after_ms >= 0);
        assert(s.details->retry_after_ms <= WIRE_MAX_RETRY_AFTER_MS);
        wire_status_init(&sent, arena, s);
        assert(sent.n_trailers == 1);
        wire_status_reset(&sent);
    }
    arena_free(arena);
    return 0;
}
