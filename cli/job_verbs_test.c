#include "cli/session.h"
#include "cli/testing/fake_scheduler.h"
#include "cli/verbs.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/loopback_peer.h"
#include "libs/testing/temp_folder.h"
#include "weft/auth/v1/auth_service.pb-c.h"

#include <stdio.h>
#include <string.h>

/* The part of auth that gives tokens for keys; a test says when it does not any more. */
struct fake_auth {
    int n_exchanged;
    int max_exchanged;
};

static status exchange_api_key(struct call *call,
                               const Weft__Auth__V1__ExchangeApiKeyRequest *request,
                               Weft__Auth__V1__ExchangeApiKeyResponse *response)
{
    struct fake_auth *self = call->service;

    assert_string_equal(request->secret, "a key");
    if (self->n_exchanged == self->max_exchanged) {
        return status_error(call->arena, STATUS_UNAUTHENTICATED, "the key was revoked");
    }
    self->n_exchanged++;
    response->token = arena_printf(call->arena, "token %d", self->n_exchanged);
    return status_ok();
}

#define METHODS(X) X(Weft__Auth__V1__, ExchangeApiKey, WORKER, exchange_api_key)
SERVICE_DEFINE(fake_auth_methods, weft__auth__v1__auth_service__descriptor, METHODS);

struct fixture {
    struct arena *arena;
    struct fake_scheduler scheduler;
    struct fake_auth auth;
    struct loopback_peer auth_peer;
    FILE *nowhere;
    struct invocation invocation;
};

static struct peer *find(void *data, const char *service)
{
    struct fixture *f = data;

    return strcmp(service, "auth") == 0 ? &f->auth_peer.peer : f->scheduler.peer;
}

static int set_up(void **state)
{
    static char project[] = "debian", job[] = "job-1";
    static char *words[] = { project, job };
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    assert_int_equal(setenv("WEFT_API_KEY", "a key", 1), 0);
    f->arena = arena_new();
    f->nowhere = fopen("/dev/null", "we");
    assert_non_null(f->nowhere);
    fake_scheduler_start(&f->scheduler, f->arena, temp_folder(f->arena));
    f->auth.max_exchanged = 10;
    loopback_peer_init(&f->auth_peer, &fake_auth_methods, &f->auth);
    f->invocation = (struct invocation){
        .arena = f->arena,
        .arguments = arguments_new(f->arena, 2, words),
        .output = output_new(&(struct output_options){ .out = f->nowhere, .errors = f->nowhere }),
        .session = session_new(&(struct session_options){ .find = find, .data = f, .token = "" }),
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    session_free(f->invocation.session);
    output_free(f->invocation.output);
    fake_scheduler_stop(&f->scheduler);
    (void)fclose(f->nowhere);
    arena_free(f->arena);
    free(f);
    return 0;
}

static status watch(struct fixture *f)
{
    const struct verb *verb = job_verbs;

    while (strcmp(verb->name, "watch") != 0) {
        verb++;
    }
    return verb->run(&f->invocation);
}

static void a_watch_outlives_its_token(void **state)
{
    struct fixture *f = *state;

    f->scheduler.end_watches = 1;
    assert_status(watch(f), STATUS_OK);
    assert_int_equal(f->scheduler.n_watches, 2);
    assert_int_equal(f->auth.n_exchanged, 2);
}

static void a_watch_ends_with_its_key(void **state)
{
    struct fixture *f = *state;

    f->scheduler.end_watches = 2;
    f->auth.max_exchanged = 1;
    status s = watch(f);
    assert_status(s, STATUS_UNAUTHENTICATED);
    assert_string_equal(s.message, "the key was revoked");
    assert_int_equal(f->scheduler.n_watches, 1);
}

static void a_watch_that_is_refused_with_a_fresh_token_ends(void **state)
{
    struct fixture *f = *state;

    f->scheduler.end_watches = 100;
    assert_status(watch(f), STATUS_UNAUTHENTICATED);
    assert_int_equal(f->scheduler.n_watches, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_watch_outlives_its_token),
        TEST(a_watch_ends_with_its_key),
        TEST(a_watch_that_is_refused_with_a_fresh_token_ends),
    };

    return cmocka_run_group_tests_name("job_verbs", tests, NULL, NULL);
}
