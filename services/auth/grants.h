/* grants - what an account may do, and whether somebody may give it that.
 *
 * Nobody gives away what he has not: every pattern of an account must be covered by one of who
 * makes the account, makes a key for it, or asks for a token in its name.
 */

#ifndef SERVICES_AUTH_GRANTS_H_
#define SERVICES_AUTH_GRANTS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "services/auth/auth_store.h"

/* The patterns of roles and then permissions; arena.  An unknown role grants nothing. */
struct text_list grants_of(struct arena *arena, const struct text_list *roles,
                           const struct text_list *permissions) NONNULL;

/* PERMISSION_DENIED, with an ErrorInfo that names the first pattern that `has` does not cover;
 * who is for the message: "'sa:robot'". */
status grants_check(struct arena *arena, const char *who, const struct text_list *has,
                    const struct text_list *gives) NONNULL;

#endif
