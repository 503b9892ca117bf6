#include "services/search/write_log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Frames stand in the file, one behind the other, and where one is found there is one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size); /* of exactly this size, for AddressSanitizer */
    size_t offset = 0;
    struct log_frame frame;

    if (copy == NULL && size > 0) {
        abort();
    }
    memcpy(copy, data, size);
    bytes file = { .data = copy, .size = size };
    while (offset < size) {
        size_t before = offset;
        if (!log_frame_next(file, &offset, &frame)) {
            assert(offset == before);
            offset++;
            continue;
        }
        assert(frame.sequence == 0 || log_frame_anywhere(file, before, 0));
        assert(offset > before && offset <= size);
        assert(frame.payload.data + frame.payload.size == copy + offset);
    }
    free(copy);
    return 0;
}
