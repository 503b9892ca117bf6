/* fields - what the fields of AuthService's requests may hold.
 *
 * Each says INVALID_ARGUMENT with the field's name and why; nothing of a secret is in it.
 */

#ifndef SERVICES_AUTH_FIELDS_H_
#define SERVICES_AUTH_FIELDS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stdint.h>

enum {
    FIELDS_MAX_DISPLAY_NAME_BYTES = 200,
    FIELDS_MAX_ROLES = 16,
    FIELDS_MAX_PERMISSIONS = 64,
    /* All permissions together: with the rest they must fit into a token of 8 KB, where three
     * bytes become four. */
    FIELDS_MAX_PERMISSIONS_BYTES = 4096,
    FIELDS_MAX_JOB_ID_BYTES = 128, /* ours are ULIDs, of 26 */
    FIELDS_MAX_TIMEOUT_MS = 60000,
    FIELDS_DEFAULT_TIMEOUT_MS = 5000,
    FIELDS_MAX_PAGE_SIZE = 1000,
    FIELDS_DEFAULT_PAGE_SIZE = 50,
    FIELDS_MAX_LIFETIME_S = 3600,
    FIELDS_DEFAULT_LIFETIME_S = 900,
};

/* 3 to 63 characters of a-z, 0-9 and '-', the first a letter; field is "tenant_id",
 * "service_account_id". */
status field_id(struct arena *arena, const char *field, const char *id) NONNULL;
/* As api_key.h makes them. */
status field_key_id(struct arena *arena, const char *field, const char *id) NONNULL;
status field_display_name(struct arena *arena, const char *name) NONNULL;
/* Known ones, each once. */
status field_roles(struct arena *arena, char *const *roles, size_t n_roles) NONNULL_ARGS(1);
/* Patterns as libs/authz/pattern.h has them. */
status field_permissions(struct arena *arena, char *const *permissions, size_t n_permissions)
    NONNULL_ARGS(1);
/* "sa:" and an account's id, which is returned. */
status field_subject(struct arena *arena, const char *subject, const char **ret_account_id) NONNULL;
status field_job(struct arena *arena, const char *job_id, int32_t attempt) NONNULL;

/* These three return the number that is meant, the default for 0. */
status field_timeout(struct arena *arena, int64_t timeout_ms, int64_t *ret_timeout_ms) NONNULL;
status field_page_size(struct arena *arena, int32_t page_size, size_t *ret_limit) NONNULL;
status field_lifetime(struct arena *arena, int32_t lifetime_s, int64_t *ret_lifetime_s) NONNULL;

#endif
