/* ca_internal - what ca.c and ca_join.c share, and nobody else sees. */

#ifndef SERVICES_REGISTRY_CA_INTERNAL_H_
#define SERVICES_REGISTRY_CA_INTERNAL_H_

#include "libs/crypto/sha256.h"
#include "services/registry/ca.h"
#include "services/registry/ca_state.h"

#include <pthread.h>

/* Of an agent's SPIFFE ID; behind it its host. */
#define CA_AGENT_PREFIX "/agent/"

struct ca {
    struct files *files;
    struct store *store;
    const struct clock *clock;
    const struct random_source *random;
    char *trust_domain;
    pthread_mutex_t stepping; /* one changes the authorities at a time */
    pthread_rwlock_t lock;    /* of state: held for reading while it signs */
    struct ca_state *state;
};

/* An SVID for the agent of host_id, which the caller has found to be that host. */
status ca_issue_agent(struct ca *ca, struct arena *arena, struct store_write *write,
                      const char *host_id, bytes csr, struct ca_svid *ret_svid)
    NONNULL_ARGS(1, 2, 3, 4, 6);

/* What is on record of a join token. */
struct sha256 ca_hash_token(struct ca *ca, const char *token) NONNULL;

#endif
