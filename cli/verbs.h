/* verbs - the tables of all areas. */

#ifndef CLI_VERBS_H_
#define CLI_VERBS_H_

#include "cli/verb.h"

/* X(table): in the order in which help shows them. */
#define VERB_TABLES(X) \
    X(mesh_verbs)      \
    X(log_verbs)       \
    X(check_verbs)     \
    X(tenant_verbs)    \
    X(auth_verbs)      \
    X(search_verbs)    \
    X(job_verbs)       \
    X(audit_verbs)     \
    X(trace_verbs)     \
    X(registry_verbs)  \
    X(worker_verbs)    \
    X(demo_verbs)      \
    X(bench_verbs)

#define X(table) extern const struct verb table[];
VERB_TABLES(X)
#undef X

#endif
