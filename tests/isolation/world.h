/* world - all services in one process, as two tenants see them.
 *
 * acme and bravo have one of everything, and in acme's things stands a secret.  Each has a
 * principal that may do everything ("**") in its own tenant.  Calls go through the real guard, with
 * the permissions of the .proto, and then through the real handlers.
 */

#ifndef TESTS_ISOLATION_WORLD_H_
#define TESTS_ISOLATION_WORLD_H_

#include "libs/authz/guard.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/rpc/service.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "tests/isolation/requests.h"

#include <stdbool.h>
#include <stddef.h>

#define WORLD_SECRET "the secret of acme"

extern const struct principal world_acme, world_bravo;
/* Of the platform, who sets things up. */
extern const struct principal world_platform;

struct world_service {
    const struct service *service;
    void *object; /* NULL: no call may come so far */
    bytes descriptors;
    void (*settle)(void *data); /* does what a thread of the service would; NULL: nothing */
    void *data;
};

struct world {
    struct arena *arena;
    struct fake_clock clock;
    struct seeded_random random;
    struct guard_authz *guard;
    struct world_service services[16];
    size_t n_services;
    struct request_ids ids;
};

void world_init(struct world *self) NONNULL;
void world_reset(struct world *self) NONNULL;

/* ---- For those who add a service: one file each ---- */

void world_add(struct world *self, const struct world_service *service) NONNULL;
/* Fields of that name hold acme's id, or bravo's.  Texts are copied. */
void world_add_id(struct world *self, const char *field, const char *acme, const char *bravo)
    NONNULL;

void world_add_audit(struct world *self) NONNULL;
void world_add_auth(struct world *self) NONNULL;
void world_add_registry(struct world *self) NONNULL;
void world_add_scheduler(struct world *self) NONNULL;
void world_add_search(struct world *self) NONNULL;
void world_add_tenant(struct world *self) NONNULL;

/* ---- Calls ---- */

struct world_answer {
    status result;
    const ProtobufCMessage **messages; /* the response, or what a stream has sent; arena */
    size_t n_messages;
};

struct world_caller {
    const struct principal *principal;
    const char *peer_id; /* of its certificate; "" for none */
};

/* A unary rpc takes one request; a stream takes all of them, and the end. */
struct world_answer world_ask(struct world *self, const struct world_caller *caller,
                              const char *service, const char *method,
                              const ProtobufCMessage *const *requests, size_t n_requests) NONNULL;

/* Asks as the platform, what must succeed; the response. */
const ProtobufCMessage *world_must(struct world *self, const struct principal *principal,
                                   const char *service, const char *method,
                                   const ProtobufCMessage *request) NONNULL;

#endif
