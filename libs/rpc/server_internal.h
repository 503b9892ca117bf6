/* What the files of the server share; nobody else includes this. */

#ifndef LIBS_RPC_SERVER_INTERNAL_H_
#define LIBS_RPC_SERVER_INTERNAL_H_

#include "libs/obs/metrics.h"
#include "libs/rpc/accept.h"
#include "libs/rpc/crew.h"
#include "libs/rpc/executor.h"
#include "libs/rpc/health_service.h"
#include "libs/rpc/method_options.h"
#include "libs/rpc/reflection_service.h"
#include "libs/rpc/server.h"
#include "libs/rpc/tag.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

/* Posted requests for each method and queue, posted again at arrival (not after the reply, or the
 * matcher queues without bound while workers are busy).  More only costs memory: 64 for 40 methods
 * and 2 queues are 1.6 MB, 5,000 are 122 MB (measured). */
enum { POSTED_REQUESTS = 16 };

enum { MAX_QUEUES = 16, MAX_REGISTERED = 16, MAX_SERVICES = 16 };

/* One rpc of one service, as it is served here. */
struct registered {
    struct server *server;
    const struct service *service;
    void *object;
    const struct method *row;
    const ProtobufCMethodDescriptor *types;
    struct method_options options;
    struct rpc rpc;
    const char *full_name; /* "/weft.tenant.v1.TenantService/GetTenant" */
    metric_label label;    /* the same without the first '/' */
    void *handle;          /* gRPC's */
    atomic_int typical_us; /* how long the handler takes, a moving average */
    struct registered *next;
};

struct server {
    struct server_options options;
    struct arena *arena; /* what is made once */
    char *address;
    grpc_server *grpc;
    grpc_completion_queue *queues[MAX_QUEUES];
    size_t n_queues;
    struct crew *crew;            /* the queues' threads */
    struct executor *pool;        /* unary calls: bounded */
    struct executor *stream_pool; /* WORKER streams: each is queued once at most */
    struct executor *waker;
    struct registered *methods;
    const char *service_names[MAX_SERVICES];
    size_t n_services;
    struct health_service *health;
    struct reflection *reflection;
    struct accept *accept; /* with options.attest */
    atomic_size_t n_calls;
    /* Posted requests, arrivals that are looked at, unary calls that are not answered yet: what may
     * still start a batch, which gRPC does not bear on a queue that is shut down. */
    atomic_size_t n_pending;
    pthread_mutex_t streams_lock;
    struct served *streams; /* that run, for server_check_streams() */
    bool started, stopped;
};

/* ---- What unary calls and streams have in common: server_call.c ---- */

/* What a posted request is filled into. */
struct slot {
    struct tag arrived;
    struct registered *method;
    size_t queue; /* of the server's */
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
};

void server_post(struct slot *slot);
void server_post_unknown(struct server *server, grpc_completion_queue *queue);

/* Makes a call's principal, deadline and trace of what came with it; the metadata may go after. */
status server_admit(const struct registered *method, struct call *call, struct span *span,
                    const struct slot *slot);
/* Validation, authorisation and the audit of refusals. */
status server_authorise(struct call *call, const struct rpc *rpc, const ProtobufCMessage *request);
/* The one place that logs, counts and ends the span.  started_us is monotonic. */
void server_finished(const struct registered *method, struct call *call, status s,
                     int64_t started_us);
void server_stream_arrived(struct slot *slot);

#endif
