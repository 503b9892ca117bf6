/* mesh - a process as a member of the mesh, from its start to its end.
 *
 *     struct config *config = config_new(arena);
 *     struct mesh_options options = mesh_options_read(config, "tenant");
 *     const char *database = config_text(config, "WEFT_DATABASE", "sqlite:tenant.db");
 *     config_check_or_exit(config);
 *
 *     struct mesh *mesh = mesh_join_or_exit(arena, &options);          who am I
 *     struct store *store = member_store_or_exit(...);                 member.h
 *     struct auditor *auditor = member_auditor_or_exit(...);
 *     struct tenant_service *service = tenant_service_new(...);
 *     server_register(mesh_server(mesh), &tenant_service_methods, service, ...);
 *     int code = mesh_run(mesh);              serve, hold the lease, until SIGTERM; then drain
 *     ... everything is freed in the opposite order; services/tenant/main.c is the whole of it
 *
 * It owns what every member has: log, tracer, readiness, metrics over HTTP, gRPC's runtime, the
 * identity from the agent, the server with its guard, the lease in the registry, the subscription
 * to auth's snapshot, and a channel to each peer that somebody asked for.  No member knows
 * another's address: peers are xds:///name, resolved through the agent.
 */

#ifndef LIBS_MESH_MESH_H_
#define LIBS_MESH_MESH_H_

#include "libs/authz/guard.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/config.h"
#include "libs/mesh/keeper.h"
#include "libs/obs/log.h"
#include "libs/obs/readiness.h"
#include "libs/obs/trace.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"

#include <stdbool.h>

#define WEFT_VERSION "0.1.0"

struct mesh;

/* From the environment; all but the service's name have defaults, and texts live in the config's
 * arena. */
struct mesh_options {
    const char *service;       /* "tenant" */
    const char *instance_id;   /* WEFT_INSTANCE: "tenant-1" */
    const char *agent_socket;  /* WEFT_AGENT: "/run/weft/agent.sock"; required */
    const char *listen;        /* WEFT_LISTEN: "127.0.0.1:0" */
    const char *http;          /* WEFT_HTTP: "127.0.0.1:0" */
    const char *trust_domain;  /* WEFT_TRUST_DOMAIN: "weft.local" */
    const char *notify_socket; /* NOTIFY_SOCKET: "" */
    const char *log_level;     /* WEFT_LOG_LEVEL: "info" */
    bool stale_reads;          /* WEFT_STALE_READS: 1 when reads go on without auth; 0 */
    /* What the program sets itself: */
    const char *svid_folder; /* where the identity is written; NULL: "svid" */
    bool is_client;          /* serves nothing: no server, no lease, no HTTP; logs warnings alone */
    bool own_identity; /* svid.pem and bundle.pem are there already: the registry, which issues its
                          own.  It holds no lease either: it is the catalogue */
    bool no_snapshot;  /* decides by certificates alone */
};

struct mesh_options mesh_options_read(struct config *config, const char *service) NONNULL;

/* Takes the working folder (own_folder.h), waits up to 60 s for an identity, then says why there is
 * none and exits with 69 (EX_UNAVAILABLE): whoever supervises tries again. */
struct mesh *mesh_join_or_exit(struct arena *arena, const struct mesh_options *options)
    NONNULL RETURNS_NONNULL;
/* The same for those who go on without: DEADLINE_EXCEEDED, within timeout_ms. */
status mesh_join(struct arena *arena, const struct mesh_options *options, int64_t timeout_ms,
                 struct mesh **ret_mesh) NONNULL;
/* Goes on when s is OK; else logs it and exits with 69: for what a program cannot do without. */
void mesh_or_exit(struct mesh *mesh, status s) NONNULL;
/* After all that borrows of it.  NULL is allowed. */
void mesh_free(struct mesh *mesh);

/* ---- What it owns: as long as the mesh ---- */

struct server *mesh_server(struct mesh *mesh) NONNULL;
struct log *mesh_log(struct mesh *mesh) NONNULL;
struct tracer *mesh_tracer(struct mesh *mesh) NONNULL;
struct readiness *mesh_readiness(struct mesh *mesh) NONNULL;
struct runtime *mesh_runtime(struct mesh *mesh) NONNULL;
struct keeper *mesh_keeper(struct mesh *mesh) NONNULL;
struct guard_authz *mesh_guard(struct mesh *mesh) NONNULL;
const char *mesh_service(const struct mesh *mesh) NONNULL RETURNS_NONNULL;
const char *mesh_spiffe_id(const struct mesh *mesh) NONNULL RETURNS_NONNULL;

/* Any member by its name; the same peer each time. */
struct peer *mesh_peer(struct mesh *mesh, const char *service) NONNULL RETURNS_NONNULL;

/* ---- Serving ---- */

/* Starts the server, holds the lease, says READY when everything is ready; returns after SIGTERM or
 * SIGINT, when the last call has ended: 0, or 75 (EX_TEMPFAIL) when it could not begin. */
int mesh_run(struct mesh *mesh) NONNULL;
/* Makes mesh_run() return; any thread, signal handlers too. */
void mesh_stop(struct mesh *mesh) NONNULL;

/* The registry's own way to tell itself its policy. */
void mesh_set_policy(struct mesh *mesh, const Weft__Registry__V1__Policy *policy) NONNULL;
/* Called when the server has its address, before READY; for the registry, which enters itself. */
void mesh_on_listening(struct mesh *mesh,
                       void (*listening)(void *data, const char *address, const char *http),
                       void *data) NONNULL_ARGS(1, 2);

/* Called when mesh_run() begins to end, before streams are closed: a service that gives out work
 * gives out no more, and says so. */
void mesh_on_draining(struct mesh *mesh, void (*draining)(void *data), void *data)
    NONNULL_ARGS(1, 2);

#endif
