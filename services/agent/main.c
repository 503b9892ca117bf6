/* The agent: the mesh's hand on this host.  It joins the mesh for the host, tells workloads who
 * they are, and carries their ADS to the registry.  It alone knows where the registry is. */

#include "envoy/service/discovery/v3/discovery_descriptors.h"
#include "libs/base/config.h"
#include "libs/base/files.h"
#include "libs/http/admin.h"
#include "libs/mesh/identity.h"
#include "libs/mesh/mesh.h"
#include "libs/mesh/notify.h"
#include "libs/mesh/own_folder.h"
#include "libs/obs/log_grpc.h"
#include "libs/obs/readiness.h"
#include "services/agent/ads_proxy.h"
#include "services/agent/agent_identity.h"
#include "services/agent/entries.h"
#include "services/agent/last_good.h"
#include "services/agent/svids.h"
#include "services/agent/workload_service.h"
#include "spiffe/workload/workload_descriptors.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

enum { STEP_MS = 1000, ATTEST_ATTEMPTS = 120, ATTEST_EVERY_MS = 250, CALL_TIMEOUT_MS = 5000 };

struct agent {
    struct arena *arena;
    struct log *log;
    struct tracer *tracer;
    struct runtime *runtime;
    struct keeper *keeper;
    struct disk_files identity_files; /* svid.pem, bundle.pem */
    struct disk_files state_files;    /* entries, last-good */
    struct agent_identity_options identity;
    const char *registry_address, *bootstrap_address, *trust_bundle, *socket, *notify_socket;
    const char *http, *log_level;
    const char *svid_file, *bundle_file, *registry_id;
    struct channel *registry;
    struct entries *entries;
    struct svids *svids;
    struct last_good *last_good;
    struct workload_service *_Atomic workloads; /* entries may come before it is there */
    struct ads_proxy *proxy;
    struct server *server;
    struct readiness *readiness; /* shown, and nothing waits for it: who runs goes on without */
    struct dependency *certificate_ready, *registry_ready;
    struct admin *admin;
};

/* ---- Configuration ---- */

static const char *read_token(struct agent *self, const char *path)
{
    struct disk_files here;
    bytes token = { .data = NULL };

    if (path[0] == '\0') {
        return "";
    }
    const char *slash = strrchr(path, '/');
    const char *folder =
        slash == NULL ? "." : arena_printf(self->arena, "%.*s", (int)(slash - path), path);
    const char *name = slash == NULL ? path : slash + 1;
    if (!status_is_ok(disk_files_init(&here, self->arena, folder))) {
        return "";
    }
    status s = files_read(&here.files, self->arena, name, 256, &token);
    disk_files_reset(&here);
    return status_is_ok(s)
               ? arena_printf(self->arena, "%.*s", (int)strcspn((const char *)token.data, "\r\n"),
                              (const char *)token.data)
               : ""; /* used up and removed: a certificate must do */
}

static void configure(struct agent *self)
{
    struct config *config = config_new(self->arena);
    const char *token_file = config_text(config, "WEFT_JOIN_TOKEN_FILE", "");

    self->socket = config_text(config, "WEFT_AGENT", NULL);
    self->registry_address = config_text(config, "WEFT_REGISTRY", NULL);
    self->bootstrap_address = config_text(config, "WEFT_BOOTSTRAP", NULL);
    self->trust_bundle = config_text(config, "WEFT_TRUST_BUNDLE", NULL);
    self->notify_socket = config_text(config, "NOTIFY_SOCKET", "");
    self->http = config_text(config, "WEFT_HTTP", "127.0.0.1:0");
    self->log_level = config_text(config, "WEFT_LOG_LEVEL", "info");
    self->identity = (struct agent_identity_options){
        .files = &self->identity_files.files,
        .clock = &system_clock,
        .random = &system_random,
        .trust_domain = config_text(config, "WEFT_TRUST_DOMAIN", "weft.local"),
        .host_id = config_text(config, "WEFT_HOST", "host-1"),
        .join_token = "",
    };
    config_check_or_exit(config);
    self->identity.join_token = read_token(self, token_file);
    self->registry_id =
        arena_printf(self->arena, "spiffe://%s/registry", self->identity.trust_domain);
    self->svid_file = "svid/" IDENTITY_SVID_FILE;
    self->bundle_file = "svid/" IDENTITY_BUNDLE_FILE;
}

/* ---- Who we are ---- */

static struct call new_call(struct arena *arena)
{
    struct call call = call_of_process(arena);

    call.deadline_us = clock_monotonic_us(&system_clock) + (int64_t)CALL_TIMEOUT_MS * 1000;
    return call;
}

static status attest(struct agent *self)
{
    struct arena *arena = arena_new();
    struct call call = new_call(arena);
    struct channel *bootstrap = channel_new(self->runtime, &(struct channel_options){
                                                               .target = self->bootstrap_address,
                                                               .trust_file = self->trust_bundle,
                                                               .server_id = self->registry_id,
                                                               .show_no_certificate = true,
                                                           });
    status s = agent_identity_attest(&self->identity, &call, channel_peer(bootstrap));

    channel_free(bootstrap);
    if (!status_is_ok(s)) {
        LOG(self->log, LEVEL_WARN, NULL, "not attested", log_text("error", s.message));
        s.message = "not attested";
        s.details = NULL;
    }
    arena_free(arena);
    return s;
}

static bool has_good_identity(struct agent *self)
{
    struct arena *arena = arena_new();
    enum agent_identity_state state = agent_identity_state(&self->identity, arena);

    arena_free(arena);
    return state == AGENT_IS_GOOD || state == AGENT_IS_DUE;
}

static status get_identity(struct agent *self)
{
    for (int i = 0; i < ATTEST_ATTEMPTS && !has_good_identity(self); i++) {
        status s = attest(self);
        if (status_is_ok(s) || s.code == STATUS_FAILED_PRECONDITION) {
            return s;
        }
        (void)usleep(ATTEST_EVERY_MS * 1000);
    }
    return has_good_identity(self)
               ? status_ok()
               : status_error(self->arena, STATUS_UNAVAILABLE, "the registry does not admit us");
}

/* ---- What we do ---- */

static void entries_changed(void *data)
{
    struct agent *self = data;

    struct workload_service *workloads = self->workloads;

    if (workloads != NULL) {
        workload_service_changed(workloads);
    }
}

static void registry_heard(void *data, status s)
{
    struct agent *self = data;

    readiness_set(self->registry_ready, status_is_ok(s),
                  status_is_ok(s) ? "" : status_code_name(s.code));
}

static void make_parts(struct agent *self)
{
    self->registry = channel_new(self->runtime, &(struct channel_options){
                                                    .target = self->registry_address,
                                                    .svid_file = self->svid_file,
                                                    .trust_file = self->bundle_file,
                                                    .server_id = self->registry_id,
                                                });
    struct peer *registry = channel_peer(self->registry);
    self->svids = svids_new(&(struct svids_options){
        .registry = registry, .clock = &system_clock, .random = &system_random });
    self->entries = entries_new(&(struct entries_options){
        .registry = registry,
        .keeper = self->keeper,
        .clock = &system_clock,
        .random = &system_random,
        .log = self->log,
        .files = &self->state_files.files,
        .reader = &proc_reader,
        .changed = entries_changed,
        .heard = registry_heard,
        .data = self,
    });
    self->workloads = workload_service_new(&(struct workload_service_options){
        .entries = self->entries,
        .svids = self->svids,
        .trust_domain = self->identity.trust_domain,
    });
    self->last_good = last_good_new(&self->state_files.files);
    self->proxy = ads_proxy_new(&(struct ads_proxy_options){
        .registry = registry,
        .last_good = self->last_good,
        .keeper = self->keeper,
        .clock = &system_clock,
        .random = &system_random,
        .log = self->log,
    });
}

static status serve(struct agent *self)
{
    TRY(admin_new(self->arena,
                  &(struct admin_options){
                      .listen = self->http, .readiness = self->readiness, .tracer = self->tracer },
                  &self->admin));
    self->server = server_new(&(struct server_options){
        .address = arena_printf(self->arena, "unix:%s", self->socket),
        .attest = true,
        .guard = workload_service_guard(self->workloads),
        .log = self->log,
        .tracer = self->tracer,
        .n_queues = 2,
        .n_workers = 8,
    });
    server_register(self->server, &workload_service_methods, self->workloads, workload_descriptors);
    server_register(self->server, &ads_proxy_methods, self->proxy, discovery_descriptors);
    TRY(server_start(self->server, self->arena));
    server_set_serving(self->server, true);
    return status_ok();
}

static void show_certificate(struct agent *self)
{
    bool is_good = has_good_identity(self);

    readiness_set(self->certificate_ready, is_good, is_good ? "" : "it has expired");
}

/* Once a second: renew, keep. */
static void step(struct agent *self)
{
    struct arena *arena = arena_new();
    struct call call = new_call(arena);
    bool changed = false;
    status s = status_ok();

    if (agent_identity_state(&self->identity, arena) == AGENT_IS_DUE) {
        s = agent_identity_renew(&self->identity, &call, channel_peer(self->registry));
    } else if (agent_identity_state(&self->identity, arena) == AGENT_HAS_EXPIRED) {
        s = attest(self);
    }
    if (status_is_ok(s)) {
        s = svids_step(self->svids, &call, &changed);
    }
    if (status_is_ok(s)) {
        s = last_good_save(self->last_good, arena);
    }
    if (!status_is_ok(s)) {
        LOG(self->log, LEVEL_WARN, NULL, "not renewed", log_text("error", s.message));
    }
    show_certificate(self);
    if (changed) {
        workload_service_changed(self->workloads);
    }
    arena_free(arena);
}

static bool tell_ready(struct agent *self)
{
    struct arena *arena = arena_new();
    bool is_told =
        notify_send(self->notify_socket,
                    arena_printf(arena,
                                 "X_WEFT_ADDRESS=unix:%s\nX_WEFT_HTTP=127.0.0.1:%d\n"
                                 "X_WEFT_SPIFFE_ID=spiffe://%s/agent/%s\n"
                                 "X_WEFT_VERSION=%s\nREADY=1\nSTATUS=ready\n",
                                 self->socket, admin_port(self->admin), self->identity.trust_domain,
                                 self->identity.host_id, WEFT_VERSION));

    arena_free(arena);
    return is_told;
}

static void run(struct agent *self, int signals)
{
    struct pollfd poll_signals = { .fd = signals, .events = POLLIN };

    show_certificate(self);
    bool is_told = tell_ready(self);
    LOG(self->log, LEVEL_INFO, NULL, "listening", log_text("socket", self->socket),
        log_int("http_port", admin_port(self->admin)));
    while (poll(&poll_signals, 1, STEP_MS) == 0) {
        is_told = is_told || tell_ready(self);
        step(self);
    }
    (void)notify_send(self->notify_socket, "STOPPING=1\n");
}

static void stop(struct agent *self)
{
    if (self->server != NULL) {
        server_stop(self->server, 1000);
    }
    keeper_free(self->keeper);
    entries_free(self->entries);
    server_free(self->server);
    ads_proxy_free(self->proxy);
    channel_free(self->registry);
    runtime_stop(self->runtime);
    workload_service_free(self->workloads);
    last_good_free(self->last_good);
    svids_free(self->svids);
    disk_files_reset(&self->identity_files);
    disk_files_reset(&self->state_files);
    admin_free(self->admin);
    readiness_free(self->readiness);
    tracer_free(self->tracer);
    log_grpc_install(NULL);
    log_free(self->log);
    arena_free(self->arena);
}

/* Before any thread, so that all of them leave the signals to us. */
static int catch_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static void start_log(struct agent *self)
{
    enum log_level level = LEVEL_INFO;

    (void)log_level_parse(self->log_level, &level);
    self->log = log_new(
        &(struct log_options){ .service = "agent", .clock = &system_clock, .level = level });
}

int main(void)
{
    struct agent self = { .arena = arena_new() };
    int signals = catch_signals();

    configure(&self);
    own_folder_or_exit();
    start_log(&self);
    log_grpc_install(self.log);
    self.tracer = tracer_new(&(struct tracer_options){
        .service = "agent", .clock = &system_clock, .random = &system_random, .capacity = 512 });
    self.runtime = runtime_start(&(struct runtime_options){ .n_workers = 8 });
    self.readiness = readiness_new(&(struct readiness_options){ .clock = &system_clock });
    self.certificate_ready = readiness_add(self.readiness, "certificate", "not looked at yet");
    self.registry_ready = readiness_add(self.readiness, "registry", "it has not sent entries yet");
    self.keeper = keeper_new();
    status s = disk_files_init(&self.identity_files, self.arena, "svid");
    if (status_is_ok(s)) {
        s = disk_files_init(&self.state_files, self.arena, "state");
    }
    if (status_is_ok(s)) {
        s = get_identity(&self);
    }
    if (status_is_ok(s)) {
        make_parts(&self);
        s = serve(&self);
    }
    if (status_is_ok(s)) {
        run(&self, signals);
    } else {
        LOG(self.log, LEVEL_ERROR, NULL, "cannot serve", log_text("error", s.message));
    }
    stop(&self);
    return status_is_ok(s) ? EX_OK : EX_TEMPFAIL;
}
