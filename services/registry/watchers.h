/* watchers - whoever wants to know that something changed.
 *
 * A list that its owner keeps under a lock of its own.  wake() is called on the thread that made
 * the change and under that lock, so it must not block nor ask the owner; it tells its own thread
 * to come and read.
 */

#ifndef SERVICES_REGISTRY_WATCHERS_H_
#define SERVICES_REGISTRY_WATCHERS_H_

#include "libs/base/attributes.h"

#include <stddef.h>

struct watcher {
    void (*wake)(void *object);
    void *object;
    struct watcher *next;
    struct watcher *previous;
};

/* Begins as all zero. */
struct watchers {
    struct watcher *first;
};

/* Borrows the watcher until it is removed. */
static inline void watchers_add(struct watchers *watchers, struct watcher *watcher)
{
    watcher->previous = NULL;
    watcher->next = watchers->first;
    if (watcher->next != NULL) {
        watcher->next->previous = watcher;
    }
    watchers->first = watcher;
}

static inline void watchers_remove(struct watchers *watchers, struct watcher *watcher)
{
    *(watcher->previous != NULL ? &watcher->previous->next : &watchers->first) = watcher->next;
    if (watcher->next != NULL) {
        watcher->next->previous = watcher->previous;
    }
}

static inline void watchers_wake(const struct watchers *watchers)
{
    for (const struct watcher *at = watchers->first; at != NULL; at = at->next) {
        at->wake(at->object);
    }
}

#endif
