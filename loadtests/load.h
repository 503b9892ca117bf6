/* load - what the load tests share: the mesh they are ordinary clients of, and in whose name.
 *
 *     struct load load = { .arena = arena, .find = ..., .data = ..., .admin_token = token,
 *                          .folder = "/on/the/same/disk" };
 *     TRY(load_prepare(&load));              a tenant, its account, a key, a token
 *     TRY(audit_load_run(&load));            reports what it finds (report.h)
 *
 * All that a load test writes belongs to LOAD_TENANT.  What is in the audit log stays there, so a
 * mesh of its own is the place for load tests; `weft bench` makes one.
 */

#ifndef LOADTESTS_LOAD_H_
#define LOADTESTS_LOAD_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/rpc/peer.h"

#include <stdint.h>

#define LOAD_TENANT  "bench"
#define LOAD_PROJECT "bench"
#define LOAD_ACCOUNT "bench"

enum {
    /* Rounds of the thing measured and of what it is compared with alternate, and medians are
     * taken: what the machine does meanwhile hits both. */
    LOAD_ROUNDS = 3,
    LOAD_TIMEOUT_MS = 60 * 1000,
};

struct load {
    struct arena *arena;                                   /* lives as long as the load */
    struct peer *(*find)(void *data, const char *service); /* any thread */
    void *data;                                            /* handed to find */
    const char *admin_token;                               /* of the platform's administrator */
    const char *folder; /* on the disk that the mesh is on: here limits are measured */
    const char *token;  /* of LOAD_ACCOUNT, once load_prepare() was called */
};

/* Finds or makes tenant and account, and gets a token for a key of an hour. */
status load_prepare(struct load *self) NONNULL;

static inline struct peer *load_peer(const struct load *self, const char *service)
{
    return self->find(self->data, service);
}

/* In the name of token, which is "" for none; answers are in arena. */
struct call load_call(struct arena *arena, const char *token) NONNULL;

double load_seconds_since(int64_t start_us);

/* The error once more, in an arena that lives longer than the one it was made in. */
status load_keep(struct arena *arena, status s) NONNULL;

#endif
