#include "libs/http/http_server.h"

#include "libs/base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct http_server {
    const struct http_route *routes;
    size_t n_routes;
    void *object;
    struct MHD_Daemon *daemon;
    uint16_t port;
};

/* ---- Answering ---- */

static void answer_text(struct http_response *response, unsigned code, const char *text)
{
    response->status = code;
    response->body = bytes_of(text);
}

static bool fits(const struct http_route *route, const char *path)
{
    size_t length = strlen(route->path);
    /* "/" is itself alone, or nothing could ever be missing. */
    bool is_prefix = length > 1 && route->path[length - 1] == '/';

    return is_prefix ? strncmp(route->path, path, length) == 0 : strcmp(route->path, path) == 0;
}

static void handle(const struct http_server *self, struct http_request *request,
                   struct http_response *response)
{
    for (size_t i = 0; i < self->n_routes; i++) {
        if (fits(&self->routes[i], request->path)) {
            request->rest = request->path + strlen(self->routes[i].path);
            self->routes[i].handle(request, response);
            return;
        }
    }
    answer_text(response, MHD_HTTP_NOT_FOUND, "no such page\n");
}

static void free_arena(void *data)
{
    arena_free(data);
}

/* Takes over arena, in which the body may be. */
static enum MHD_Result send_response(struct MHD_Connection *connection, struct arena *arena,
                                     const struct http_response *response)
{
    void *body = (void *)(uintptr_t)response->body.data; /* MHD reads it only, but says no const */
    struct MHD_Response *mhd = MHD_create_response_from_buffer_with_free_callback_cls(
        response->body.size, body, free_arena, arena);

    if (mhd == NULL) {
        arena_free(arena);
        return MHD_NO; /* closes the connection */
    }
    (void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
    (void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(mhd, "X-Content-Type-Options", "nosniff");
    if (response->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    enum MHD_Result result = MHD_queue_response(connection, response->status, mhd);
    MHD_destroy_response(mhd); /* our reference; the connection has its own */
    return result;
}

static bool is_get(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static bool has_body(struct MHD_Connection *connection)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return (length != NULL && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                       MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
}

static enum MHD_Result answer(struct http_server *self, struct MHD_Connection *connection,
                              const char *path, unsigned refusal)
{
    struct arena *arena = arena_new();
    struct http_response response = {
        .status = MHD_HTTP_OK,
        .content_type = "text/plain; charset=utf-8",
    };
    struct http_request request = {
        .arena = arena,
        .object = self->object,
        .path = path,
        .rest = "",
        .connection = connection,
    };

    if (refusal == MHD_HTTP_METHOD_NOT_ALLOWED) {
        answer_text(&response, refusal, "only GET and HEAD are answered here\n");
    } else if (refusal != 0) {
        answer_text(&response, refusal, "a request has no body here\n");
    } else {
        handle(self, &request, &response);
    }
    return send_response(connection, arena, &response);
}

/* MHD calls it when the headers are there, and again when all of the request is.  An answer at the
 * first makes it close the connection, unread; so only refusals are given there. */
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **ret_seen)
{
    static char seen;

    (void)version;
    (void)upload;
    (void)upload_size;
    if (*ret_seen == &seen) {
        return answer(data, connection, path, 0);
    }
    *ret_seen = &seen;
    if (!is_get(method)) {
        return answer(data, connection, path, MHD_HTTP_METHOD_NOT_ALLOWED);
    }
    if (has_body(connection)) {
        return answer(data, connection, path, MHD_HTTP_CONTENT_TOO_LARGE);
    }
    return MHD_YES;
}

const char *http_query(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* ---- Starting and stopping ---- */

/* What a stranger sends is no event of ours: without this MHD tells standard error of each. */
static void say_nothing(void *data, const char *format, va_list args)
{
    (void)data;
    (void)format;
    (void)args;
}

static status parse_address(struct arena *arena, const struct http_server_options *options,
                            struct sockaddr_storage *ret_address, bool *ret_is_ipv6)
{
    const char *text = options->address == NULL ? "127.0.0.1" : options->address;
    struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;

    memset(ret_address, 0, sizeof *ret_address);
    *ret_is_ipv6 = inet_pton(AF_INET6, text, &six->sin6_addr) == 1;
    if (*ret_is_ipv6) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(options->port);
        return status_ok();
    }
    four->sin_family = AF_INET;
    four->sin_port = htons(options->port);
    if (inet_pton(AF_INET, text, &four->sin_addr) != 1) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "'%s' is no numeric IP address", text);
    }
    return status_ok();
}

static struct MHD_Daemon *start(struct http_server *self, const struct sockaddr_storage *address,
                                bool is_ipv6, unsigned timeout_s)
{
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem limits[] = {
        { MHD_OPTION_CONNECTION_LIMIT, HTTP_MAX_CONNECTIONS, NULL },
        { MHD_OPTION_CONNECTION_TIMEOUT, timeout_s, NULL },
        { MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_MAX_HEAD, NULL },
        { MHD_OPTION_END, 0, NULL },
    };

    /* The logger comes first, for it is asked to log what is wrong with the options after it; the
     * port is the address's. */
    return MHD_start_daemon(flags | (is_ipv6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL, on_request, self,
                            MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL, MHD_OPTION_SOCK_ADDR,
                            (const struct sockaddr *)address, MHD_OPTION_ARRAY, limits,
                            MHD_OPTION_END);
}

status http_server_new(struct arena *arena, const struct http_server_options *options,
                       struct http_server **ret_server)
{
    struct sockaddr_storage address;
    bool is_ipv6;

    TRY(parse_address(arena, options, &address, &is_ipv6));
    struct http_server *self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort(); /* out of memory, when the process starts */
    }
    self->routes = options->routes;
    self->n_routes = options->n_routes;
    self->object = options->object;
    errno = 0;
    self->daemon = start(self, &address, is_ipv6,
                         options->timeout_s == 0 ? HTTP_TIMEOUT_S : options->timeout_s);
    if (self->daemon == NULL) {
        free(self);
        return status_error(arena, STATUS_UNAVAILABLE, "cannot listen on %s port %u: %s",
                            options->address == NULL ? "127.0.0.1" : options->address,
                            options->port, strerror(errno));
    }
    self->port = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    *ret_server = self;
    return status_ok();
}

void http_server_free(struct http_server *self)
{
    if (self == NULL) {
        return;
    }
    MHD_stop_daemon(self->daemon);
    free(self);
}

uint16_t http_server_port(const struct http_server *self)
{
    return self->port;
}
