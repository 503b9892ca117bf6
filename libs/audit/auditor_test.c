#include "libs/audit/auditor.h"

#include "libs/audit/outbox.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/peers/audit_peer.h"
#include "libs/rpc/service.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/loopback_peer.h"
#include "libs/testing/test_call.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* An audit service that remembers what it was told. */
struct listener {
    pthread_mutex_t lock;
    pthread_cond_t heard;
    int n_events;
    char action[64], target[128], actor[64], tenant[64], service[64], reason[128];
    Weft__Audit__V1__Outcome outcome;
};

static void copy(char *into, size_t size, const char *text)
{
    (void)snprintf(into, size, "%s", text);
}

static status append_events(struct call *call, const Weft__Audit__V1__AppendEventsRequest *request,
                            Weft__Audit__V1__AppendEventsResponse *response)
{
    struct listener *self = call->service;

    (void)response;
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < request->n_events; i++) {
        const Weft__Audit__V1__Event *event = request->events[i];
        self->n_events++;
        copy(self->action, sizeof self->action, event->action);
        copy(self->target, sizeof self->target, event->target);
        copy(self->actor, sizeof self->actor, event->actor);
        copy(self->tenant, sizeof self->tenant, event->tenant_id);
        copy(self->service, sizeof self->service, event->service);
        copy(self->reason, sizeof self->reason,
             event->n_details > 1 ? event->details[1]->value : "");
        self->outcome = event->outcome;
    }
    pthread_cond_signal(&self->heard);
    pthread_mutex_unlock(&self->lock);
    return status_ok();
}

#define METHODS(X) X(Weft__Audit__V1__, AppendEvents, WORKER, append_events)
extern const struct service listener_methods;
SERVICE_DEFINE(listener_methods, weft__audit__v1__audit_service__descriptor, METHODS);

struct fixture {
    struct listener listener;
    struct loopback_peer loopback;
    struct crash_files files;
    struct store *store;
    struct call call;
    struct auditor *auditor;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .call = test_call() };
    pthread_mutex_init(&f.listener.lock, NULL);
    pthread_cond_init(&f.listener.heard, NULL);
    loopback_peer_init(&f.loopback, &listener_methods, &f.listener);
    crash_files_init(&f.files);
    assert_status(store_open(f.call.arena, ":memory:", &f.store), STATUS_OK);
    assert_status(auditor_open(f.call.arena,
                               &(struct auditor_options){ .peer = &f.loopback.peer,
                                                          .service = "scheduler",
                                                          .store = f.store,
                                                          .files = &f.files.files,
                                                          .clock = &system_clock,
                                                          .random = &system_random },
                               &f.auditor),
                  STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    auditor_close(f->auditor);
    store_close(f->store);
    crash_files_reset(&f->files);
    arena_free(f->call.arena);
    return 0;
}

static void wait_for_one(struct fixture *f)
{
    pthread_mutex_lock(&f->listener.lock);
    while (f->listener.n_events == 0) {
        pthread_cond_wait(&f->listener.heard, &f->listener.lock);
    }
    pthread_mutex_unlock(&f->listener.lock);
}

static void a_change_is_told_with_who_and_where(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->call.arena);

    write_audit(write, &f->call, "job.enqueue", "job:1", 1700000000123);
    assert_status(store_commit(f->store, f->call.arena, write), STATUS_OK);
    wait_for_one(f);
    assert_string_equal(f->listener.action, "job.enqueue");
    assert_string_equal(f->listener.target, "job:1");
    assert_string_equal(f->listener.actor, "user:ada");
    assert_string_equal(f->listener.service, "scheduler");
    assert_int_equal(f->listener.outcome, WEFT__AUDIT__V1__OUTCOME__OUTCOME_DONE);
}

static void a_denial_is_told_with_the_rpc_and_the_reason(void **state)
{
    struct fixture *f = *state;
    const struct rpc rpc = { .service = &weft__audit__v1__audit_service__descriptor,
                             .method = "AppendEvents" };

    assert_status(auditor_denied(f->auditor, &f->call, &rpc,
                                 status_error(f->call.arena, STATUS_PERMISSION_DENIED, "no")),
                  STATUS_OK);
    wait_for_one(f);
    assert_string_equal(f->listener.action, "rpc.denied");
    assert_string_equal(f->listener.target, "rpc:weft.audit.v1.AuditService/AppendEvents");
    assert_string_equal(f->listener.reason, "no");
    assert_int_equal(f->listener.outcome, WEFT__AUDIT__V1__OUTCOME__OUTCOME_DENIED);
}

static void a_denial_of_nobody_known_is_the_platforms(void **state)
{
    struct fixture *f = *state;
    const struct rpc rpc = { .service = &weft__audit__v1__audit_service__descriptor,
                             .method = "AppendEvents" };

    f->call.principal = &principal_anonymous;
    f->call.peer_id = "spiffe://weft.local/search";
    assert_status(auditor_denied(f->auditor, &f->call, &rpc,
                                 status_error(f->call.arena, STATUS_UNAUTHENTICATED, "no")),
                  STATUS_OK);
    wait_for_one(f);
    assert_string_equal(f->listener.tenant, PLATFORM_TENANT);
    assert_string_equal(f->listener.actor, "spiffe://weft.local/search");
}

static void a_denial_that_cannot_be_written_is_an_error(void **state)
{
    struct fixture *f = *state;
    const struct rpc rpc = { .service = &weft__audit__v1__audit_service__descriptor,
                             .method = "AppendEvents" };

    f->files.full = true;
    status s = auditor_denied(f->auditor, &f->call, &rpc,
                              status_error(f->call.arena, STATUS_PERMISSION_DENIED, "no"));
    assert_false(status_is_ok(s));
    f->files.full = false;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_is_told_with_who_and_where),
        TEST(a_denial_is_told_with_the_rpc_and_the_reason),
        TEST(a_denial_of_nobody_known_is_the_platforms),
        TEST(a_denial_that_cannot_be_written_is_an_error),
    };

    return cmocka_run_group_tests_name("auditor", tests, NULL, NULL);
}
