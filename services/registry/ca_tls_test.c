/* What the authority signs is what gRPC's TLS believes: members reach each other, nobody else
 * reaches them, and each knows the other's name. */

#include "libs/base/text.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"
#include "libs/peers/health_peer.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/guard.h"
#include "libs/rpc/server.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/temp_folder.h"
#include "libs/testing/test_call.h"
#include "services/registry/ca.h"

#include <stdio.h>
#include <string.h>

/* A mesh with an authority of its own, and its files in a folder. */
struct mesh {
    const char *folder;
    const char *trust_file;
    struct disk_files files;
    struct store *store;
    struct ca *ca;
};

/* Notes who calls. */
struct noting_guard {
    struct guard guard;
    char peer_id[256];
};

struct fixture {
    struct call call;
    struct fake_clock clock; /* of the authorities; the machine's time at first, as TLS has it */
    struct mesh ours, other;
    struct noting_guard guard;
    struct runtime *runtime;
    struct server *server; /* search, of ours */
};

static status note_caller(struct guard *guard, struct call *call)
{
    struct noting_guard *self = (struct noting_guard *)guard;

    (void)snprintf(self->peer_id, sizeof self->peer_id, "%s", call->peer_id);
    return status_ok();
}

static status let_go(struct guard *guard, struct call *call, const struct rpc *rpc, status why)
{
    (void)guard;
    (void)call;
    (void)rpc;
    (void)why;
    return status_ok();
}

static const struct guard_ops noting = {
    .authenticate = note_caller,
    .authorise = guard_permit_all,
    .refused = let_go,
};

/* ---- A mesh and its members ---- */

static void set_up_mesh(struct fixture *f, struct mesh *mesh)
{
    struct arena *arena = f->call.arena;
    const char *trust = NULL;

    mesh->folder = temp_folder(arena);
    assert_status(disk_files_init(&mesh->files, arena, mesh->folder), STATUS_OK);
    assert_status(store_open(arena, ":memory:", &mesh->store), STATUS_OK);
    const struct ca_options options = {
        .files = &mesh->files.files,
        .store = mesh->store,
        .clock = &f->clock.clock,
        .random = &system_random,
        .trust_domain = "weft",
    };
    assert_status(ca_open(arena, &options, &mesh->ca), STATUS_OK);
    assert_status(x509_to_pem(arena, ca_bundle(mesh->ca, arena), &trust), STATUS_OK);
    assert_status(files_replace(&mesh->files.files, arena, "trust.pem", bytes_of(trust)),
                  STATUS_OK);
    mesh->trust_file = arena_printf(arena, "%s/trust.pem", mesh->folder);
}

static void tear_down_mesh(struct mesh *mesh)
{
    ca_close(mesh->ca);
    store_close(mesh->store);
    disk_files_reset(&mesh->files);
}

/* The file of a member, as its agent would write it: key, certificate and chain in one. */
static const char *member_file(struct fixture *f, struct mesh *mesh, const char *name)
{
    struct arena *arena = f->call.arena;
    struct store_write *write = store_write_new(arena);
    struct p256_key *key = p256_key_generate(&system_random);
    struct ca_workload workload = {
        .spiffe_id = arena_printf(arena, "spiffe://weft/%s", name),
        .dns_names = &name,
        .n_dns_names = 1,
    };
    struct ca_svid svid;
    const char *chain = NULL;

    assert_status(x509_make_request(arena, &system_random, key, &workload.csr), STATUS_OK);
    assert_status(ca_sign_workload(mesh->ca, arena, write, &workload, &svid), STATUS_OK);
    assert_status(store_commit(mesh->store, arena, write), STATUS_OK);
    assert_status(x509_to_pem(arena, svid.chain, &chain), STATUS_OK);
    const char *pem = arena_printf(arena, "%s%s", p256_key_pem(key, arena), chain);
    assert_status(files_replace(&mesh->files.files, arena, name, bytes_of(pem)), STATUS_OK);
    p256_key_free(key);
    return arena_printf(arena, "%s/%s", mesh->folder, name);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->call = test_call();
    f->call.deadline_us = clock_monotonic_us(&system_clock) + 20000000;
    f->guard.guard.ops = &noting;
    fake_clock_init(&f->clock, clock_wall_ms(&system_clock));
    set_up_mesh(f, &f->ours);
    set_up_mesh(f, &f->other);
    f->runtime = runtime_start(&(struct runtime_options){ .clock = NULL });
    f->server = server_new(&(struct server_options){
        .address = "127.0.0.1:0",
        .svid_file = member_file(f, &f->ours, "search"),
        .trust_file = f->ours.trust_file,
        .guard = &f->guard.guard,
        .n_queues = 1,
        .n_workers = 1,
    });
    assert_status(server_start(f->server, f->call.arena), STATUS_OK);
    server_set_serving(f->server, true);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    server_stop(f->server, 0);
    server_free(f->server);
    runtime_stop(f->runtime);
    tear_down_mesh(&f->ours);
    tear_down_mesh(&f->other);
    arena_free(f->call.arena);
    free(f);
    return 0;
}

/* One call to the server, over a new channel. */
static status ask(struct fixture *f, struct channel_options options)
{
    const Grpc__Health__V1__HealthCheckResponse *response;
    Grpc__Health__V1__HealthCheckRequest request;

    grpc__health__v1__health_check_request__init(&request);
    options.target = server_address(f->server);
    struct channel *channel = channel_new(f->runtime, &options);
    status s = health_peer_check(channel_peer(channel), &f->call, &request, &response);
    channel_free(channel);
    return s;
}

static void members_reach_each_other_by_name(void **state)
{
    struct fixture *f = *state;

    assert_status(ask(f,
                      (struct channel_options){
                          .svid_file = member_file(f, &f->ours, "scheduler"),
                          .trust_file = f->ours.trust_file,
                          .server_id = "spiffe://weft/search",
                      }),
                  STATUS_OK);
    assert_string_equal(f->guard.peer_id, "spiffe://weft/scheduler");
}

static void another_member_is_not_taken_for_the_one_meant(void **state)
{
    struct fixture *f = *state;
    status s = ask(f, (struct channel_options){
                          .svid_file = member_file(f, &f->ours, "scheduler"),
                          .trust_file = f->ours.trust_file,
                          .server_id = "spiffe://weft/audit",
                      });

    assert_status(s, STATUS_UNAVAILABLE);
    assert_non_null(strstr(s.message, "the server is 'spiffe://weft/search'"));
    assert_string_equal(f->guard.peer_id, "");
}

/* Of the same trust domain, but by an authority that nobody here trusts. */
static void a_stranger_does_not_get_in(void **state)
{
    struct fixture *f = *state;

    assert_status(ask(f,
                      (struct channel_options){
                          .svid_file = member_file(f, &f->other, "scheduler"),
                          .trust_file = f->ours.trust_file,
                          .server_id = "spiffe://weft/search",
                      }),
                  STATUS_UNAVAILABLE);
    assert_status(ask(f,
                      (struct channel_options){
                          .trust_file = f->ours.trust_file,
                          .server_id = "spiffe://weft/search",
                          .show_no_certificate = true,
                      }),
                  STATUS_UNAVAILABLE);
    assert_string_equal(f->guard.peer_id, "");
}

static void a_member_does_not_talk_to_a_stranger(void **state)
{
    struct fixture *f = *state;

    assert_status(ask(f,
                      (struct channel_options){
                          .svid_file = member_file(f, &f->ours, "scheduler"),
                          .trust_file = f->other.trust_file,
                          .server_id = "spiffe://weft/search",
                      }),
                  STATUS_UNAVAILABLE);
}

/* A mesh three days back in time: the authority is still good, and what it signed is not.  The
 * same with what it signs now gets in, so it is the end that matters. */
static void an_svid_opens_nothing_after_its_end(void **state)
{
    struct fixture *f = *state;
    struct mesh old = { .folder = NULL };
    struct server *search = f->server;

    f->clock.wall_ms -= 3 * CA_DAY_MS;
    set_up_mesh(f, &old);
    const char *expired = member_file(f, &old, "expired");
    f->clock.wall_ms += 3 * CA_DAY_MS;
    f->server = server_new(&(struct server_options){
        .address = "127.0.0.1:0",
        .svid_file = member_file(f, &old, "audit"),
        .trust_file = old.trust_file,
        .n_queues = 1,
        .n_workers = 1,
    });
    assert_status(server_start(f->server, f->call.arena), STATUS_OK);
    struct channel_options options = { .trust_file = old.trust_file,
                                       .server_id = "spiffe://weft/audit" };
    options.svid_file = expired;
    assert_status(ask(f, options), STATUS_UNAVAILABLE);
    options.svid_file = member_file(f, &old, "fresh");
    assert_status(ask(f, options), STATUS_OK);
    server_stop(f->server, 0);
    server_free(f->server);
    f->server = search;
    tear_down_mesh(&old);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_reach_each_other_by_name),
        TEST(another_member_is_not_taken_for_the_one_meant),
        TEST(a_stranger_does_not_get_in),
        TEST(a_member_does_not_talk_to_a_stranger),
        TEST(an_svid_opens_nothing_after_its_end),
    };

    return cmocka_run_group_tests_name("ca_tls", tests, NULL, NULL);
}
