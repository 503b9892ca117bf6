#include "services/auth/auth_fixture.h"
#include "tests/isolation/world.h"
#include "weft/auth/v1/auth_service_descriptors.h"

static void reset(void *fixture)
{
    (void)auth_fixture_tear_down(&fixture);
}

/* The fixture has the two tenants. */
void world_add_auth(struct world *world)
{
    void *state = NULL;

    assert_int_equal(auth_fixture_set_up(&state), 0);
    struct auth_fixture *fixture = state;
    arena_defer(world->arena, reset, fixture);
    assert_status(create_account(fixture, "acme", "acme-robot", "publisher",
                                 "project:acme-project:data:read"),
                  STATUS_OK);
    assert_status(create_account(fixture, "bravo", "bravo-robot", "publisher",
                                 "project:bravo-project:data:read"),
                  STATUS_OK);
    assert_status(create_account(fixture, "acme", "acme-second", "publisher",
                                 "project:acme-project:data:read"),
                  STATUS_OK);
    (void)a_key(fixture, "acme", "acme-robot");
    world_add_id(world, "service_account_id", "acme-robot", "bravo-robot");
    world_add_id(world, "key_id", a_key(fixture, "acme", "acme-robot")->api_key->key_id,
                 a_key(fixture, "bravo", "bravo-robot")->api_key->key_id);
    world_add(world, &(struct world_service){ .service = &auth_service_methods,
                                              .object = fixture->service,
                                              .descriptors = auth_service_descriptors });
}
