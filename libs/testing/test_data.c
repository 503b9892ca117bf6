#include "libs/testing/test_data.h"

#include <stdlib.h>
#include <unistd.h>

const char *test_data(struct arena *arena, const char *name)
{
    const char *root = getenv("WEFT_TEST_DATA");

    if (root == NULL || root[0] == '\0') {
        root = "../shared/data";
    }
    const char *path = arena_printf(arena, "%s/%s", root, name);
    return access(path, R_OK) == 0 ? path : NULL;
}
