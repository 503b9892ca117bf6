/* http_server - a small HTTP/1.1 server for pages that are made in memory.
 *
 * For what people, Prometheus and Kubernetes ask a service: metrics, health, traces.  It knows GET
 * and HEAD; routes are a table:
 *
 *     static const struct http_route routes[] = {
 *         { "/healthz", healthz },
 *         { "/traces/", trace },          ends in '/': everything below it
 *     };
 *
 * libmicrohttpd does the protocol, on one thread of its own.  Handlers run on that thread, one
 * after the other, so none may block.
 *
 * What a stranger can do to it is bounded: 64 connections, 10 s without a byte, 16 KiB of request
 * line and headers, and no request body at all.  It has neither TLS nor authentication: it is for
 * the loopback interface, and who has an account on the host may read its pages.
 */

#ifndef LIBS_HTTP_HTTP_SERVER_H_
#define LIBS_HTTP_HTTP_SERVER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_MAX_CONNECTIONS = 64, /* a scraper or two, a probe, and people: all keep one open */
    HTTP_TIMEOUT_S = 10,       /* Prometheus' own scrape timeout */
    HTTP_MAX_HEAD = 16 * 1024, /* of one connection; browsers send some 2 KiB of cookies */
};

struct http_request {
    struct arena *arena; /* lives until the response is sent */
    void *object;        /* the server's */
    const char *path;    /* decoded, without the query */
    const char *rest;    /* what comes after a route that ends in '/'; else "" */
    void *connection;    /* http_query()'s */
};

struct http_response {
    unsigned status;          /* 200 at first */
    const char *content_type; /* "text/plain; charset=utf-8" at first */
    bytes body;               /* in the request's arena, or constant */
};

typedef void http_handler(const struct http_request *request, struct http_response *response);

struct http_route {
    const char *path;
    http_handler *handle;
};

struct http_server_options {
    const char *address;             /* NULL means "127.0.0.1"; a numeric IPv4 or IPv6 address */
    uint16_t port;                   /* 0 means any that is free: http_server_port() */
    const struct http_route *routes; /* required; borrowed.  The first that fits answers */
    size_t n_routes;
    void *object;       /* borrowed; for the handlers */
    unsigned timeout_s; /* 0 means HTTP_TIMEOUT_S */
};

struct http_server;

/* Listens and answers from now on.  The caller owns the server: http_server_free().
 * INVALID_ARGUMENT: address is none.  UNAVAILABLE: it, or the port, cannot be had. */
status http_server_new(struct arena *arena, const struct http_server_options *options,
                       struct http_server **ret_server) NONNULL;
/* Waits for the request at hand, closes all connections.  NULL is allowed. */
void http_server_free(struct http_server *server);

/* Where it listens. */
uint16_t http_server_port(const struct http_server *server) NONNULL;

/* The value of ?name=value, or NULL; lives as long as the request. */
const char *http_query(const struct http_request *request, const char *name) NONNULL;

#endif
