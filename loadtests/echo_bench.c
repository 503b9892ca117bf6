/* echo_bench - what the runtime costs: unary echo over mTLS through all of it, beside a bare echo
 * on gRPC's C core that does nothing else.
 *
 * The bare server is what the C core's own examples come to: one completion queue a core,
 * registered calls posted anew at arrival, one reply batch.  Ours is the same C core with
 * admission, tracing, authentication by certificate, bounded decoding, authorisation, the handler,
 * metrics.  The client is the same for both: plain C core, OUTSTANDING calls at a time over
 * CHANNELS connections.  Runs alternate, so that what the machine does meanwhile hits all alike;
 * medians are compared.
 */

#include "libs/authz/guard.h"
#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"
#include "libs/mesh/identity.h"
#include "libs/obs/log_grpc.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/credentials.h"
#include "libs/rpc/message.h"
#include "libs/rpc/server.h"
#include "libs/rpc/tag.h"
#include "libs/rpc/wire.h"
#include "libs/testing/echo_service.h"
#include "loadtests/report.h"
#include "weft/testing/v1/echo_service.pb-c.h"
#include "weft/testing/v1/echo_service_descriptors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 10, ROUND_MS = 700, WARM_UP_MS = 500, OUTSTANDING = 64, CHANNELS = 2, QUEUES = 2 };

static _Noreturn void die(status s)
{
    (void)fprintf(stderr, "echo_bench: %s\n", s.message);
    exit(EXIT_FAILURE);
}

/* ---- Certificates, in a folder of our own ---- */

static void check(status s)
{
    if (!status_is_ok(s)) {
        die(s);
    }
}

static const char *make_certificates(struct arena *arena)
{
    char *folder = arena_strdup(arena, "/tmp/weft-bench-XXXXXX");
    struct p256_key *ca_key = p256_key_generate(&system_random);
    struct p256_key *key = p256_key_generate(&system_random);
    int64_t now_ms = clock_wall_ms(&system_clock);
    static const char *const dns[] = { "localhost" };
    struct disk_files files;
    struct spiffe_id id;
    bytes ca, svid;

    if (mkdtemp(folder) == NULL) {
        die(status_error(arena, STATUS_UNAVAILABLE, "no folder"));
    }
    check(disk_files_init(&files, arena, folder));
    check(x509_issue_authority(arena,
                               &(struct x509_authority_options){ .random = &system_random,
                                                                 .key = ca_key,
                                                                 .trust_domain = "bench.local",
                                                                 .now_ms = now_ms,
                                                                 .lifetime_ms = 86400000 },
                               &ca));
    check(spiffe_id_make(arena, "bench.local", "/echo", &id));
    check(x509_issue_svid(arena,
                          &(struct x509_svid_options){ .random = &system_random,
                                                       .key = ca_key,
                                                       .authority = ca,
                                                       .id = id,
                                                       .dns_names = dns,
                                                       .n_dns_names = 1,
                                                       .spki = p256_key_spki(key, arena),
                                                       .now_ms = now_ms,
                                                       .lifetime_ms = 86400000 },
                          &svid));
    check(identity_write(&files.files, arena, svid, p256_key_der(key, arena), ca));
    disk_files_reset(&files);
    p256_key_free(key);
    p256_key_free(ca_key);
    return folder;
}

/* ---- The bare server ---- */

struct bare {
    grpc_server *server;
    grpc_completion_queue *queues[QUEUES];
    pthread_t threads[QUEUES];
    void *method;
    int port;
};

struct bare_slot {
    struct tag tag;
    struct bare *bare;
    grpc_completion_queue *queue;
    grpc_call *call;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
};

struct bare_call {
    struct tag tag;
    grpc_call *call;
    grpc_byte_buffer *payload;
    grpc_metadata_array metadata;
    int cancelled;
};

static void bare_post(struct bare_slot *slot);

static void bare_replied(struct tag *tag, bool ok)
{
    struct bare_call *self = (struct bare_call *)tag;

    (void)ok;
    grpc_metadata_array_destroy(&self->metadata);
    grpc_byte_buffer_destroy(self->payload);
    grpc_call_unref(self->call);
    free(self);
}

static void bare_arrived(struct tag *tag, bool ok)
{
    struct bare_slot *slot = (struct bare_slot *)tag;
    struct bare_call *self = calloc(1, sizeof *self);

    if (!ok || self == NULL) {
        grpc_metadata_array_destroy(&slot->metadata);
        free(slot);
        free(self);
        return;
    }
    self->tag.run = bare_replied;
    self->call = slot->call;
    self->payload = slot->payload;
    self->metadata = slot->metadata;
    bare_post(slot);
    const grpc_op ops[] = {
        { .op = GRPC_OP_SEND_INITIAL_METADATA },
        { .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = self->payload },
        { .op = GRPC_OP_SEND_STATUS_FROM_SERVER },
        { .op = GRPC_OP_RECV_CLOSE_ON_SERVER,
          .data.recv_close_on_server.cancelled = &self->cancelled },
    };
    tag_start_batch(self->call, ops, 4, &self->tag);
}

static void bare_post(struct bare_slot *slot)
{
    slot->tag.run = bare_arrived;
    grpc_metadata_array_init(&slot->metadata);
    (void)grpc_server_request_registered_call(slot->bare->server, slot->bare->method, &slot->call,
                                              &slot->deadline, &slot->metadata, &slot->payload,
                                              slot->queue, slot->queue, &slot->tag);
}

static void *run_queue(void *queue)
{
    tag_loop(queue);
    return NULL;
}

static void bare_start(struct bare *self, const char *svid, const char *bundle)
{
    grpc_server_credentials *tls = credentials_for_server(svid, bundle, false);

    self->server = grpc_server_create(NULL, NULL);
    for (int i = 0; i < QUEUES; i++) {
        self->queues[i] = grpc_completion_queue_create_for_next(NULL);
        grpc_server_register_completion_queue(self->server, self->queues[i], NULL);
    }
    self->method = grpc_server_register_method(self->server, "/weft.testing.v1.EchoService/Echo",
                                               NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    self->port = grpc_server_add_http2_port(self->server, "127.0.0.1:0", tls);
    grpc_server_credentials_release(tls);
    grpc_server_start(self->server);
    for (int i = 0; i < QUEUES; i++) {
        for (int n = 0; n < OUTSTANDING; n++) {
            struct bare_slot *slot = calloc(1, sizeof *slot);
            slot->bare = self;
            slot->queue = self->queues[i];
            bare_post(slot);
        }
        pthread_create(&self->threads[i], NULL, run_queue, self->queues[i]);
    }
}

static void bare_stop(struct bare *self)
{
    grpc_completion_queue *done = grpc_completion_queue_create_for_pluck(NULL);

    grpc_server_shutdown_and_notify(self->server, done, NULL);
    (void)grpc_completion_queue_pluck(done, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_server_destroy(self->server);
    grpc_completion_queue_shutdown(done);
    grpc_completion_queue_destroy(done);
    for (int i = 0; i < QUEUES; i++) {
        grpc_completion_queue_shutdown(self->queues[i]);
        pthread_join(self->threads[i], NULL);
        grpc_completion_queue_destroy(self->queues[i]);
    }
}

/* ---- The client ---- */

struct load {
    grpc_channel *channels[CHANNELS];
    void *methods[CHANNELS];
    grpc_completion_queue *queue;
    bytes request;
    atomic_bool stopping;
    atomic_long done, failed;
};

struct asked {
    struct tag tag;
    struct load *load;
    int channel;
    grpc_call *call;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *message, *response;
    grpc_status_code code;
    grpc_slice details;
};

static void ask(struct asked *self);

static void answered(struct tag *tag, bool ok)
{
    struct asked *self = (struct asked *)tag;
    struct load *load = self->load;

    (void)ok;
    atomic_fetch_add(self->code == GRPC_STATUS_OK ? &load->done : &load->failed, 1);
    grpc_byte_buffer_destroy(self->message);
    if (self->response != NULL) {
        grpc_byte_buffer_destroy(self->response);
    }
    grpc_metadata_array_destroy(&self->initial);
    grpc_metadata_array_destroy(&self->trailing);
    grpc_slice_unref(self->details);
    grpc_call_unref(self->call);
    if (atomic_load(&load->stopping)) {
        free(self);
    } else {
        ask(self);
    }
}

static void ask(struct asked *self)
{
    struct load *load = self->load;

    self->tag.run = answered;
    self->response = NULL;
    self->details = grpc_empty_slice();
    self->message = wire_buffer(load->request);
    grpc_metadata_array_init(&self->initial);
    grpc_metadata_array_init(&self->trailing);
    self->call = grpc_channel_create_registered_call(
        load->channels[self->channel], NULL, GRPC_PROPAGATE_DEFAULTS, load->queue,
        load->methods[self->channel], gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    const grpc_op ops[] = {
        { .op = GRPC_OP_SEND_INITIAL_METADATA },
        { .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = self->message },
        { .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT },
        { .op = GRPC_OP_RECV_INITIAL_METADATA,
          .data.recv_initial_metadata.recv_initial_metadata = &self->initial },
        { .op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &self->response },
        { .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
          .data.recv_status_on_client = { .trailing_metadata = &self->trailing,
                                          .status = &self->code,
                                          .status_details = &self->details } },
    };
    tag_start_batch(self->call, ops, 6, &self->tag);
}

/* Calls a second. */
static double run_load(const char *target, const char *method, const char *svid, const char *bundle,
                       bytes request)
{
    struct load load = { .queue = grpc_completion_queue_create_for_next(NULL), .request = request };
    pthread_t thread;

    for (int i = 0; i < CHANNELS; i++) {
        grpc_arg own = { .type = GRPC_ARG_INTEGER,
                         .key = message_text(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL),
                         .value.integer = 1 };
        const grpc_channel_args args = { 1, &own };
        grpc_channel_credentials *tls =
            credentials_for_channel(svid, bundle, "spiffe://bench.local/echo");
        load.channels[i] = grpc_channel_create(target, tls, &args);
        load.methods[i] = grpc_channel_register_call(load.channels[i], method, NULL, NULL);
        grpc_channel_credentials_release(tls);
    }
    pthread_create(&thread, NULL, run_queue, load.queue);
    for (int i = 0; i < OUTSTANDING; i++) {
        struct asked *asked = calloc(1, sizeof *asked);
        asked->load = &load;
        asked->channel = i % CHANNELS;
        ask(asked);
    }
    (void)usleep(WARM_UP_MS * 1000);
    long before = atomic_load(&load.done);
    int64_t start_us = clock_monotonic_us(&system_clock);
    (void)usleep(ROUND_MS * 1000);
    double calls = (double)(atomic_load(&load.done) - before);
    double seconds = (double)(clock_monotonic_us(&system_clock) - start_us) / 1e6;
    atomic_store(&load.stopping, true);
    grpc_completion_queue_shutdown(load.queue);
    pthread_join(thread, NULL);
    grpc_completion_queue_destroy(load.queue);
    for (int i = 0; i < CHANNELS; i++) {
        grpc_channel_destroy(load.channels[i]);
    }
    if (atomic_load(&load.failed) > 0) {
        (void)fprintf(stderr, "echo_bench: %ld calls of %s failed\n", atomic_load(&load.failed),
                      method);
        exit(EXIT_FAILURE);
    }
    return calls / seconds;
}

/* ---- All of it ---- */

static bytes make_request(struct arena *arena)
{
    static uint8_t payload[64];
    Weft__Testing__V1__EchoRequest request;

    weft__testing__v1__echo_request__init(&request);
    request.name = message_text("bench");
    request.payload = (ProtobufCBinaryData){ sizeof payload, payload };
    return message_pack(arena, &request.base);
}

int main(void)
{
    struct arena *arena = arena_new();
    struct log *log = log_new(&(struct log_options){
        .service = "echo_bench", .clock = &system_clock, .level = LEVEL_ERROR });
    const char *folder = make_certificates(arena);
    const char *svid = arena_printf(arena, "%s/" IDENTITY_SVID_FILE, folder);
    const char *bundle = arena_printf(arena, "%s/" IDENTITY_BUNDLE_FILE, folder);
    struct tracer *tracer = tracer_new(&(struct tracer_options){
        .service = "echo", .clock = &system_clock, .random = &system_random });
    struct runtime *runtime = runtime_start(&(struct runtime_options){ .n_workers = 1 });
    struct guard_authz *guard = guard_authz_new(&(struct guard_authz_options){
        .service = "echo", .trust_domain = "bench.local", .clock = &system_clock });
    struct echo_service echo = { .closed = 0 };
    struct server *server = server_new(&(struct server_options){
        .address = "127.0.0.1:0",
        .svid_file = svid,
        .trust_file = bundle,
        .guard = guard_authz_guard(guard),
        .tracer = tracer,
        .n_queues = QUEUES,
    });
    struct bare bare = { .port = 0 };
    double values[3][ROUNDS];
    bytes request = make_request(arena);

    log_grpc_install(log);
    bare_start(&bare, svid, bundle);
    server_register(server, &echo_service_methods, &echo, echo_service_descriptors);
    check(server_start(server, arena));
    const char *bare_target = arena_printf(arena, "127.0.0.1:%d", bare.port);
    for (int i = 0; i < ROUNDS; i++) {
        values[0][i] =
            run_load(bare_target, "/weft.testing.v1.EchoService/Echo", svid, bundle, request);
        values[1][i] = run_load(server_address(server), "/weft.testing.v1.EchoService/Echo", svid,
                                bundle, request);
        values[2][i] = run_load(server_address(server), "/weft.testing.v1.EchoService/EchoSlowly",
                                svid, bundle, request);
    }
    double reference = median(values[0], ROUNDS);
    report(&(struct finding){ .name = "echo.inline",
                              .value = median(values[1], ROUNDS),
                              .unit = "calls/s",
                              .reference = reference,
                              .reference_name = "bare C core",
                              .bar = BAR_RATIO,
                              .bar_at = 0.85,
                              .command = "./weft bench echo" });
    report(&(struct finding){ .name = "echo.worker",
                              .value = median(values[2], ROUNDS),
                              .unit = "calls/s",
                              .reference = reference,
                              .reference_name = "bare C core",
                              .bar = BAR_RATIO,
                              .bar_at = 0.70,
                              .command = "./weft bench echo" });
    server_stop(server, 1000);
    bare_stop(&bare);
    server_free(server);
    runtime_stop(runtime);
    guard_authz_free(guard);
    tracer_free(tracer);
    log_grpc_install(NULL);
    log_free(log);
    (void)unlink(svid);
    (void)unlink(bundle);
    (void)rmdir(folder);
    arena_free(arena);
    return EXIT_SUCCESS;
}
