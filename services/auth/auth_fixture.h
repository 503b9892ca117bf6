/* auth_fixture - AuthService on a real database that can be told to fail, for its tests. */

#ifndef SERVICES_AUTH_AUTH_FIXTURE_H_
#define SERVICES_AUTH_AUTH_FIXTURE_H_

#include "libs/authz/snapshot.h"
#include "libs/crypto/api_key.h"
#include "libs/peers/auth_peer.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/loopback_peer.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/test_call.h"
#include "libs/testing/test_stream.h"
#include "services/auth/auth_service.h"
#include "services/auth/founding.h"

enum { NOW_S = 1700000000 };

struct auth_fixture {
    struct failing_store store;
    struct fake_clock clock;
    struct seeded_random random;
    struct crash_files files;
    struct directory *directory;
    struct feed *feed;
    struct points *points;
    struct signing_keys *keys;
    struct api_key_pepper pepper;
    struct auth_service *service;
    struct loopback_peer loopback;
    struct peer *peer;
    struct call call; /* by a platform administrator */
};

/* Tenants acme and bravo are active; the feed is open. */
int auth_fixture_set_up(void **state);
int auth_fixture_tear_down(void **state);
/* What a new process makes of the store and the files. */
void auth_fixture_start(struct auth_fixture *f, uint32_t epoch);
void auth_fixture_stop(struct auth_fixture *f);

/* For a feed of the test's own: nobody is told. */
void auth_fixture_changed(void *data);

void put_tenant(struct auth_fixture *f, const char *tenant_id,
                Weft__Auth__V1__TenantStanding standing);

/* ---- Rpcs, shortly ---- */

status create_account(struct auth_fixture *f, const char *tenant_id, const char *id,
                      const char *role, const char *permission);
status create_key(struct auth_fixture *f, const char *tenant_id, const char *account_id,
                  const Weft__Auth__V1__CreateApiKeyResponse **ret_response);
/* One that works. */
const Weft__Auth__V1__CreateApiKeyResponse *a_key(struct auth_fixture *f, const char *tenant_id,
                                                  const char *account_id);
status exchange(struct auth_fixture *f, const char *secret, const char **ret_token);
/* Waits for nobody longer than a millisecond. */
status revoke(struct auth_fixture *f, const char *tenant_id, const char *key_id,
              const Weft__Auth__V1__RevokeApiKeyResponse **ret_response);
status delete_account(struct auth_fixture *f, const char *tenant_id, const char *id,
                      const Weft__Auth__V1__DeleteServiceAccountResponse **ret_response);
status job_token(struct auth_fixture *f, const char *tenant_id, const char *subject,
                 const char *permission, const char **ret_token);

/* Audit events of an action; "tenant subject target" of the last. */
int64_t n_events(struct auth_fixture *f, const char *action, const char **ret_last);

/* ---- An enforcement point ---- */

struct point_double {
    struct test_stream stream;
    struct snapshot *snapshot;
    uint64_t to_acknowledge;
    size_t n_beats;
};

void point_double_init(struct point_double *self, struct auth_fixture *f, const char *instance);
/* Takes all that has come into the snapshot; acknowledges it unless it is told not to. */
void point_double_take(struct point_double *self, bool acknowledge);
void point_double_reset(struct point_double *self);
/* Whether it takes a token: signed, in time, and of a credential that is not revoked. */
bool point_double_accepts(struct point_double *self, struct auth_fixture *f, const char *token);

#endif
