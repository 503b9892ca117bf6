/* subscription - auth's snapshot, kept up to date over one stream.
 *
 * What comes is put in force and then acknowledged, so that auth knows which revision every
 * enforcement point obeys.  The stream is opened again whenever it ends; the snapshot's lease runs
 * meanwhile.
 */

#ifndef LIBS_MESH_SUBSCRIPTION_H_
#define LIBS_MESH_SUBSCRIPTION_H_

#include "libs/authz/guard.h"
#include "libs/base/attributes.h"
#include "libs/mesh/keeper.h"
#include "libs/mesh/link.h"

struct subscription;

struct subscription_options {
    struct peer *auth;                  /* required; borrowed */
    struct guard_authz *guard;          /* required; borrowed: its snapshot is fed */
    struct keeper *keeper;              /* required; borrowed; freed before the subscription */
    const struct clock *clock;          /* required; borrowed */
    const struct random_source *random; /* required; borrowed */
    struct log *log;                    /* borrowed; may be NULL */
    const char *instance;               /* "search/1": our name in receipts; borrowed */
    /* The lease began to hold, or ended. */
    void (*changed)(void *data, bool fresh, const char *why_not);
    void *data;
};

struct subscription *subscription_new(const struct subscription_options *options)
    NONNULL RETURNS_NONNULL;
void subscription_free(struct subscription *subscription);

#endif
