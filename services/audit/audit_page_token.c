#include "services/audit/audit_page_token.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/crypto/sha256.h"
#include "libs/tlog/lines.h"

#include <inttypes.h>
#include <string.h>

enum { HASH_BYTES = 8 };

static void add_filter(struct text *text, const char *filter)
{
    text_add(text, filter != NULL ? "%zu:%s," : "-,", filter != NULL ? strlen(filter) : 0,
             filter != NULL ? filter : "");
}

static const char *hash_of(struct arena *arena, const struct audit_query *query)
{
    struct text text = text_new(arena);

    add_filter(&text, query->tenant_id);
    add_filter(&text, query->actor);
    add_filter(&text, query->action);
    add_filter(&text, query->target);
    text_add(&text, "%" PRId64 ",%" PRId64, query->start_ms, query->end_ms);
    struct sha256 hash = sha256_of(text_bytes(&text));
    return hex_encode(arena, (bytes){ hash.data, HASH_BYTES });
}

const char *audit_page_token(struct arena *arena, const struct audit_query *query,
                             const struct audit_place *last)
{
    return arena_printf(arena, "%" PRId64 ".%" PRId64 ".%s", last->time_ms, last->index,
                        hash_of(arena, query));
}

/* The number before the next dot. */
static bool next_number(const char **token, int64_t *ret_number)
{
    size_t size = strcspn(*token, ".");
    uint64_t number = 0;

    if ((*token)[size] != '.' || !line_number((bytes){ (const uint8_t *)*token, size }, &number)) {
        return false;
    }
    *token += size + 1;
    *ret_number = (int64_t)number;
    return true;
}

bool audit_page_token_parse(struct arena *arena, const struct audit_query *query, const char *token,
                            struct audit_place *ret_after)
{
    *ret_after = (struct audit_place){ INT64_MAX, INT64_MAX };
    if (token[0] == '\0') {
        return true;
    }
    return next_number(&token, &ret_after->time_ms) && next_number(&token, &ret_after->index) &&
           strcmp(token, hash_of(arena, query)) == 0;
}
