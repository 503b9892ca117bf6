#include "libs/audit/sender.h"

#include "libs/rpc/service.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/loopback_peer.h"
#include "weft/audit/v1/audit_service.pb-c.h"

#include <inttypes.h>

/* ---- An audit service that notes what it gets ---- */

struct notes {
    size_t n_forgotten; /* of each batch; an answer that cannot be */
    const char *last;
    int64_t deadline_us;
};

static status append_events(struct call *call, const Weft__Audit__V1__AppendEventsRequest *request,
                            Weft__Audit__V1__AppendEventsResponse *response)
{
    struct notes *self = call->service;

    for (size_t i = 0; i < request->n_events; i++) {
        const Weft__Audit__V1__Event *event = request->events[i];
        if (event->action[0] == '\0') {
            return status_error(call->arena, STATUS_INVALID_ARGUMENT, "action is empty");
        }
        self->last =
            arena_printf(call->arena, "%s %" PRId64 ".%09d %s %s %s %s %d %s %s %s %zu %s=%s",
                         event->event_id, event->time->seconds, event->time->nanos,
                         event->tenant_id, event->actor, event->action, event->target,
                         (int)event->outcome, event->trace_id, event->service, event->data_subject,
                         event->n_details, event->n_details > 0 ? event->details[0]->key : "",
                         event->n_details > 0 ? event->details[0]->value : "");
    }
    self->deadline_us = call->deadline_us;
    response->n_indices = request->n_events - self->n_forgotten;
    response->indices = ARENA_NEW_ARRAY(call->arena, int64_t, response->n_indices);
    return status_ok();
}

#define METHODS(X) X(Weft__Audit__V1__, AppendEvents, WORKER, append_events)
SERVICE_DEFINE(notes_methods, weft__audit__v1__audit_service__descriptor, METHODS);

/* ---- Tests ---- */

static const struct audit_event events[] = {
    {
        .event_id = "01hf0000000000000000000000",
        .time_ms = 1700000000123,
        .tenant_id = "acme",
        .subject = "user:ada",
        .action = "tenant.create",
        .target = "tenant:acme",
        .outcome = AUDIT_DENIED,
        .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
        .data_subject = "user:bob",
        .details = (const struct audit_detail[]){ { "plan", "free" } },
        .n_details = 1,
    },
    {
        .event_id = "",
        .tenant_id = "",
        .subject = "",
        .action = "",
        .target = "",
        .trace_id = "",
        .data_subject = "",
    },
};

struct fixture {
    struct notes notes;
    struct loopback_peer loopback;
    struct fake_clock clock;
    struct audit_sender sender;
    struct arena *arena;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    loopback_peer_init(&f.loopback, &notes_methods, &f.notes);
    fake_clock_init(&f.clock, 0);
    audit_sender_init(&f.sender, &f.loopback.peer, &f.clock.clock, "tenant");
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    return 0;
}

static status send_some(struct fixture *f, size_t n)
{
    return f->sender.sink.ops->send(&f->sender.sink, f->arena, events, n);
}

static void an_event_arrives_whole(void **state)
{
    struct fixture *f = *state;

    assert_status(send_some(f, 1), STATUS_OK);
    assert_string_equal(f->notes.last,
                        "01hf0000000000000000000000 1700000000.123000000 acme user:ada"
                        " tenant.create tenant:acme 2 4bf92f3577b34da6a3ce929d0e0e4736 tenant"
                        " user:bob 1 plan=free");
    assert_true(f->notes.deadline_us == f->clock.monotonic_us + SENDER_TIMEOUT_MS * INT64_C(1000));
}

static void what_the_service_says_is_said(void **state)
{
    struct fixture *f = *state;

    assert_status(send_some(f, 2), STATUS_INVALID_ARGUMENT);
    f->loopback.fail_with = STATUS_UNAVAILABLE;
    assert_status(send_some(f, 1), STATUS_UNAVAILABLE);
}

static void an_answer_for_too_few_is_none(void **state)
{
    struct fixture *f = *state;

    f->notes.n_forgotten = 1;
    assert_status(send_some(f, 1), STATUS_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_arrives_whole),
        TEST(what_the_service_says_is_said),
        TEST(an_answer_for_too_few_is_none),
    };

    return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
