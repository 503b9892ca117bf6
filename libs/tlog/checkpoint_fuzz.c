/* What parses as a checkpoint begins with its three lines as we would write them. */

#include "libs/base/encoding.h"
#include "libs/tlog/checkpoint.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct checkpoint checkpoint;

    if (memchr(data, '\0', size) == NULL && /* no note has one */
        status_is_ok(checkpoint_parse(arena, (bytes){ data, size }, &checkpoint))) {
        const char *again = arena_printf(
            arena, "%s\n%" PRIu64 "\n%s\n", checkpoint.origin, checkpoint.tree.size,
            base64_encode(arena, sha256_bytes(&checkpoint.tree.root), BASE64_STANDARD));
        assert(strlen(again) <= size && memcmp(again, data, strlen(again)) == 0);
    }
    arena_free(arena);
    return 0;
}
