#include "services/auth/grants.h"

#include "libs/authz/pattern.h"
#include "libs/base/status_details.h"
#include "services/auth/roles.h"

#include <stdbool.h>

struct text_list grants_of(struct arena *arena, const struct text_list *role_ids,
                           const struct text_list *permissions)
{
    size_t n = permissions->n_texts;

    for (size_t i = 0; i < role_ids->n_texts; i++) {
        const struct role *role = role_find(role_ids->texts[i]);
        n += role == NULL ? 0 : role->n_patterns;
    }
    const char **patterns = ARENA_NEW_ARRAY(arena, const char *, n);
    n = 0;
    for (size_t i = 0; i < role_ids->n_texts; i++) {
        const struct role *role = role_find(role_ids->texts[i]);
        for (size_t j = 0; role != NULL && j < role->n_patterns; j++) {
            patterns[n++] = role->patterns[j];
        }
    }
    for (size_t i = 0; i < permissions->n_texts; i++) {
        patterns[n++] = permissions->texts[i];
    }
    return (struct text_list){ .texts = patterns, .n_texts = n };
}

static bool covers(const struct text_list *has, const char *pattern)
{
    for (size_t i = 0; i < has->n_texts; i++) {
        if (pattern_covers(has->texts[i], pattern)) {
            return true;
        }
    }
    return false;
}

static status lacks(struct arena *arena, const char *who, const char *pattern)
{
    const char *(*metadata)[2] = arena_alloc(arena, sizeof *metadata);

    metadata[0][0] = "permission";
    metadata[0][1] = pattern;
    return status_error_info(
        arena,
        status_error(arena, STATUS_PERMISSION_DENIED, "'%s' has not '%s' to give", who, pattern),
        (struct error_info){ .reason = "PERMISSION_MISSING",
                             .domain = "auth.weft",
                             .metadata = metadata,
                             .n_metadata = 1 });
}

status grants_check(struct arena *arena, const char *who, const struct text_list *has,
                    const struct text_list *gives)
{
    for (size_t i = 0; i < gives->n_texts; i++) {
        if (!covers(has, gives->texts[i])) {
            return lacks(arena, who, gives->texts[i]);
        }
    }
    return status_ok();
}
