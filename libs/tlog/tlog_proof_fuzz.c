/* What parses as a proof bundle is the text that it would be written as. */

#include "libs/tlog/tlog_proof.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct tlog_proof proof;

    if (status_is_ok(tlog_proof_parse(arena, (bytes){ data, size }, &proof))) {
        bytes again = tlog_proof_encode(arena, &proof);
        assert(again.size == size && memcmp(again.data, data, size) == 0);
    }
    arena_free(arena);
    return 0;
}
