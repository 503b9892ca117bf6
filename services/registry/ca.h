/* ca - who is a member of the mesh: the authority that signs, and by what a host proves itself.
 *
 *     operator --- join token ---> agent --- token, request for its key ---> ca: /agent/<host>
 *                                  agent --- certificate that expired, signed request ---> the same
 *     workload <-- key, SVID ---- agent --- id, request for the workload's key ---> ca: /<service>
 *
 * An SVID lives for 24 hours and is renewed at 8, so that a registry dead for a night fails no
 * handshake.  An agent whose SVID has expired may come back within 30 days, by a signature with
 * the same key: a machine that was off for a week needs no operator.
 *
 * Authorities live in one file (ca_state.h), mode 0600, made at the first start.  Each signs for a
 * year at most.  Their change is prepared by ca_step(), always the bundle first:
 *
 *     made, in the bundle --- 2 days, everybody has it ---> signs --- expires ---> gone
 *        |<-- when a third of the life of the one before is left
 *
 * What changes the database is added to a write that the caller commits, with its audit event in
 * it.  **An SVID may be given away only after that write was committed**: then its serial is on
 * record and the join token used up, whatever crashes.
 *
 * Join tokens are API keys for the purpose "join" (api_key.h); the database has their hashes.
 *
 * All functions block (a signature takes 1 ms, the first ones ask the store) and are safe on any
 * thread.
 */

#ifndef SERVICES_REGISTRY_CA_H_
#define SERVICES_REGISTRY_CA_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/crypto/spiffe_id.h"
#include "libs/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CA_SVID_LIFETIME_MS = 24 * 3600 * 1000,
    CA_PROOF_MAX_AGE_MS = 5 * 60 * 1000, /* how far the clocks of agent and registry may differ */
    CA_MAX_REQUEST_BYTES = 4096,         /* a P-256 request has 220 */
    CA_MAX_HOST_ID_BYTES = 63,           /* a DNS label */
};

#define CA_DAY_MS           ((int64_t)24 * 3600 * 1000)
#define CA_GRACE_MS         (30 * CA_DAY_MS)  /* for an agent's expired SVID */
#define CA_LIFETIME_MS      (365 * CA_DAY_MS) /* of an authority */
#define CA_PUBLISH_MS       (2 * CA_DAY_MS)   /* in the bundle, before it signs */
#define CA_TOKEN_MAX_AGE_MS (7 * CA_DAY_MS)   /* a forgotten token opens the mesh */

struct ca;

struct ca_options {
    struct files *files;                /* required; borrowed: the folder of the authority's file */
    struct store *store;                /* required; borrowed */
    const struct clock *clock;          /* required; borrowed */
    const struct random_source *random; /* required; borrowed */
    const char *trust_domain;           /* required; copied */
};

/* Brings the tables up to date, reads the authority, and makes it when there is none; a new one is
 * durable on return.  The caller owns the ca: ca_close().
 * FAILED_PRECONDITION: the file is of another trust domain; or it is gone, though certificates
 * are on record that nobody would believe any more.  DATA_LOSS: it is damaged. */
status ca_open(struct arena *arena, const struct ca_options *options, struct ca **ret_ca) NONNULL;

/* Wipes the keys.  NULL is allowed. */
void ca_close(struct ca *ca);

/* The certificates of all authorities to believe, DER, one after the other. */
bytes ca_bundle(struct ca *ca, struct arena *arena) NONNULL;

/* Does what is due: makes the next authority, lets it sign, forgets one that has expired, and old
 * rows.  For once in an hour.  *ret_changed: the bundle is another now. */
status ca_step(struct ca *ca, struct arena *arena, bool *ret_changed) NONNULL;

/* ---- Certificates ---- */

struct ca_svid {
    bytes chain;            /* DER, leaf first */
    bytes bundle;           /* DER */
    const char *serial;     /* hex */
    int64_t expire_time_ms; /* the last moment it is good */
    struct spiffe_id id;
};

/* For a workload.  id is of our trust domain and no agent's; dns_names stand in the SVID beside it.
 * INVALID_ARGUMENT: csr is no request for a P-256 key, or id or a name is not well formed. */
struct ca_workload {
    const char *spiffe_id;
    const char *const *dns_names;
    size_t n_dns_names;
    bytes csr;
};
status ca_sign_workload(struct ca *ca, struct arena *arena, struct store_write *write,
                        const struct ca_workload *workload, struct ca_svid *ret_svid) NONNULL;

/* For an agent that shows its SVID in the handshake: spiffe_id is that of the peer.
 * PERMISSION_DENIED: it is no agent's.  INVALID_ARGUMENT: as above. */
status ca_renew_agent(struct ca *ca, struct arena *arena, struct store_write *write,
                      const char *spiffe_id, bytes csr, struct ca_svid *ret_svid) NONNULL;

/* ---- Joining ---- */

/* A token that one host may join with, until lifetime_ms from now (at most CA_TOKEN_MAX_AGE_MS);
 * only the one of that name, unless host_id is "".  Secret, wiped with its arena; good when the
 * write was committed.  INVALID_ARGUMENT: host_id is no name, or lifetime_ms out of range. */
status ca_make_join_token(struct ca *ca, struct arena *arena, struct store_write *write,
                          const char *host_id, int64_t lifetime_ms, const char **ret_token) NONNULL;

/* UNAUTHENTICATED: the token is unknown, used, expired, or for another host; the commit too, when
 * it was used meanwhile.  INVALID_ARGUMENT: host_id or csr is not well formed. */
struct ca_join {
    const char *host_id;
    bytes csr;
    const char *token;
};
status ca_admit(struct ca *ca, struct arena *arena, struct store_write *write,
                const struct ca_join *join, struct ca_svid *ret_svid) NONNULL;

/* By an SVID that has expired, at most CA_GRACE_MS ago, or not yet, and a signature of its key over
 * ca_proof_text().  UNAUTHENTICATED: it is not that host's, or too old, or signed by none of ours;
 * the signature is not by its key, or was made more than CA_PROOF_MAX_AGE_MS away from now.
 * INVALID_ARGUMENT: host_id or csr is not well formed. */
struct ca_rejoin {
    const char *host_id;
    bytes csr;
    bytes certificate;     /* DER; only the SVID, or a chain */
    bytes signature;       /* p256_sign() */
    int64_t proof_time_ms; /* when it was made */
};
status ca_readmit(struct ca *ca, struct arena *arena, struct store_write *write,
                  const struct ca_rejoin *rejoin, struct ca_svid *ret_svid) NONNULL;

/* What an agent signs: "weft-reattest", host_id, csr, and proof_time_ms as decimal text, one after
 * the other.  A later replay gives a certificate for the same csr again, whose key the one who
 * replays has not. */
bytes ca_proof_text(struct arena *arena, const char *host_id, bytes csr, int64_t proof_time_ms)
    NONNULL_ARGS(1, 2);

#endif
