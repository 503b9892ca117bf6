/* spiffe_id - the name of a workload: spiffe://trust-domain/path.
 *
 *     spiffe://weft.example/service/search
 *              ^trust domain ^path
 *
 * Written as SPIFFE-ID section 2 has it and no looser: exactly these characters, nothing
 * escaped, nothing normalised.  So two IDs are equal when their bytes are, and an ID that was
 * accepted is safe in a log line, a URL and an SQL text.
 *
 * An ID without a path names the trust domain itself; certificates of authorities carry it,
 * workloads never do.
 */

#ifndef LIBS_CRYPTO_SPIFFE_ID_H_
#define LIBS_CRYPTO_SPIFFE_ID_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <stdbool.h>

enum {
    SPIFFE_ID_MAX_BYTES = 2048,          /* SPIFFE-ID 2.3: what must be taken, and no more */
    SPIFFE_TRUST_DOMAIN_MAX_BYTES = 255, /* SPIFFE-ID 2.1 */
};

/* All of it in the arena it was made in. */
struct spiffe_id {
    const char *text;         /* the whole */
    const char *trust_domain; /* never empty */
    const char *path;         /* with its first '/'; "" names the trust domain */
};

/* Takes an ID that somebody else wrote.  The trust domain is a-z 0-9 '.' '-' '_', the path's
 * segments are A-Z a-z 0-9 '.' '-' '_', none of them empty, "." or "..".
 * INVALID_ARGUMENT: it is none, and the message says where. */
status spiffe_id_parse(struct arena *arena, bytes text, struct spiffe_id *ret_id)
    NONNULL_ARGS(1, 3);

/* Makes an ID that we issue: the same rules, and the path is lower case, so that no two of our
 * names differ by case alone, which file systems and people confuse. */
status spiffe_id_make(struct arena *arena, const char *trust_domain, const char *path,
                      struct spiffe_id *ret_id) NONNULL;

static inline bool spiffe_id_names_workload(const struct spiffe_id *id)
{
    return id->path[0] != '\0';
}

#endif
