/* svids - the certificates of this host's workloads, signed by the registry, renewed in time.
 *
 * Keys are made here and never leave the host.  A certificate lives 24 hours and is replaced after
 * 8, so a registry that is dead for a night fails no handshake.  What was signed is kept in memory;
 * after a restart it is signed anew.
 */

#ifndef SERVICES_AGENT_SVIDS_H_
#define SERVICES_AGENT_SVIDS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/rpc/peer.h"

#include <stdint.h>

struct svids;

struct svids_options {
    struct peer *registry; /* all required, and borrowed */
    const struct clock *clock;
    const struct random_source *random;
};

struct svids *svids_new(const struct svids_options *options) NONNULL RETURNS_NONNULL;
void svids_free(struct svids *svids);

struct svid {
    const char *spiffe_id;
    bytes chain; /* DER */
    bytes key;   /* PKCS #8; a secret */
    bytes bundle;
    uint64_t generation; /* one more with each certificate of this host */
};

/* The workload's certificate, in arena: the one at hand, or one that is signed now.  Blocks. Errors
 * are CaService.SignWorkload's; when the registry is away, one that is due is given as it is. */
status svids_get(struct svids *svids, struct call *call, const char *spiffe_id,
                 struct svid *ret_svid) NONNULL;

/* Renews what is due.  *ret_changed: at least one was.  Blocks. */
status svids_step(struct svids *svids, struct call *call, bool *ret_changed) NONNULL;

#endif
