/* demo - the platform's main job on real data, step by step, through the public API.
 *
 * Everything here is done as any client could do it: identity from the agent, peers by xds:///,
 * an API key exchanged for a token.  Each step says what it does, shows what came of it, and checks
 * it; a check that fails is said and makes the demo's exit code 1.  It may be run any number of
 * times, over what earlier runs left.
 */

#ifndef CLI_DEMO_H_
#define CLI_DEMO_H_

#include "cli/api.h"
#include "cli/home.h"
#include "weft/auth/v1/auth_service.pb-c.h"
#include "weft/scheduler/v1/scheduler_service.pb-c.h"
#include "weft/search/v1/search_service.pb-c.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DEMO_TENANT     "acme"
#define DEMO_OTHER      "globex"
#define DEMO_PROJECT    "debian"
#define DEMO_COLLECTION "packages"

struct demo_key {
    const char *key_id;
    const char *secret;
    const char *token; /* the key was exchanged for it */
};

struct demo {
    struct invocation *invocation;
    struct home home;
    const char *admin_token;
    struct demo_key publisher;    /* of acme: publish and read one project */
    const char *older_checkpoint; /* of the audit log, before all this */
    int64_t n_records;            /* that were published and acknowledged */
    double records_per_second;    /* of the last job */
    pid_t worker;                 /* 0 when none runs */
    bool has_killed;              /* a service, in step 5 */
    int n_failed;                 /* checks */
    int step;
};

/* ---- Saying ---- */

/* "1. create tenant acme". */
void demo_step(struct demo *self, const char *what) NONNULL;
void demo_say(struct demo *self, const char *format, ...) NONNULL PRINTF_LIKE(2, 3);
/* Says whether it holds, and counts when it does not. */
void demo_check(struct demo *self, bool holds, const char *format, ...) NONNULL PRINTF_LIKE(3, 4);

/* ---- Calling ---- */

/* A call in the name of token. */
struct call demo_call(struct demo *self, const char *token) NONNULL;
/* A service account that may do this, made or found, and a new key of it with its token. */
status demo_make_key(struct demo *self, const char *tenant_id, const char *account_id,
                     const char *const *permissions, struct demo_key *ret_key) NONNULL;
status demo_revoke_key(struct demo *self, const char *tenant_id, const char *key_id,
                       const Weft__Registry__V1__Receipt **ret_receipt) NONNULL;
status demo_search(struct demo *self, const char *token, const char *query, const char *filter,
                   const Weft__Search__V1__SearchResponse **ret_response) NONNULL;
/* limit 0: all packages. */
status demo_enqueue(struct demo *self, const char *token, size_t limit, const char **ret_job_id)
    NONNULL;
/* Follows a job with a bar until it has ended; on_progress, when not NULL, is called each time it
 * has got further. */
status demo_watch(struct demo *self, const char *job_id,
                  void (*on_progress)(struct demo *self, const Weft__Scheduler__V1__Job *job),
                  const Weft__Scheduler__V1__Job **ret_job) NONNULL_ARGS(1, 2, 4);

/* ---- The steps ---- */

status demo_tenant_and_key(struct demo *self) NONNULL;
status demo_publish(struct demo *self) NONNULL;
status demo_questions(struct demo *self) NONNULL;
status demo_refusals(struct demo *self) NONNULL;
status demo_kill(struct demo *self) NONNULL;
status demo_proof(struct demo *self) NONNULL;
status demo_trace(struct demo *self) NONNULL;
/* Ends the worker, and revokes the key. */
void demo_clean_up(struct demo *self) NONNULL;

#endif
