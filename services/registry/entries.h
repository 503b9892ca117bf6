/* entries - which process is which workload, as an operator wrote it down.
 *
 * A JSON file, read at the start and again whenever it changes:
 *
 *     [ { "spiffe_id": "spiffe://weft.local/tenant", "dns": ["tenant", "localhost"],
 *         "uid": 61004 },
 *       { "spiffe_id": "spiffe://weft.local/cli",    "dns": ["cli", "localhost"],
 *         "path": "/srv/weft/bin/weft", "sha256": "6b86b2..." } ]
 *
 * Of uid, path and sha256 an entry has at least one, and all it has must match: an entry that
 * matches every process would make anybody who finds it first that workload.
 *
 * A file that is damaged while the registry runs changes nothing; what was read last stays in
 * force.  Safe on any threads.
 */

#ifndef SERVICES_REGISTRY_ENTRIES_H_
#define SERVICES_REGISTRY_ENTRIES_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "services/registry/watchers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ENTRIES_MAX_FILE_BYTES = 1024 * 1024, /* about 4,000 entries */
    ENTRIES_MAX = 4000,
    ENTRIES_MAX_DNS_NAMES = 16, /* X509_MAX_DNS_NAMES */
};

struct entry {
    const char *spiffe_id;
    const char *const *dns_names;
    size_t n_dns_names;
    int64_t uid;        /* -1: any */
    const char *path;   /* "": any */
    const char *sha256; /* hex; "": any */
};

struct entries;

/* Empty at first.  trust_domain is copied.  The caller owns them: entries_free(), when nobody
 * watches any more. */
struct entries *entries_new(const char *trust_domain) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void entries_free(struct entries *entries);

/* Takes the text of the file; nothing happens when it is what was taken last.
 * INVALID_ARGUMENT: it is not such a file; the message names the entry. */
status entries_load(struct entries *entries, struct arena *arena, bytes json) NONNULL_ARGS(1, 2);

/* Says that something that readers send along has changed: the bundle. */
void entries_touch(struct entries *entries) NONNULL;

/* One more with each change. */
uint64_t entries_revision(struct entries *entries) NONNULL;

/* All of them, copied into arena, and their revision. */
uint64_t entries_list(struct entries *entries, struct arena *arena,
                      const struct entry **ret_entries, size_t *ret_n) NONNULL;

/* The first of that SPIFFE ID, copied into arena; false when there is none. */
bool entries_find(struct entries *entries, struct arena *arena, const char *spiffe_id,
                  struct entry *ret_entry) NONNULL;

/* wake() is called after each change.  Borrows the watcher until entries_unwatch(). */
void entries_watch(struct entries *entries, struct watcher *watcher) NONNULL;
void entries_unwatch(struct entries *entries, struct watcher *watcher) NONNULL;

#endif
