#include "libs/crypto/spiffe_id.h"

#include "libs/base/text.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken is what was given, is in two parts, and is safe wherever a name may go. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct spiffe_id id;

    if (status_is_ok(spiffe_id_parse(arena, (bytes){ data, size }, &id))) {
        assert(strlen(id.text) == size && memcmp(id.text, data, size) == 0);
        assert(strcmp(id.text, arena_printf(arena, "spiffe://%s%s", id.trust_domain, id.path)) ==
               0);
        assert(strpbrk(id.text, "%'\"\\ \n?#@") == NULL);
        assert(strstr(id.path, "//") == NULL && strstr(id.path, "/../") == NULL);
        assert(strchr(id.trust_domain, '/') == NULL && id.trust_domain[0] != '\0');
    }
    arena_free(arena);
    return 0;
}
