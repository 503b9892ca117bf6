/* roles - what the roles that everybody knows may do.
 *
 * They are data: auth streams them to every enforcement point, tokens name them, and nothing else
 * knows what is in them.  All are about the principal's own tenant (libs/authz/guard.h).
 *
 *     admin       everything
 *     publisher   makes collections, publishes and reads their data, and runs jobs
 *     consumer    reads data, and watches jobs
 *     readonly    reads everything, keys' names and the audit log included
 */

#ifndef SERVICES_AUTH_ROLES_H_
#define SERVICES_AUTH_ROLES_H_

#include "libs/base/attributes.h"

#include <stddef.h>

struct role {
    const char *id;
    const char *const *patterns;
    size_t n_patterns;
};

extern const struct role roles[];
extern const size_t n_roles;

/* NULL when there is none. */
const struct role *role_find(const char *id) NONNULL;

#endif
