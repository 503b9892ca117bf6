/* platform - the whole mesh on one host (host.h), and this process as a client in it.
 *
 *     platform_init(&platform);
 *     const char *admin = platform.admin_token;
 *     struct call call = platform_call(&platform, admin);
 *     assert_status(tenant_peer_create_tenant(platform_peer(&platform, "tenant"), &call, ...),
 * ...); platform_reset(&platform);
 *
 * Functions fail the test that calls them when something is not as it must be.
 */

#ifndef TESTS_E2E_PLATFORM_H_
#define TESTS_E2E_PLATFORM_H_

#include "libs/base/attributes.h"
#include "libs/mesh/mesh.h"
#include "tests/e2e/host.h"

struct platform {
    struct host host;
    struct mesh *mesh;
    const char *admin_token; /* of the platform's administrator */
};

/* Starts everything, waits until all are ready, and joins as spiffe://weft.local/cli. */
void platform_init(struct platform *self) NONNULL;
void platform_reset(struct platform *self) NONNULL;

struct peer *platform_peer(struct platform *self, const char *service) NONNULL RETURNS_NONNULL;
/* With the host's arena and a deadline of some seconds. */
struct call platform_call(struct platform *self, const char *token) NONNULL;

/* An active tenant with such limits; 0 is the default. */
struct platform_limits {
    int64_t max_projects, max_records, requests_per_minute;
};
void platform_make_tenant(struct platform *self, const char *tenant_id,
                          struct platform_limits limits) NONNULL;

/* A service account of a role, and its key. */
struct platform_key {
    const char *key_id;
    const char *secret;
};
struct platform_key platform_make_key(struct platform *self, const char *tenant_id,
                                      const char *account_id, const char *role) NONNULL;
status platform_exchange(struct platform *self, const char *secret, const char **ret_token) NONNULL;
/* The three at once; the token. */
const char *platform_make_account(struct platform *self, const char *tenant_id,
                                  const char *account_id, const char *role) NONNULL RETURNS_NONNULL;

#endif
