/* A token that is taken is the one that its place would be given. */

#include "libs/tlog/lines.h"
#include "services/audit/audit_page_token.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct audit_query query = { .tenant_id = "acme", .end_ms = INT64_MAX };
    struct arena *arena = arena_new();
    const char *token = line_copy(arena, (bytes){ data, size });
    struct audit_place after;

    if (audit_page_token_parse(arena, &query, token, &after) && token[0] != '\0') {
        assert(strcmp(audit_page_token(arena, &query, &after), token) == 0);
    }
    arena_free(arena);
    return 0;
}
