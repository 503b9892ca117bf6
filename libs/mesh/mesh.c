#include "libs/mesh/mesh.h"

#include "libs/base/files.h"
#include "libs/http/admin.h"
#include "libs/mesh/bootstrap.h"
#include "libs/mesh/identity.h"
#include "libs/mesh/lease.h"
#include "libs/mesh/notify.h"
#include "libs/mesh/own_folder.h"
#include "libs/mesh/subscription.h"
#include "libs/obs/log_grpc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    MAX_PEERS = 16,
    JOIN_TIMEOUT_MS = 60000,
    DRAIN_MS = 5000,
    DRAIN_TOLD_MS = 1000,
    DRAIN_SETTLE_MS = 200
};

struct named_channel {
    const char *name;
    struct channel *channel;
};

struct mesh {
    struct keeper_task streams; /* of the server, asked about again */
    struct mesh_options options;
    struct arena *arena; /* what lives as long as the mesh */
    struct log *log;
    struct tracer *tracer;
    struct readiness *readiness;
    struct admin *admin;
    struct runtime *runtime;
    struct keeper *keeper;
    struct disk_files files; /* of its identity */
    struct channel *agent;
    struct identity *identity;
    const char *spiffe_id;
    struct guard_authz *guard;
    struct subscription *subscription;
    struct server *server;
    struct lease *lease;
    struct dependency *lease_ready, *snapshot_ready;
    pthread_mutex_t lock; /* over channels */
    struct named_channel channels[MAX_PEERS];
    size_t n_channels;
    int stop_pipe[2];
    _Atomic bool is_up;      /* serving, and not draining */
    pthread_mutex_t telling; /* over the next two; one tells at a time, so the last word is new */
    const char *where;       /* lines for the supervisor; "" until we listen */
    bool is_told;            /* the last word was heard */
    struct keeper_task teller;
    void (*listening)(void *data, const char *address, const char *http);
    void *listening_data;
    void (*draining)(void *data);
    void *draining_data;
};

/* ---- Configuration ---- */

struct mesh_options mesh_options_read(struct config *config, const char *service)
{
    return (struct mesh_options){
        .service = service,
        .instance_id = config_text(config, "WEFT_INSTANCE", "1"),
        .agent_socket = config_text(config, "WEFT_AGENT", NULL),
        .listen = config_text(config, "WEFT_LISTEN", "127.0.0.1:0"),
        .http = config_text(config, "WEFT_HTTP", "127.0.0.1:0"),
        .trust_domain = config_text(config, "WEFT_TRUST_DOMAIN", "weft.local"),
        .notify_socket = config_text(config, "NOTIFY_SOCKET", ""),
        .log_level = config_text(config, "WEFT_LOG_LEVEL", "info"),
        .stale_reads = config_number(config, "WEFT_STALE_READS", 0, 0, 1) != 0,
    };
}

/* ---- Ready or not ---- */

/* telling is held. */
static void tell_supervisor(struct mesh *self, bool ready)
{
    struct arena *arena = arena_new();
    const char *state =
        ready ? "READY=1\nSTATUS=ready\n" : "STATUS=waiting for what it depends on\n";

    self->is_told =
        notify_send(self->options.notify_socket, arena_printf(arena, "%s%s", self->where, state));
    arena_free(arena);
}

static bool is_ready(struct mesh *self)
{
    return atomic_load(&self->is_up) && readiness_is_ready(self->readiness);
}

static void tell_state(struct mesh *self)
{
    pthread_mutex_lock(&self->telling);
    bool ready = is_ready(self);
    if (self->server != NULL) {
        server_set_serving(self->server, ready);
    }
    /* The catalogue is told of a server that answers, not of one that has all it needs: auth and
     * tenant each wait for the other's first stream, and what needs more says UNAVAILABLE. */
    if (self->lease != NULL && atomic_load(&self->is_up)) {
        lease_set_state(self->lease, WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_HEALTHY);
    }
    tell_supervisor(self, ready);
    pthread_mutex_unlock(&self->telling);
}

static void tell_again(struct keeper_task *task)
{
    struct mesh *self = (struct mesh *)(void *)((char *)task - offsetof(struct mesh, teller));

    pthread_mutex_lock(&self->telling);
    if (!self->is_told) {
        tell_supervisor(self, is_ready(self));
    }
    pthread_mutex_unlock(&self->telling);
}

static void readiness_changed(void *data)
{
    tell_state(data);
}

static void lease_held(void *data, bool held, const char *why_not)
{
    struct mesh *self = data;

    readiness_set(self->lease_ready, held, held ? "" : why_not);
}

static void policy_came(void *data, const Weft__Registry__V1__Policy *policy)
{
    struct mesh *self = data;

    mesh_set_policy(self, policy);
}

static void snapshot_changed(void *data, bool fresh, const char *why_not)
{
    struct mesh *self = data;

    if (self->snapshot_ready != NULL) {
        readiness_set(self->snapshot_ready, fresh, fresh ? "" : why_not);
    }
}

/* ---- Joining ---- */

static void start_observing(struct mesh *self)
{
    enum log_level level = LEVEL_INFO;

    (void)log_level_parse(self->options.log_level, &level);
    self->log = log_new(&(struct log_options){
        .service = self->options.service, .clock = &system_clock, .level = level });
    log_grpc_install(self->log);
    self->tracer = tracer_new(&(struct tracer_options){
        .service = self->options.service,
        .clock = &system_clock,
        .random = &system_random,
        .capacity = self->options.is_client ? 4096 : 2048,
    });
    self->readiness = readiness_new(&(struct readiness_options){
        .clock = &system_clock, .changed = readiness_changed, .data = self });
}

static status start_admin(struct mesh *self, struct arena *arena)
{
    return admin_new(arena,
                     &(struct admin_options){
                         .listen = self->options.http,
                         .readiness = self->readiness,
                         .tracer = self->tracer,
                     },
                     &self->admin);
}

/* Before the first xDS channel, which reads it. */
static void set_bootstrap(struct mesh *self)
{
    const char *json = bootstrap_json(
        self->arena,
        &(struct bootstrap){
            .agent_socket = self->options.agent_socket,
            .node_id = arena_printf(self->arena, "%s/%s", self->options.service,
                                    self->options.instance_id),
            .cluster = self->options.service,
            .svid_file = arena_printf(self->arena, "%s/%s", self->files.root, IDENTITY_SVID_FILE),
            .bundle_file =
                arena_printf(self->arena, "%s/%s", self->files.root, IDENTITY_BUNDLE_FILE),
        });

    (void)setenv("GRPC_XDS_BOOTSTRAP_CONFIG", json, 1);
    (void)unsetenv("GRPC_XDS_BOOTSTRAP"); /* which would win */
}

static const char *own_file(struct mesh *self, const char *name)
{
    return arena_printf(self->arena, "%s/%s", self->files.root, name);
}

static status get_identity(struct mesh *self, struct arena *arena, int64_t timeout_ms)
{
    if (self->options.own_identity) {
        self->spiffe_id = arena_printf(self->arena, "spiffe://%s/%s", self->options.trust_domain,
                                       self->options.service);
        return status_ok();
    }
    self->agent =
        channel_new(self->runtime,
                    &(struct channel_options){
                        .target = arena_printf(self->arena, "unix:%s", self->options.agent_socket),
                        .header_name = "workload.spiffe.io",
                        .header_value = "true",
                    });
    self->identity = identity_new(&(struct identity_options){
        .agent = channel_peer(self->agent),
        .files = &self->files.files,
        .keeper = self->keeper,
        .clock = &system_clock,
        .random = &system_random,
        .log = self->log,
        .lock_file = self->options.is_client ? own_file(self, "lock") : NULL,
        /* A person who asks is told at once; a service has others to serve. */
        .fall_back_ms = self->options.is_client ? 0 : IDENTITY_FALL_BACK_MS,
    });
    TRY(identity_wait(self->identity, arena, timeout_ms, &self->spiffe_id));
    self->spiffe_id = arena_strdup(self->arena, self->spiffe_id);
    return status_ok();
}

static void make_server(struct mesh *self)
{
    self->guard = guard_authz_new(&(struct guard_authz_options){
        .service = self->options.service,
        .trust_domain = self->options.trust_domain,
        .clock = &system_clock,
        .stale_reads = self->options.stale_reads,
    });
    self->server = server_new(&(struct server_options){
        .address = self->options.listen,
        .svid_file = own_file(self, IDENTITY_SVID_FILE),
        .trust_file = own_file(self, IDENTITY_BUNDLE_FILE),
        .guard = guard_authz_guard(self->guard),
        .log = self->log,
        .tracer = self->tracer,
    });
}

status mesh_join(struct arena *arena, const struct mesh_options *options, int64_t timeout_ms,
                 struct mesh **ret_mesh)
{
    struct mesh *self = calloc(1, sizeof *self);

    if (self == NULL || pipe(self->stop_pipe) != 0) {
        abort();
    }
    self->options = *options;
    self->arena = arena_new();
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->telling, NULL);
    self->where = "";
    self->is_told = true;
    self->teller.tick = tell_again;
    start_observing(self);
    self->keeper = keeper_new();
    keeper_add(self->keeper, &self->teller);
    status s = disk_files_init(&self->files, arena,
                               options->svid_folder != NULL ? options->svid_folder : "svid");
    if (status_is_ok(s)) {
        set_bootstrap(self);
        self->runtime = runtime_start(&(struct runtime_options){ .tracer = self->tracer });
        s = get_identity(self, arena, timeout_ms);
    }
    if (status_is_ok(s) && !options->is_client) {
        make_server(self);
        s = start_admin(self, arena);
    }
    if (!status_is_ok(s)) {
        mesh_free(self);
        return s;
    }
    *ret_mesh = self;
    return status_ok();
}

struct mesh *mesh_join_or_exit(struct arena *arena, const struct mesh_options *options)
{
    struct mesh *mesh = NULL;

    if (!options->own_identity) { /* who makes its own has the folder already */
        own_folder_or_exit();
    }
    status s = mesh_join(arena, options, JOIN_TIMEOUT_MS, &mesh);

    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "%s: %s\n", options->service, s.message);
        exit(EX_UNAVAILABLE);
    }
    return mesh;
}

void mesh_or_exit(struct mesh *self, status s)
{
    if (!status_is_ok(s)) {
        LOG(self->log, LEVEL_ERROR, NULL, "cannot begin", log_text("error", s.message));
        exit(EX_UNAVAILABLE);
    }
}

void mesh_free(struct mesh *self)
{
    if (self == NULL) {
        return;
    }
    keeper_free(self->keeper);
    subscription_free(self->subscription);
    lease_free(self->lease);
    identity_free(self->identity);
    server_free(self->server);
    for (size_t i = 0; i < self->n_channels; i++) {
        channel_free(self->channels[i].channel);
    }
    channel_free(self->agent);
    if (self->runtime != NULL) {
        runtime_stop(self->runtime);
    }
    guard_authz_free(self->guard);
    admin_free(self->admin);
    readiness_free(self->readiness);
    tracer_free(self->tracer);
    log_grpc_install(NULL);
    log_free(self->log);
    disk_files_reset(&self->files);
    pthread_mutex_destroy(&self->telling);
    pthread_mutex_destroy(&self->lock);
    (void)close(self->stop_pipe[0]);
    (void)close(self->stop_pipe[1]);
    arena_free(self->arena);
    free(self);
}

/* ---- What it owns ---- */

struct server *mesh_server(struct mesh *self)
{
    return self->server;
}

struct log *mesh_log(struct mesh *self)
{
    return self->log;
}

struct tracer *mesh_tracer(struct mesh *self)
{
    return self->tracer;
}

struct readiness *mesh_readiness(struct mesh *self)
{
    return self->readiness;
}

struct runtime *mesh_runtime(struct mesh *self)
{
    return self->runtime;
}

struct keeper *mesh_keeper(struct mesh *self)
{
    return self->keeper;
}

struct guard_authz *mesh_guard(struct mesh *self)
{
    return self->guard;
}

const char *mesh_service(const struct mesh *self)
{
    return self->options.service;
}

const char *mesh_spiffe_id(const struct mesh *self)
{
    return self->spiffe_id;
}

struct peer *mesh_peer(struct mesh *self, const char *service)
{
    struct channel *channel = NULL;

    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->n_channels; i++) {
        if (strcmp(self->channels[i].name, service) == 0) {
            channel = self->channels[i].channel;
        }
    }
    if (channel == NULL) {
        if (self->n_channels == MAX_PEERS) {
            abort(); /* a program with more peers than the mesh has services */
        }
        channel = channel_new(self->runtime,
                              &(struct channel_options){
                                  .target = arena_printf(self->arena, "xds:///%s", service),
                                  .svid_file = own_file(self, IDENTITY_SVID_FILE),
                                  .trust_file = own_file(self, IDENTITY_BUNDLE_FILE),
                              });
        self->channels[self->n_channels++] =
            (struct named_channel){ .name = arena_strdup(self->arena, service),
                                    .channel = channel };
    }
    pthread_mutex_unlock(&self->lock);
    return channel_peer(channel);
}

void mesh_set_policy(struct mesh *self, const Weft__Registry__V1__Policy *policy)
{
    guard_authz_set_policy(self->guard, policy);
    keeper_poke(self->keeper);
}

void mesh_on_listening(struct mesh *self,
                       void (*listening)(void *data, const char *address, const char *http),
                       void *data)
{
    self->listening = listening;
    self->listening_data = data;
}

/* ---- Serving ---- */

/* Signals can only reach a global; the pipe of the one mesh that runs. */
static _Atomic int stop_fd = -1;

static void on_signal(int number)
{
    int fd = atomic_load(&stop_fd);

    (void)number;
    if (fd >= 0) {
        (void)!write(fd, "", 1);
    }
}

static void catch_signals(struct mesh *self)
{
    const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    const struct sigaction ignore = { .sa_handler = SIG_IGN };

    atomic_store(&stop_fd, self->stop_pipe[1]);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

void mesh_stop(struct mesh *self)
{
    (void)!write(self->stop_pipe[1], "", 1);
}

/* Poked when the snapshot or the policy has changed; what ends by time alone it finds by itself. */
static void check_streams(struct keeper_task *task)
{
    const struct mesh *self = (const struct mesh *)task;

    server_check_streams(self->server);
}

static void hold_lease(struct mesh *self, const char *http)
{
    self->lease_ready = readiness_add(self->readiness, "registry", "no lease yet");
    self->lease = lease_new(&(struct lease_options){
        .registry = mesh_peer(self, "registry"),
        .keeper = self->keeper,
        .clock = &system_clock,
        .random = &system_random,
        .log = self->log,
        .service = self->options.service,
        .instance_id = self->options.instance_id,
        .address = server_address(self->server),
        .http_address = http,
        .version = WEFT_VERSION,
        .policy = policy_came,
        .held = lease_held,
        .data = self,
    });
}

static void subscribe(struct mesh *self)
{
    /* auth cannot begin before the registry is ready, so the registry does not wait for it. */
    if (!self->options.own_identity) {
        self->snapshot_ready = readiness_add(self->readiness, "auth", "no snapshot yet");
    }
    self->subscription = subscription_new(&(struct subscription_options){
        .auth = mesh_peer(self, "auth"),
        .guard = self->guard,
        .keeper = self->keeper,
        .clock = &system_clock,
        .random = &system_random,
        .log = self->log,
        .instance =
            arena_printf(self->arena, "%s/%s", self->options.service, self->options.instance_id),
        .changed = snapshot_changed,
        .data = self,
    });
}

static void say_where(struct mesh *self, const char *http)
{
    pthread_mutex_lock(&self->telling);
    self->where = arena_printf(self->arena,
                               "X_WEFT_ADDRESS=%s\nX_WEFT_HTTP=%s\nX_WEFT_SPIFFE_ID=%s\n"
                               "X_WEFT_VERSION=%s\n",
                               server_address(self->server), http, self->spiffe_id, WEFT_VERSION);
    tell_supervisor(self, false);
    pthread_mutex_unlock(&self->telling);
    LOG(self->log, LEVEL_INFO, NULL, "listening", log_text("address", server_address(self->server)),
        log_text("http", http), log_text("spiffe_id", self->spiffe_id));
}

void mesh_on_draining(struct mesh *self, void (*draining)(void *data), void *data)
{
    self->draining = draining;
    self->draining_data = data;
}

static void drain(struct mesh *self)
{
    (void)notify_send(self->options.notify_socket, "STOPPING=1\n");
    LOG(self->log, LEVEL_INFO, NULL, "draining");
    atomic_store(&self->is_up, false);
    if (self->draining != NULL) {
        self->draining(self->draining_data);
    }
    if (self->lease != NULL) {
        bool told = lease_drain(self->lease, DRAIN_TOLD_MS);
        /* A client accepts a resource before its balancer has taken it over. */
        (void)usleep(DRAIN_SETTLE_MS * 1000);
        LOG(self->log, LEVEL_DEBUG, NULL, "drained", log_bool("all_clients_know", told));
    }
    server_stop(self->server, DRAIN_MS);
}

int mesh_run(struct mesh *self)
{
    char byte;
    status s = server_start(self->server, self->arena);

    if (!status_is_ok(s)) {
        LOG(self->log, LEVEL_ERROR, NULL, "cannot serve", log_text("error", s.message));
        return EX_TEMPFAIL;
    }
    const char *http = arena_printf(self->arena, "127.0.0.1:%d", admin_port(self->admin));
    self->streams.tick = check_streams;
    keeper_add(self->keeper, &self->streams);
    catch_signals(self);
    say_where(self, http);
    if (self->listening != NULL) {
        self->listening(self->listening_data, server_address(self->server), http);
    }
    if (!self->options.own_identity) {
        hold_lease(self, http);
    }
    if (!self->options.no_snapshot) {
        subscribe(self);
    }
    atomic_store(&self->is_up, true);
    tell_state(self);
    while (read(self->stop_pipe[0], &byte, 1) < 0) { /* a signal in between */
    }
    drain(self);
    atomic_store(&stop_fd, -1);
    return EX_OK;
}
