/* Many threads at once: each makes keys, exchanges and revokes them, while an enforcement point
 * listens.  Mostly for ThreadSanitizer. */

#include "services/auth/auth_fixture.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 25 };

struct worker {
    struct auth_fixture f; /* a view of the same service, with a call of its own */
    const char *account;
    const char *token; /* of the last key, which is revoked */
};

static void *work(void *data)
{
    struct worker *self = data;
    const Weft__Auth__V1__RevokeApiKeyResponse *revoked;
    const char *none;

    for (int i = 0; i < ROUNDS; i++) {
        const Weft__Auth__V1__CreateApiKeyResponse *key = a_key(&self->f, "acme", self->account);
        assert_status(exchange(&self->f, key->secret, &self->token), STATUS_OK);
        assert_status(revoke(&self->f, "acme", key->api_key->key_id, &revoked), STATUS_OK);
        assert_status(exchange(&self->f, key->secret, &none), STATUS_UNAUTHENTICATED);
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    static const char *const accounts[THREADS] = { "first", "second", "third", "fourth" };
    struct auth_fixture *f = *state;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct point_double point;

    for (int i = 0; i < THREADS; i++) {
        assert_status(create_account(f, "acme", accounts[i], "", ""), STATUS_OK);
        workers[i] = (struct worker){ .f = *f, .account = accounts[i] };
        workers[i].f.call.arena = arena_new();
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        assert_status(auth_service_tick(f->service, f->call.arena), STATUS_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    point_double_init(&point, f, "search/1");
    point_double_take(&point, true);
    assert_int_equal(snapshot_revision(point.snapshot), feed_revision(f->feed));
    for (int i = 0; i < THREADS; i++) {
        assert_false(point_double_accepts(&point, f, workers[i].token));
        arena_free(workers[i].f.call.arena);
    }
    point_double_reset(&point);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_do_not_disturb_each_other, auth_fixture_set_up,
                                        auth_fixture_tear_down),
    };

    return cmocka_run_group_tests_name("auth_stress", tests, NULL, NULL);
}
