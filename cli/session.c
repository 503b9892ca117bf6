#include "cli/session.h"

#include "cli/programs.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/mesh/mesh.h"
#include "libs/peers/auth_peer.h"
#include "libs/rpc/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    JOIN_TIMEOUT_MS = 5000,
    EXCHANGE_TIMEOUT_MS = 10000,
    TOKEN_LIFETIME_S = 3600, /* as long as there are; what takes longer renews it */
    MAX_KEY_BYTES = 512,
};

struct session {
    struct session_options options;
    char *token;       /* owned; a secret */
    struct mesh *mesh; /* NULL in tests; owned */
    struct span span;
    bool traces; /* span has begun and not ended */
    const char *last_asked;
};

static char *copy(const char *text)
{
    char *copied = strdup(text);

    if (copied == NULL) {
        abort();
    }
    return copied;
}

struct session *session_new(const struct session_options *options)
{
    struct session *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    self->token = copy(options->token);
    return self;
}

void session_free(struct session *self)
{
    if (self == NULL) {
        return;
    }
    session_end_trace(self);
    mesh_free(self->mesh);
    explicit_bzero(self->token, strlen(self->token));
    free(self->token);
    free(self);
}

/* ---- Joining ---- */

static struct peer *find_in_mesh(void *data, const char *service)
{
    return mesh_peer(data, service);
}

/* What the client keeps is found from the working folder. */
static status enter_folder(struct invocation *invocation, const struct home *home)
{
    const char *path = home_path(invocation->arena, home, "cli");

    TRY(make_folder(invocation->arena, path, 0700));
    if (chdir(path) != 0) {
        return status_error(invocation->arena, STATUS_UNAVAILABLE, "enter '%s': %s", path,
                            strerror(errno));
    }
    return status_ok();
}

static status join(struct invocation *invocation, const struct home *home)
{
    const char *level = getenv("WEFT_LOG_LEVEL");
    /* Beside the sockets: who asks must be able to while the home's disk is full. */
    const char *svid_folder = home_socket(invocation->arena, home, "cli-svid");
    struct mesh *mesh = NULL;

    TRY(enter_folder(invocation, home));
    TRY(make_folder(invocation->arena, svid_folder, 0700));
    TRY(mesh_join(invocation->arena,
                  &(struct mesh_options){
                      .service = "cli",
                      .instance_id = arena_printf(invocation->arena, "%d", (int)getpid()),
                      .agent_socket = home_socket(invocation->arena, home, "agent.sock"),
                      .listen = "",
                      .http = "",
                      .trust_domain = PROGRAMS_TRUST_DOMAIN,
                      .notify_socket = "",
                      .log_level = level != NULL ? level : "error",
                      .svid_folder = svid_folder,
                      .is_client = true,
                      .no_snapshot = true,
                  },
                  JOIN_TIMEOUT_MS, &mesh));
    invocation->session = session_new(&(struct session_options){
        .find = find_in_mesh,
        .data = mesh,
        .token = "",
        .tracer = mesh_tracer(mesh),
    });
    invocation->session->mesh = mesh;
    session_begin_trace(invocation->session, invocation->command);
    return status_ok();
}

status session_open(struct invocation *invocation)
{
    struct home home;

    if (invocation->session != NULL) {
        return status_ok();
    }
    TRY(home_find(invocation->arena, invocation->root, &home));
    if (home.runtime == NULL ||
        access(home_socket(invocation->arena, &home, "agent.sock"), F_OK) != 0) {
        return advise(
            invocation,
            status_error(invocation->arena, STATUS_UNAVAILABLE, "no mesh runs in '%s'", home.root),
            "./weft up");
    }
    /* The working folder changes, so what is relative must not be any more. */
    invocation->root = home.root;
    return advise(invocation, join(invocation, &home),
                  home.is_root ? "./weft status"
                               : "./weft status; after a build: ./weft down && ./weft up");
}

/* ---- Keys and tokens ---- */

static bool is_key_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL && strlen(name) <= 100;
}

static status check_key_name(struct invocation *invocation, const char *name)
{
    if (is_key_name(name)) {
        return status_ok();
    }
    return status_error(invocation->arena, STATUS_INVALID_ARGUMENT,
                        "'%s' cannot be the name of a kept key", name);
}

static status read_key(struct invocation *invocation, const char *folder, const char *name,
                       const char **ret_key)
{
    struct disk_files files;
    bytes data;

    TRY(disk_files_init(&files, invocation->arena,
                        arena_printf(invocation->arena, "%s/%s", invocation->root, folder)));
    status s = files_read(&files.files, invocation->arena, name, MAX_KEY_BYTES, &data);
    disk_files_reset(&files);
    TRY(s);
    const char *text = (const char *)data.data;
    *ret_key = arena_printf(invocation->arena, "%.*s", (int)strcspn(text, "\r\n"), text);
    return status_ok();
}

status session_load_key(struct invocation *invocation, const char *name, const char **ret_key)
{
    TRY(check_key_name(invocation, name));
    status s =
        read_key(invocation, "cli/keys", arena_printf(invocation->arena, "%s.key", name), ret_key);
    if (s.code == STATUS_NOT_FOUND) {
        s = status_error(invocation->arena, STATUS_NOT_FOUND, "no key is kept as '%s'", name);
    }
    return advise(
        invocation, s,
        arena_printf(invocation->arena, "./weft key create TENANT_ID ACCOUNT_ID --save %s", name));
}

status session_save_key(struct invocation *invocation, const char *name, const char *key)
{
    const char *file = arena_printf(invocation->arena, "%s.key", name);
    struct disk_files files;

    TRY(check_key_name(invocation, name));
    TRY(make_folder(invocation->arena, arena_printf(invocation->arena, "%s/cli", invocation->root),
                    0700));
    TRY(disk_files_init(&files, invocation->arena,
                        arena_printf(invocation->arena, "%s/cli/keys", invocation->root)));
    status s = files_replace(&files.files, invocation->arena, file, bytes_of(key));
    disk_files_reset(&files);
    return s;
}

static status find_key(struct invocation *invocation, const char **ret_key)
{
    const char *key = getenv("WEFT_API_KEY");

    if (invocation->as != NULL) {
        return session_load_key(invocation, invocation->as, ret_key);
    }
    if (key != NULL && key[0] != '\0') {
        *ret_key = key;
        return status_ok();
    }
    return advise(invocation, read_key(invocation, "auth", "administrator.key", ret_key),
                  "say who you are: --as NAME, or WEFT_API_KEY");
}

status session_exchange(struct session *self, struct arena *arena, const char *key,
                        const char **ret_token)
{
    const Weft__Auth__V1__ExchangeApiKeyResponse *response;
    Weft__Auth__V1__ExchangeApiKeyRequest request;
    struct call call = session_call(self, arena, EXCHANGE_TIMEOUT_MS);

    weft__auth__v1__exchange_api_key_request__init(&request);
    request.secret = message_text(key);
    request.lifetime_s = TOKEN_LIFETIME_S;
    call.token = ""; /* the key alone says who we are */
    TRY(auth_peer_exchange_api_key(session_peer(self, "auth"), &call, &request, &response));
    *ret_token = response->token;
    return status_ok();
}

void session_use_token(struct session *self, const char *token)
{
    char *fresh = copy(token);

    explicit_bzero(self->token, strlen(self->token));
    free(self->token);
    self->token = fresh;
}

status session_renew_token(struct invocation *invocation)
{
    const char *key = NULL;
    const char *token = NULL;

    TRY(find_key(invocation, &key));
    TRY(session_exchange(invocation->session, invocation->arena, key, &token));
    session_use_token(invocation->session, token);
    return status_ok();
}

status session_open_with_token(struct invocation *invocation)
{
    TRY(session_open(invocation));
    return invocation->session->token[0] != '\0' ? status_ok() : session_renew_token(invocation);
}

/* ---- Calls ---- */

struct peer *session_peer(struct session *self, const char *service)
{
    self->last_asked = service;
    return self->options.find(self->options.data, service);
}

const char *session_last_asked(const struct session *self)
{
    return self->last_asked;
}

struct call session_call(struct session *self, struct arena *arena, int64_t timeout_ms)
{
    struct call call = call_of_process(arena);

    call.token = self->token;
    call.deadline_us = clock_monotonic_us(&system_clock) + timeout_ms * 1000;
    call.span = self->traces ? &self->span : NULL;
    return call;
}

/* ---- Traces ---- */

void session_begin_trace(struct session *self, const char *name)
{
    session_end_trace(self);
    if (self->options.tracer != NULL) {
        self->span = span_start(self->options.tracer, NULL, SPAN_INTERNAL, name);
        self->traces = true;
    }
}

void session_end_trace(struct session *self)
{
    if (self->traces) {
        span_end(&self->span, STATUS_OK);
    }
    self->traces = false;
}

const char *session_trace_id(struct session *self, struct arena *arena)
{
    if (self->options.tracer == NULL) {
        return "";
    }
    return hex_encode(arena, (bytes){ .data = self->span.trace_id, .size = TRACE_ID_BYTES });
}

struct tracer *session_tracer(struct session *self)
{
    return self->options.tracer;
}
