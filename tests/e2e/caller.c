/* A client of the mesh, for tests that look at it from outside: joins by whatever identity the
 * agent gives it and says on standard output, a line each, what happened.
 *
 *     caller call SERVICE COUNT      TenantService/CheckTenantId at SERVICE, every 10 ms
 *     caller watch SERVICE           TenantService/WatchTenants, to its end
 *
 *     joined spiffe://weft.local/cli
 *     OK 3 ms
 *     UNAVAILABLE 7 ms: no such service ...
 */

#include "libs/mesh/mesh.h"
#include "libs/peers/tenant_peer.h"
#include "libs/rpc/message.h"
#include "libs/rpc/pipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { CALL_EVERY_MS = 10 };

static void say_result(status s, int64_t took_ms)
{
    (void)printf("%s %lld ms%s%s\n", status_code_name(s.code), (long long)took_ms,
                 s.message[0] != '\0' ? ": " : "", s.message);
}

static void call_once(struct peer *peer)
{
    struct arena *arena = arena_new();
    struct call call = call_of_process(arena);
    Weft__Tenant__V1__CheckTenantIdRequest request;
    const Weft__Tenant__V1__CheckTenantIdResponse *response;
    int64_t started_ms = clock_monotonic_ms(&system_clock);

    weft__tenant__v1__check_tenant_id_request__init(&request);
    request.tenant_id = message_text("acme");
    status s = tenant_peer_check_tenant_id(peer, &call, &request, &response);
    say_result(s, clock_monotonic_ms(&system_clock) - started_ms);
    arena_free(arena);
}

static void call_often(struct peer *peer, long count)
{
    for (long i = 0; i < count; i++) {
        call_once(peer);
        (void)usleep(CALL_EVERY_MS * 1000);
    }
}

static status watch(struct peer *peer, struct arena *arena)
{
    struct call call = call_of_process(arena);
    Weft__Tenant__V1__WatchTenantsRequest request;
    const ProtobufCMessage *message;
    struct pipe *pipe;

    weft__tenant__v1__watch_tenants_request__init(&request);
    TRY(pipe_open(peer, &call, &weft__tenant__v1__tenant_service__descriptor, "WatchTenants",
                  &pipe));
    status s = pipe_send(pipe, arena, &request.base);
    pipe_finish(pipe);
    do {
        message = NULL;
        s = status_is_ok(s) ? pipe_receive(pipe, arena, -1, &message) : s;
        if (message != NULL) {
            const Weft__Tenant__V1__WatchTenantsResponse *response =
                (const Weft__Tenant__V1__WatchTenantsResponse *)message;
            (void)printf("%zu tenants%s\n", response->n_tenants,
                         response->synced ? ", synced" : "");
        }
    } while (message != NULL);
    pipe_free(pipe);
    return s;
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    struct config *config = config_new(arena);
    struct mesh_options options = mesh_options_read(config, "caller");
    int64_t timeout_ms = config_number(config, "CALLER_TIMEOUT_MS", 20000, 1, 600000);
    config_check_or_exit(config);
    if (argc < 3) {
        return EX_USAGE;
    }
    options.is_client = true;
    options.no_snapshot = true;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);

    struct mesh *mesh;
    status s = mesh_join(arena, &options, timeout_ms, &mesh);
    if (!status_is_ok(s)) {
        say_result(s, timeout_ms);
        arena_free(arena);
        return EX_UNAVAILABLE;
    }
    (void)printf("joined %s\n", mesh_spiffe_id(mesh));
    struct peer *peer = mesh_peer(mesh, argv[2]);
    if (strcmp(argv[1], "watch") == 0) {
        say_result(watch(peer, arena), 0);
    } else {
        call_often(peer, argc > 3 ? strtol(argv[3], NULL, 10) : 1);
    }
    mesh_free(mesh);
    arena_free(arena);
    return 0;
}
