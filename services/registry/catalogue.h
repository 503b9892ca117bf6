/* catalogue - who is there: services, their instances, and the leases that keep them in it.
 *
 *     register ---> held ---- stream lost ----> lost ---- lost_grace_ms ----> gone
 *        ^           |                           |
 *        |           +-- deregister --> gone     +-- the same instance registers --> held
 *        +-- the same again, or another one at its address: supersedes
 *
 * An instance is held by a lease: the stream its process keeps open.  The lease is a token that
 * grows with each registration, so whoever was superseded is told (ABORTED) and cannot change or
 * remove its successor.  A process that ends says so (catalogue_deregister) and is gone at once.
 * One whose stream breaks is lost.  It stays for lost_grace_ms: 50 ms, since clients are promised
 * to hear of it within 100, and long enough to see whether it went alone:
 *
 *   - when more than 15 % of all instances, and at least 8, vanish within 10 s, it is more likely
 *     our network that failed than they.  Nobody more is removed until that is over, or until
 *     preserve_ms (5 min) have passed since he was lost.  Clients leave out by themselves those
 *     that do not answer.
 *
 * Every change that a reader can see takes the next revision, of the catalogue and of the service
 * changed.  Revisions begin at the wall clock's milliseconds, so they do not go back when the
 * registry starts anew, and neither do tokens.  A service whose last instance has gone stays,
 * empty, with its revision: it is known, only nobody is there.
 *
 * Nothing here knows of the network.  Time comes in by catalogue_step().  Safe on any threads; a
 * lock inside makes each function one step.
 */

#ifndef SERVICES_REGISTRY_CATALOGUE_H_
#define SERVICES_REGISTRY_CATALOGUE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "services/registry/instance.h"
#include "services/registry/watchers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CATALOGUE_MAX_SERVICES = 1000,              /* names are for ever; a company has some hundred */
    CATALOGUE_MAX_INSTANCES_PER_SERVICE = 1000, /* their EDS is about 60 KB, sent at each change */
    CATALOGUE_MAX_INSTANCES = 10000,            /* about 5 KB each: 50 MB */
};

struct catalogue;

struct catalogue_options {
    const struct clock *clock; /* required; borrowed, and must outlive the catalogue */
    int64_t lost_grace_ms;     /* 0 means 50 */
    int64_t preserve_ms;       /* 0 means 5 minutes */
};

/* The caller owns the catalogue: catalogue_free(), when nobody watches any more. */
struct catalogue *catalogue_new(const struct catalogue_options *options) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void catalogue_free(struct catalogue *catalogue);

/* ---- Leases ---- */

/* Puts an instance in; one of the same id, or at the same address and port of this service, is
 * superseded.  instance is copied.  *ret_token is its lease.
 * INVALID_ARGUMENT: see instance_check().
 * RESOURCE_EXHAUSTED: the catalogue, or the service, is full. */
status catalogue_register(struct catalogue *catalogue, struct arena *arena,
                          const struct instance *instance, uint64_t *ret_token) NONNULL;

/* Says how well it is.  ABORTED: token is not its lease any more. */
status catalogue_set_health(struct catalogue *catalogue, struct arena *arena, const char *service,
                            const char *id, uint64_t token, enum instance_health health) NONNULL;

/* Says that it obeys the mesh policy of this revision; readers see it, no watcher is woken.
 * ABORTED: token is not its lease any more. */
status catalogue_acknowledge(struct catalogue *catalogue, struct arena *arena, const char *service,
                             const char *id, uint64_t token, uint64_t policy_revision) NONNULL;

/* The lease's stream has gone, and nobody said why.  Nothing, when token is not its lease. */
void catalogue_lose(struct catalogue *catalogue, const char *service, const char *id,
                    uint64_t token) NONNULL;

/* It ends, and said so.  Nothing, when token is not its lease. */
void catalogue_deregister(struct catalogue *catalogue, const char *service, const char *id,
                          uint64_t token) NONNULL;

/* A registry before this one knew the service: it is known from now on, and awaited until an
 * instance of it registers.  INVALID_ARGUMENT: it is no name of a service.  RESOURCE_EXHAUSTED: the
 * catalogue is full. */
status catalogue_expect(struct catalogue *catalogue, struct arena *arena, const char *service)
    NONNULL;

/* Removes what is due.  Returns in how many milliseconds to step again; -1 when nothing is lost. */
int64_t catalogue_step(struct catalogue *catalogue) NONNULL;

/* ---- Reading ---- */

/* Of the last change. */
uint64_t catalogue_revision(struct catalogue *catalogue) NONNULL;

/* Of the last change of a service; 0 when it is not known. */
uint64_t catalogue_service_revision(struct catalogue *catalogue, const char *service) NONNULL;

/* Whether the service was expected and none of its instances has registered yet. */
bool catalogue_awaits(struct catalogue *catalogue, const char *service) NONNULL;

struct catalogue_service {
    const char *name;
    uint64_t revision;                /* 0 when it is not known */
    const struct instance *instances; /* in order of their id */
    size_t n_instances;
};

/* One service as it is now, copied into arena; an unknown one has revision 0 and no instances. */
struct catalogue_service catalogue_get(struct catalogue *catalogue, struct arena *arena,
                                       const char *service) NONNULL;

/* The services changed after revision `after`, in order of their names: 0 for all.  Copied into
 * arena.  *ret_revision is where to go on from.
 * OUT_OF_RANGE: `after` is of a registry before this one, so what was removed since is not known;
 * begin at 0 and forget what is not in the answer. */
status catalogue_changes(struct catalogue *catalogue, struct arena *arena, uint64_t after,
                         const struct catalogue_service **ret_services, size_t *ret_n,
                         uint64_t *ret_revision) NONNULL;

/* What is counted for the metrics. */
struct catalogue_counts {
    size_t services;
    size_t instances;
    size_t lost;     /* of these */
    bool preserving; /* too many were lost at once: none is removed */
};
struct catalogue_counts catalogue_counts(struct catalogue *catalogue) NONNULL;

/* ---- Watching ---- */

/* wake() is called after each change.  Borrows the watcher until catalogue_unwatch(); after that,
 * it is not called any more. */
void catalogue_watch(struct catalogue *catalogue, struct watcher *watcher) NONNULL;
void catalogue_unwatch(struct catalogue *catalogue, struct watcher *watcher) NONNULL;

#endif
