#include "services/auth/fields.h"

#include "libs/authz/pattern.h"
#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/crypto/api_key.h"
#include "services/auth/roles.h"

#include <stdbool.h>
#include <string.h>

enum { MIN_ID_CHARS = 3, MAX_ID_CHARS = 63 };

static bool is_id(const char *id)
{
    size_t length = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return id[length] == '\0' && length >= MIN_ID_CHARS && length <= MAX_ID_CHARS && id[0] >= 'a' &&
           id[0] <= 'z';
}

status field_id(struct arena *arena, const char *field, const char *id)
{
    return is_id(id)
               ? status_ok()
               : status_bad_field(arena, field,
                                  "'%s' is not 3 to 63 of a-z, 0-9 and '-', the first a letter",
                                  id);
}

status field_key_id(struct arena *arena, const char *field, const char *id)
{
    size_t length = strspn(id, "0123456789abcdefghjkmnpqrstvwxyz");

    if (length != API_KEY_ID_CHARS || id[length] != '\0') {
        return status_bad_field(arena, field, "'%s' is not well formed", id);
    }
    return status_ok();
}

status field_display_name(struct arena *arena, const char *name)
{
    if (strlen(name) > FIELDS_MAX_DISPLAY_NAME_BYTES) {
        return status_bad_field(arena, "display_name", "is longer than %d bytes",
                                FIELDS_MAX_DISPLAY_NAME_BYTES);
    }
    return status_ok();
}

static const char *role_names(struct arena *arena)
{
    struct text names = text_new(arena);

    for (size_t i = 0; i < n_roles; i++) {
        text_add(&names, "%s%s", i > 0 ? ", " : "", roles[i].id);
    }
    return text_string(&names);
}

status field_roles(struct arena *arena, char *const *roles_, size_t n)
{
    if (n > FIELDS_MAX_ROLES) {
        return status_bad_field(arena, "roles", "has more than %d", FIELDS_MAX_ROLES);
    }
    for (size_t i = 0; i < n; i++) {
        if (role_find(roles_[i]) == NULL) {
            return status_bad_field(arena, "roles", "'%s' is not one of %s", roles_[i],
                                    role_names(arena));
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(roles_[i], roles_[j]) == 0) {
                return status_bad_field(arena, "roles", "has '%s' twice", roles_[i]);
            }
        }
    }
    return status_ok();
}

status field_permissions(struct arena *arena, char *const *permissions, size_t n)
{
    size_t size = 0;

    if (n > FIELDS_MAX_PERMISSIONS) {
        return status_bad_field(arena, "permissions", "has more than %d", FIELDS_MAX_PERMISSIONS);
    }
    for (size_t i = 0; i < n; i++) {
        if (!pattern_is_valid(permissions[i])) {
            return status_bad_field(arena, "permissions",
                                    "'%s' is not such as 'project:my-app:data:read' or "
                                    "'project:*:**'",
                                    permissions[i]);
        }
        size += strlen(permissions[i]);
    }
    if (size > FIELDS_MAX_PERMISSIONS_BYTES) {
        return status_bad_field(arena, "permissions", "are longer than %d bytes together",
                                FIELDS_MAX_PERMISSIONS_BYTES);
    }
    return status_ok();
}

status field_subject(struct arena *arena, const char *subject, const char **ret_account_id)
{
    if (strncmp(subject, "sa:", 3) != 0 || !is_id(subject + 3)) {
        return status_bad_field(arena, "subject", "'%s' is no service account", subject);
    }
    *ret_account_id = subject + 3;
    return status_ok();
}

status field_job(struct arena *arena, const char *job_id, int32_t attempt)
{
    size_t length =
        strspn(job_id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

    if (length == 0 || length > FIELDS_MAX_JOB_ID_BYTES || job_id[length] != '\0') {
        return status_bad_field(arena, "job_id", "'%s' is not well formed", job_id);
    }
    if (attempt < 1) {
        return status_bad_field(arena, "attempt", "%d is less than 1", attempt);
    }
    return status_ok();
}

status field_timeout(struct arena *arena, int64_t timeout_ms, int64_t *ret_timeout_ms)
{
    if (timeout_ms < 0 || timeout_ms > FIELDS_MAX_TIMEOUT_MS) {
        return status_bad_field(arena, "timeout_ms", "must be 0 to %d", FIELDS_MAX_TIMEOUT_MS);
    }
    *ret_timeout_ms = timeout_ms != 0 ? timeout_ms : FIELDS_DEFAULT_TIMEOUT_MS;
    return status_ok();
}

/* AIP-158: 0 asks for the default, and too large a page is cut, not refused. */
status field_page_size(struct arena *arena, int32_t page_size, size_t *ret_limit)
{
    if (page_size < 0) {
        return status_bad_field(arena, "page_size", "%d is negative", page_size);
    }
    int32_t wanted = page_size != 0 ? page_size : FIELDS_DEFAULT_PAGE_SIZE;
    *ret_limit = (size_t)(wanted < FIELDS_MAX_PAGE_SIZE ? wanted : FIELDS_MAX_PAGE_SIZE);
    return status_ok();
}

status field_lifetime(struct arena *arena, int32_t lifetime_s, int64_t *ret_lifetime_s)
{
    if (lifetime_s < 0 || lifetime_s > FIELDS_MAX_LIFETIME_S) {
        return status_bad_field(arena, "lifetime_s", "must be 0 to %d", FIELDS_MAX_LIFETIME_S);
    }
    *ret_lifetime_s = lifetime_s != 0 ? lifetime_s : FIELDS_DEFAULT_LIFETIME_S;
    return status_ok();
}
