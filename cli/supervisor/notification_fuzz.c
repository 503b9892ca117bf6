/* What was taken is text without control characters, whatever came. */

#include "cli/supervisor/notification.h"

#include "libs/base/text.h"
#include "libs/base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text)
{
    if (text == NULL) {
        return;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ') {
            abort();
        }
    }
    if (!utf8_is_valid(bytes_of(text))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct notification said;

    if (notification_parse(arena, (bytes){ .data = data, .size = size }, &said)) {
#define X(field, name) check(said.field);
        NOTIFICATION_TEXTS(X)
#undef X
    }
    arena_free(arena);
    return 0;
}
