/* server - gRPC's C core, as a place where services are registered and calls come in.
 *
 *     struct server *server = server_new(&(struct server_options){ .address = "127.0.0.1:0", ...
 * }); server_register(server, &tenant_service_methods, service, tenant_service_descriptors);
 *     TRY(server_start(server, arena));
 *     ... server_address(server) ...
 *     server_stop(server, 10000);                 drains; then frees are safe
 *     server_free(server);
 *
 * Threads: one completion queue a core, each with a thread that leads and one that stands by
 * (crew.h), on which INLINE handlers and stream events run; a pool of workers for the WORKER ones,
 * but for those that are mostly quick: these run on the queue's thread too, and when one blocks
 * after all, the other thread takes the queue over; one thread that runs what stream_wake() asked
 * for.
 *
 * A unary call passes:   admission, trace, authenticate, decode, validate, authorise, handler
 * (service.h); what the guard decides, libs/authz writes.  grpc.health.v1, grpc.reflection (v1 and
 * v1alpha) and weft.trace.v1 are served beside what is registered.
 *
 * Errors on the wire: the code, the message when it is of the caller's doing (of INTERNAL and
 * UNAVAILABLE the code's name alone, since their messages tell of the inside), and the details as
 * google.rpc.Status in grpc-status-details-bin.  Each call is logged whole, once, and counted.
 */

#ifndef LIBS_RPC_SERVER_H_
#define LIBS_RPC_SERVER_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/obs/log.h"
#include "libs/obs/trace.h"
#include "libs/rpc/guard.h"
#include "libs/rpc/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;

struct server_options {
    const char *address;     /* "127.0.0.1:0", "[::1]:7443", or "unix:/path"; required; copied */
    const char *svid_file;   /* PEM: key, certificate and chain in one, replaced by rename */
    const char *trust_file;  /* PEM: the authorities.  NULL for both: no TLS, for a Unix socket */
    bool ask_no_certificate; /* TLS without one from the caller: the bootstrap listener alone */
    bool attest;             /* a Unix socket whose callers' process is known: call->peer_process */
    struct guard *guard;     /* borrowed; NULL lets everybody do everything: tests alone */
    const struct clock *clock;          /* borrowed; NULL means &system_clock */
    const struct random_source *random; /* borrowed; NULL means &system_random */
    struct log *log;                    /* borrowed; NULL is silent */
    struct tracer *tracer;              /* borrowed; NULL traces nothing */
    size_t n_queues;    /* 0 means one a core, at most 4: more only pay beyond 4 busy cores */
    size_t n_workers;   /* 0 means 16: they mostly wait for disks and peers */
    size_t max_waiting; /* unary calls that wait for a worker; 0 means 1024, some 50 ms of work */
    size_t max_calls;   /* calls at once, streams included; 0 means 10000 */
    size_t max_message; /* bytes of one message received; 0 means 4 MiB, gRPC's own default */
};

/* The caller owns the server: server_free().  Needs grpc_init() before: runtime_start(). */
struct server *server_new(const struct server_options *options) NONNULL RETURNS_NONNULL;

/* Before server_start().  object is borrowed, and must outlive server_stop().  descriptors is the
 * FileDescriptorSet that proto_c_library() made.  Aborts when an rpc of the .proto has no row or
 * says nothing of who may call it: a program that is wrong, and says so when it starts. */
void server_register(struct server *server, const struct service *service, void *object,
                     bytes descriptors) NONNULL_ARGS(1, 2);

/* UNAVAILABLE: the address cannot be listened at, or the certificate files cannot be read. */
status server_start(struct server *server, struct arena *arena) NONNULL;

/* Where it listens, with the port that the kernel chose. */
const char *server_address(const struct server *server) NONNULL RETURNS_NONNULL;

/* What health says of all services: false from the start; true when ready. */
void server_set_serving(struct server *server, bool serving) NONNULL;

/* Any thread, never blocks: streams that the guard would not let in any more end soon, also those
 * on which nothing happens: revoked, suspended, or with a token that has ended.  To be called when
 * the guard's epoch changes, and now and then for what ends by time alone; where nothing has
 * changed it costs a look at each stream.  (A stream with events asks before each by itself.) */
void server_check_streams(struct server *server) NONNULL;

/* Takes no new calls, waits up to grace_ms for those that run, then cancels them. */
void server_stop(struct server *server, int64_t grace_ms) NONNULL;

/* After server_stop(), or when it never started.  NULL is allowed. */
void server_free(struct server *server);

#endif
