#include "services/registry/catalogue.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"

#include <string.h>

struct fixture {
    struct fake_clock clock;
    struct catalogue *catalogue;
    struct arena *arena;
    struct watcher watcher;
    int wakes;
};

static void count_wake(void *object)
{
    struct fixture *f = object;

    f->wakes++;
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    fake_clock_init(&f.clock, 1700000000000);
    f.catalogue = catalogue_new(&(struct catalogue_options){ .clock = &f.clock.clock });
    f.watcher = (struct watcher){ .wake = count_wake, .object = &f };
    catalogue_watch(f.catalogue, &f.watcher);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    catalogue_unwatch(f->catalogue, &f->watcher);
    catalogue_free(f->catalogue);
    arena_free(f->arena);
    return 0;
}

static struct instance make(const char *service, const char *id, uint16_t port)
{
    return (struct instance){
        .service = service,
        .id = id,
        .endpoint = { .address = "127.0.0.1", .port = port },
        .locality = { "", "" },
        .spiffe_id = "spiffe://weft/x",
        .version = "1",
        .http_address = "",
    };
}

static uint64_t add(struct fixture *f, const char *service, const char *id, uint16_t port)
{
    const struct instance instance = make(service, id, port);
    uint64_t token = 0;

    assert_status(catalogue_register(f->catalogue, f->arena, &instance, &token), STATUS_OK);
    return token;
}

/* The ids of a service's instances, "a b c". */
static const char *ids(struct fixture *f, const char *name)
{
    struct catalogue_service service = catalogue_get(f->catalogue, f->arena, name);
    const char *all = "";

    for (size_t i = 0; i < service.n_instances; i++) {
        all = arena_printf(f->arena, "%s%s%s", all, i > 0 ? " " : "", service.instances[i].id);
    }
    return all;
}

static void a_registered_instance_is_there_until_it_deregisters(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant", "b", 2);
    uint64_t token = add(f, "tenant", "a", 1);
    (void)add(f, "tenant", "c", 3);
    assert_string_equal(ids(f, "tenant"), "a b c");
    catalogue_deregister(f->catalogue, "tenant", "a", token);
    assert_string_equal(ids(f, "tenant"), "b c");
    assert_int_equal(f->wakes, 4);
}

static void what_is_not_well_formed_is_refused_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct instance instance = make("tenant", "A", 1);
    uint64_t token;

    assert_status(catalogue_register(f->catalogue, f->arena, &instance, &token),
                  STATUS_INVALID_ARGUMENT);
    assert_int_equal(catalogue_service_revision(f->catalogue, "tenant"), 0);
    assert_int_equal(f->wakes, 0);
}

static void the_same_instance_supersedes_its_former_lease(void **state)
{
    struct fixture *f = *state;
    uint64_t old = add(f, "tenant", "a", 1);
    uint64_t new = add(f, "tenant", "a", 2);

    assert_true(new > old);
    assert_string_equal(ids(f, "tenant"), "a");
    assert_status(
        catalogue_set_health(f->catalogue, f->arena, "tenant", "a", old, INSTANCE_DRAINING),
        STATUS_ABORTED);
    catalogue_deregister(f->catalogue, "tenant", "a", old);
    catalogue_lose(f->catalogue, "tenant", "a", old);
    fake_clock_advance_ms(&f->clock, 60000);
    assert_int_equal(catalogue_step(f->catalogue), -1);
    assert_string_equal(ids(f, "tenant"), "a");
    assert_status(
        catalogue_set_health(f->catalogue, f->arena, "tenant", "a", new, INSTANCE_DRAINING),
        STATUS_OK);
}

static void a_successor_at_the_same_address_supersedes_too(void **state)
{
    struct fixture *f = *state;
    uint64_t old = add(f, "tenant", "before", 1);

    (void)add(f, "tenant", "elsewhere", 2);
    (void)add(f, "search", "other", 1); /* another service cannot push it out */
    assert_string_equal(ids(f, "tenant"), "before elsewhere");
    (void)add(f, "tenant", "after", 1);
    assert_string_equal(ids(f, "tenant"), "after elsewhere");
    assert_status(
        catalogue_set_health(f->catalogue, f->arena, "tenant", "before", old, INSTANCE_HEALTHY),
        STATUS_ABORTED);
}

static void a_lost_instance_goes_after_its_grace_and_not_before(void **state)
{
    struct fixture *f = *state;
    uint64_t token = add(f, "tenant", "a", 1);
    uint64_t revision = catalogue_service_revision(f->catalogue, "tenant");

    catalogue_lose(f->catalogue, "tenant", "a", token);
    assert_int_equal(catalogue_step(f->catalogue), 50);
    fake_clock_advance_ms(&f->clock, 49);
    assert_int_equal(catalogue_step(f->catalogue), 1);
    assert_string_equal(ids(f, "tenant"), "a");
    assert_int_equal(f->wakes, 1);
    fake_clock_advance_ms(&f->clock, 1);
    assert_int_equal(catalogue_step(f->catalogue), -1);
    assert_string_equal(ids(f, "tenant"), "");
    assert_int_equal(f->wakes, 2);
    /* Known still, and changed. */
    assert_true(catalogue_service_revision(f->catalogue, "tenant") > revision);
}

static void one_that_comes_back_within_its_grace_stays(void **state)
{
    struct fixture *f = *state;
    uint64_t token = add(f, "tenant", "a", 1);

    catalogue_lose(f->catalogue, "tenant", "a", token);
    fake_clock_advance_ms(&f->clock, 40);
    (void)add(f, "tenant", "a", 1);
    fake_clock_advance_ms(&f->clock, 5000);
    assert_int_equal(catalogue_step(f->catalogue), -1);
    assert_string_equal(ids(f, "tenant"), "a");
}

/* Registers n of service and loses the first n_lost of them. */
static void add_and_lose(struct fixture *f, const char *service, unsigned n, unsigned n_lost)
{
    for (unsigned i = 0; i < n; i++) {
        const char *id = arena_printf(f->arena, "i%04u", i);
        uint64_t token = add(f, service, id, (uint16_t)(1000 + i));
        if (i < n_lost) {
            catalogue_lose(f->catalogue, service, id, token);
        }
    }
}

static void when_too_many_vanish_at_once_none_is_removed_for_five_minutes(void **state)
{
    struct fixture *f = *state;

    add_and_lose(f, "worker", 50, 8);
    fake_clock_advance_ms(&f->clock, 100);
    assert_int_equal(catalogue_step(f->catalogue), 10000);
    struct catalogue_counts counts = catalogue_counts(f->catalogue);
    assert_int_equal(counts.instances, 50);
    assert_int_equal(counts.lost, 8);
    assert_true(counts.preserving);
    fake_clock_advance_ms(&f->clock, 5 * 60 * 1000 - 101);
    assert_int_equal(catalogue_step(f->catalogue), 1);
    fake_clock_advance_ms(&f->clock, 1);
    assert_int_equal(catalogue_step(f->catalogue), -1);
    assert_int_equal(catalogue_counts(f->catalogue).instances, 42);
}

static void those_that_vanish_one_after_the_other_count_together(void **state)
{
    struct fixture *f = *state;

    add_and_lose(f, "steady", 30, 0);
    for (unsigned i = 0; i < 20; i++) {
        add_and_lose(f, arena_printf(f->arena, "s%u", i), 1, 1);
        fake_clock_advance_ms(&f->clock, 100);
        (void)catalogue_step(f->catalogue);
    }
    assert_true(catalogue_counts(f->catalogue).preserving);
    assert_int_equal(catalogue_counts(f->catalogue).instances, 43); /* 7 went before it showed */
    fake_clock_advance_ms(&f->clock, 10000);
    (void)catalogue_step(f->catalogue);
    assert_int_equal(catalogue_counts(f->catalogue).instances, 43); /* 13 are lost still */
}

static void when_enough_of_them_return_the_others_are_removed(void **state)
{
    struct fixture *f = *state;

    add_and_lose(f, "worker", 50, 8);
    fake_clock_advance_ms(&f->clock, 100);
    (void)catalogue_step(f->catalogue);
    (void)add(f, "worker", "i0003", 1003);
    assert_int_equal(catalogue_step(f->catalogue), -1);
    assert_int_equal(catalogue_counts(f->catalogue).instances, 43);
}

static void few_or_a_small_share_are_removed_at_once(void **state)
{
    static const struct {
        unsigned n;
        unsigned n_lost;
    } cases[] = { { 7, 7 }, { 6, 1 }, { 100, 15 } };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        add_and_lose(f, "worker", cases[i].n, cases[i].n_lost);
        fake_clock_advance_ms(&f->clock, 50);
        (void)catalogue_step(f->catalogue);
        assert_int_equal(catalogue_counts(f->catalogue).instances, cases[i].n - cases[i].n_lost);
        assert_int_equal(catalogue_counts(f->catalogue).lost, 0);
        fake_clock_advance_ms(&f->clock, 10000);
    }
}

static void health_is_a_change_only_when_it_differs(void **state)
{
    struct fixture *f = *state;
    uint64_t token = add(f, "tenant", "a", 1);
    uint64_t revision = catalogue_revision(f->catalogue);

    assert_status(
        catalogue_set_health(f->catalogue, f->arena, "tenant", "a", token, INSTANCE_HEALTHY),
        STATUS_OK);
    assert_int_equal(catalogue_revision(f->catalogue), revision);
    assert_status(
        catalogue_set_health(f->catalogue, f->arena, "tenant", "a", token, INSTANCE_DRAINING),
        STATUS_OK);
    assert_int_equal(catalogue_revision(f->catalogue), revision + 1);
    assert_int_equal(catalogue_get(f->catalogue, f->arena, "tenant").instances[0].health,
                     INSTANCE_DRAINING);
}

static void an_acknowledgement_is_seen_and_wakes_nobody(void **state)
{
    struct fixture *f = *state;
    uint64_t token = add(f, "tenant", "a", 1);

    assert_status(catalogue_acknowledge(f->catalogue, f->arena, "tenant", "a", token, 7),
                  STATUS_OK);
    assert_status(catalogue_acknowledge(f->catalogue, f->arena, "tenant", "a", token - 1, 8),
                  STATUS_ABORTED);
    struct catalogue_service service = catalogue_get(f->catalogue, f->arena, "tenant");
    assert_int_equal(service.instances[0].policy_revision, 7);
    assert_int_equal(service.instances[0].fencing_token, token);
    assert_int_equal(f->wakes, 1);
}

static void a_reader_gets_what_changed_since_its_revision(void **state)
{
    struct fixture *f = *state;
    const struct catalogue_service *services;
    size_t n;
    uint64_t seen;

    (void)add(f, "tenant", "a", 1);
    uint64_t token = add(f, "search", "a", 2);
    assert_status(catalogue_changes(f->catalogue, f->arena, 0, &services, &n, &seen), STATUS_OK);
    assert_int_equal(n, 2);
    assert_string_equal(services[0].name, "search");
    assert_string_equal(services[1].name, "tenant");
    catalogue_deregister(f->catalogue, "search", "a", token);
    assert_status(catalogue_changes(f->catalogue, f->arena, seen, &services, &n, &seen), STATUS_OK);
    assert_int_equal(n, 1);
    assert_string_equal(services[0].name, "search");
    assert_int_equal(services[0].n_instances, 0);
    assert_status(catalogue_changes(f->catalogue, f->arena, seen, &services, &n, &seen), STATUS_OK);
    assert_int_equal(n, 0);
}

static void a_revision_of_another_run_is_out_of_range(void **state)
{
    struct fixture *f = *state;
    const struct catalogue_service *services;
    size_t n;
    uint64_t seen;

    assert_status(catalogue_changes(f->catalogue, f->arena, 1699999999999, &services, &n, &seen),
                  STATUS_OUT_OF_RANGE);
    assert_status(catalogue_changes(f->catalogue, f->arena, catalogue_revision(f->catalogue) + 1,
                                    &services, &n, &seen),
                  STATUS_OUT_OF_RANGE);
}

static void a_full_service_refuses_one_more_but_not_a_successor(void **state)
{
    struct fixture *f = *state;
    const struct instance one_more = make("worker", "one-more", 9999);
    uint64_t token;

    add_and_lose(f, "worker", CATALOGUE_MAX_INSTANCES_PER_SERVICE, 0);
    assert_status(catalogue_register(f->catalogue, f->arena, &one_more, &token),
                  STATUS_RESOURCE_EXHAUSTED);
    (void)add(f, "worker", "i0000", 1000);
    (void)add(f, "tenant", "a", 1);
}

static void a_full_catalogue_refuses_a_new_service_or_instance(void **state)
{
    struct fixture *f = *state;
    const struct instance known = make("s0", "one-more", 9999);
    const struct instance unknown = make("unknown", "a", 1);
    uint64_t token;

    for (unsigned i = 0; i < CATALOGUE_MAX_SERVICES; i++) {
        const char *service = arena_printf(f->arena, "s%u", i);
        uint64_t lease = add(f, service, "a", 1);
        catalogue_deregister(f->catalogue, service, "a", lease);
    }
    assert_status(catalogue_register(f->catalogue, f->arena, &unknown, &token),
                  STATUS_RESOURCE_EXHAUSTED);
    for (unsigned i = 0; i < CATALOGUE_MAX_INSTANCES / CATALOGUE_MAX_INSTANCES_PER_SERVICE; i++) {
        add_and_lose(f, arena_printf(f->arena, "s%u", i + 1), CATALOGUE_MAX_INSTANCES_PER_SERVICE,
                     0);
    }
    assert_status(catalogue_register(f->catalogue, f->arena, &known, &token),
                  STATUS_RESOURCE_EXHAUSTED);
}

static void an_expected_service_is_known_and_awaited_until_it_registers(void **state)
{
    struct fixture *f = *state;

    assert_false(catalogue_awaits(f->catalogue, "tenant"));
    assert_status(catalogue_expect(f->catalogue, f->arena, "tenant"), STATUS_OK);
    assert_status(catalogue_expect(f->catalogue, f->arena, "Tenant"), STATUS_INVALID_ARGUMENT);
    assert_true(catalogue_awaits(f->catalogue, "tenant"));
    assert_true(catalogue_service_revision(f->catalogue, "tenant") > 0);
    assert_string_equal(ids(f, "tenant"), "");
    uint64_t token = add(f, "tenant", "a", 1);
    assert_false(catalogue_awaits(f->catalogue, "tenant"));
    catalogue_deregister(f->catalogue, "tenant", "a", token);
    assert_status(catalogue_expect(f->catalogue, f->arena, "tenant"), STATUS_OK);
    assert_false(catalogue_awaits(f->catalogue, "tenant"));
}

static void who_stopped_watching_is_not_woken(void **state)
{
    struct fixture *f = *state;
    struct watcher second = { .wake = count_wake, .object = f };

    catalogue_watch(f->catalogue, &second);
    (void)add(f, "tenant", "a", 1);
    assert_int_equal(f->wakes, 2);
    catalogue_unwatch(f->catalogue, &f->watcher);
    (void)add(f, "tenant", "b", 2);
    assert_int_equal(f->wakes, 3);
    catalogue_watch(f->catalogue, &f->watcher);
    catalogue_unwatch(f->catalogue, &second);
    (void)add(f, "tenant", "c", 3);
    assert_int_equal(f->wakes, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_registered_instance_is_there_until_it_deregisters),
        TEST(what_is_not_well_formed_is_refused_and_changes_nothing),
        TEST(the_same_instance_supersedes_its_former_lease),
        TEST(a_successor_at_the_same_address_supersedes_too),
        TEST(a_lost_instance_goes_after_its_grace_and_not_before),
        TEST(one_that_comes_back_within_its_grace_stays),
        TEST(when_too_many_vanish_at_once_none_is_removed_for_five_minutes),
        TEST(those_that_vanish_one_after_the_other_count_together),
        TEST(when_enough_of_them_return_the_others_are_removed),
        TEST(few_or_a_small_share_are_removed_at_once),
        TEST(health_is_a_change_only_when_it_differs),
        TEST(an_acknowledgement_is_seen_and_wakes_nobody),
        TEST(a_reader_gets_what_changed_since_its_revision),
        TEST(a_revision_of_another_run_is_out_of_range),
        TEST(a_full_service_refuses_one_more_but_not_a_successor),
        TEST(a_full_catalogue_refuses_a_new_service_or_instance),
        TEST(an_expected_service_is_known_and_awaited_until_it_registers),
        TEST(who_stopped_watching_is_not_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
