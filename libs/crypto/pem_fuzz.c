#include "libs/crypto/pem.h"

#include "libs/base/text.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was decoded, encoded again, is decoded to the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct der_list list, again;

    if (status_is_ok(pem_decode(arena, (bytes){ data, size }, "CERTIFICATE", &list))) {
        for (size_t i = 0; i < list.n_values; i++) {
            const char *pem = pem_encode(arena, "CERTIFICATE", list.values[i]);
            status s = pem_decode(arena, bytes_of(pem), "CERTIFICATE", &again);
            assert(status_is_ok(s) && again.n_values == 1);
            assert(again.values[0].size == list.values[i].size);
            assert(memcmp(again.values[0].data, list.values[i].data, list.values[i].size) == 0);
        }
    }
    arena_free(arena);
    return 0;
}
