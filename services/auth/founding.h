/* founding - what auth does when it starts, and once for all when it starts first.
 *
 *     each time     a new epoch for the feed; revocations, accounts and keys come into memory
 *     first         a pepper; the administrator, a service account of tenant "weft" with the role
 *                   admin, whose key goes into a file for the person who founds the mesh
 *
 * The file of the key is durable before the key is good: a crash in between leaves a file with a
 * key that does nothing, and the next start makes another.  It is made once.  When it is lost, an
 * administrator makes another key by AuthService.CreateApiKey; when there is none left who could, a
 * start with `again` makes a key, and the account if need be: whoever starts auth could as well
 * change its database, but this way it is told to the audit log.
 */

#ifndef SERVICES_AUTH_FOUNDING_H_
#define SERVICES_AUTH_FOUNDING_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/api_key.h"
#include "libs/store/store.h"
#include "services/auth/directory.h"
#include "services/auth/feed.h"

#include <stdbool.h>

#define FOUNDING_PEPPER_FILE   "pepper"
#define FOUNDING_ADMINISTRATOR "administrator"

/* All required, all borrowed. */
struct founding {
    struct files *files; /* the service's own folder */
    struct store *store; /* migrated, by auth_store and the outbox */
    const struct clock *clock;
    const struct random_source *random;
};

/* One more than the last time; durable.  ABORTED: another process has just started, too. */
status founding_next_epoch(const struct founding *founding, struct arena *arena,
                           uint32_t *ret_epoch) NONNULL;

/* From its file, which is made when there are no keys yet.  FAILED_PRECONDITION: the file is gone
 * or damaged, and without it no key that was ever made is good. */
status founding_read_pepper(const struct founding *founding, struct arena *arena,
                            struct api_key_pepper *ret_pepper) NONNULL;

/* The folder of a path, "administrator.key" or "/etc/weft/administrator.key", which is made when
 * there is none; and the name in it.  The caller owns the folder: disk_files_reset(). */
status founding_open_folder(struct arena *arena, const char *path, struct disk_files *ret_folder,
                            const char **ret_name) NONNULL;

/* Makes the administrator and writes its key to a file of mode 0600, unless it was made before. */
struct founding_credential {
    struct files *files; /* where the file goes */
    const char *name;
    const struct api_key_pepper *pepper;
    const char *spiffe_id; /* ours: who does it, for the audit */
    bool again;            /* although it was made before */
};
status founding_make_administrator(const struct founding *founding, struct arena *arena,
                                   const struct founding_credential *credential) NONNULL;

/* Revocations into the feed, accounts and keys into the directory. */
status founding_load(const struct founding *founding, struct arena *arena, struct feed *feed,
                     struct directory *directory) NONNULL;

#endif
