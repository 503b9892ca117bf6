/* auth_erasure - a deleted tenant's service accounts and keys go (libs/authz/eraser.h).
 *
 * In one write, with the event "tenant.erase", and then from memory.  Nobody waits for a receipt:
 * enforcement points refuse all of a deleted tenant's tokens by the very word that brings this
 * about.  Revocations stay until no token is as old as they are.
 */

#ifndef SERVICES_AUTH_AUTH_ERASURE_H_
#define SERVICES_AUTH_AUTH_ERASURE_H_

#include "libs/authz/eraser.h"
#include "libs/base/random.h"
#include "services/auth/directory.h"

struct auth_erasure {
    struct store *store; /* borrowed, all of them */
    struct directory *directory;
    const struct clock *clock;
    const struct random_source *random;
    const char *spiffe_id; /* ours, for the event */
};

/* For an eraser, with an auth_erasure as data. */
extern const struct eraser_ops auth_erasure_ops;

#endif
