#include "services/registry/housekeeping.h"

#include "libs/base/text.h"
#include "libs/mesh/identity.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "services/registry/policy_board.h"
#include "services/registry/registry_store.h"

#include <string.h>

enum { SETTLE_MS = 5000 };

struct fixture {
    struct arena *arena;
    struct fake_clock clock;
    struct seeded_random random;
    struct crash_files files;
    struct crash_files svid_files;
    struct failing_store store;
    struct ca *ca;
    struct entries *entries;
    struct catalogue *catalogue;
    struct xds_resources *resources;
    struct ads_service *ads;
    struct policy_board *board;
    struct leases *leases;
    struct founding founding;
    struct housekeeping_options options;
    struct housekeeping *housekeeping;
};

static void write_entries(struct fixture *f, const char *json)
{
    assert_status(files_replace(&f->files.files, f->arena, "entries.json", bytes_of(json)),
                  STATUS_OK);
}

static void make_authority(struct fixture *f)
{
    struct store *real;

    assert_status(store_open(f->arena, ":memory:", &real), STATUS_OK);
    assert_status(registry_store_migrate(real, f->arena), STATUS_OK);
    failing_store_init(&f->store, real);
    assert_status(ca_open(f->arena,
                          &(struct ca_options){ .files = &f->files.files,
                                                .store = &f->store.store,
                                                .clock = &f->clock.clock,
                                                .random = &f->random.source,
                                                .trust_domain = "weft" },
                          &f->ca),
                  STATUS_OK);
    f->founding = (struct founding){
        .files = &f->files.files,
        .svid_files = &f->svid_files.files,
        .ca = f->ca,
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .trust_domain = "weft",
    };
}

static void make_services(struct fixture *f)
{
    f->entries = entries_new("weft");
    f->catalogue = catalogue_new(&(struct catalogue_options){ .clock = &f->clock.clock });
    f->resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = f->catalogue,
        .clock = &f->clock.clock,
        .trust_domain = "weft",
        .settle_ms = SETTLE_MS,
    });
    f->ads = ads_service_new(&(struct ads_service_options){
        .catalogue = f->catalogue, .resources = f->resources, .trust_domain = "weft" });
    f->board = policy_board_new(&f->clock.clock);
    f->leases = leases_new(&(struct leases_options){
        .catalogue = f->catalogue,
        .ads = f->ads,
        .board = f->board,
        .clock = &f->clock.clock,
        .trust_domain = "weft",
    });
    f->options = (struct housekeeping_options){
        .store = &f->store.store,
        .catalogue = f->catalogue,
        .leases = f->leases,
        .ads = f->ads,
        .resources = f->resources,
        .ca = f->ca,
        .entries = f->entries,
        .entries_file = "entries.json",
        .founding = &f->founding,
        .clock = &f->clock.clock,
    };
    f->housekeeping = housekeeping_new(&f->options);
}

static void free_services(struct fixture *f)
{
    housekeeping_free(f->housekeeping);
    leases_free(f->leases);
    policy_board_free(f->board);
    ads_service_free(f->ads);
    xds_resources_free(f->resources);
    catalogue_free(f->catalogue);
    entries_free(f->entries);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    fake_clock_init(&f.clock, 1795000000000);
    seeded_random_init(&f.random, 7);
    crash_files_init(&f.files);
    crash_files_init(&f.svid_files);
    make_authority(&f);
    write_entries(&f, "[]");
    make_services(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    free_services(f);
    ca_close(f->ca);
    store_close(&f->store.store);
    crash_files_reset(&f->files);
    crash_files_reset(&f->svid_files);
    arena_free(f->arena);
    return 0;
}

static uint64_t add(struct fixture *f, const char *service)
{
    const struct instance instance = {
        .service = service,
        .id = "a",
        .endpoint = { "127.0.0.1", 1 },
        .locality = { "", "" },
        .spiffe_id = "",
        .version = "",
        .http_address = "",
    };
    uint64_t token = 0;

    assert_status(catalogue_register(f->catalogue, f->arena, &instance, &token), STATUS_OK);
    return token;
}

/* The SVID as it is in its file; "" when there is none. */
static const char *svid(struct fixture *f)
{
    bytes pem;
    status s = files_read(&f->svid_files.files, f->arena, IDENTITY_SVID_FILE, 65536, &pem);

    return status_is_ok(s) ? arena_printf(f->arena, "%.*s", (int)pem.size, (const char *)pem.data)
                           : "";
}

static void who_was_lost_is_removed_when_it_is_due(void **state)
{
    struct fixture *f = *state;
    uint64_t token = add(f, "tenant");

    assert_int_equal(housekeeping_step(f->housekeeping), 1000);
    catalogue_lose(f->catalogue, "tenant", "a", token);
    assert_int_equal(housekeeping_step(f->housekeeping), 50);
    fake_clock_advance_ms(&f->clock, 50);
    (void)housekeeping_step(f->housekeeping);
    assert_int_equal(catalogue_counts(f->catalogue).instances, 0);
}

static void names_outlive_the_process_and_are_awaited_by_the_next(void **state)
{
    struct fixture *f = *state;

    (void)add(f, "tenant");
    (void)housekeeping_step(f->housekeeping);
    free_services(f);
    make_services(f);
    assert_status(housekeeping_expect_services(&f->options, f->arena), STATUS_OK);
    assert_true(catalogue_awaits(f->catalogue, "tenant"));
    assert_false(catalogue_awaits(f->catalogue, "search"));
}

static void a_name_that_could_not_be_written_is_written_later(void **state)
{
    struct fixture *f = *state;
    const char *const *names;
    size_t n;

    (void)add(f, "tenant");
    f->store.fail_commit = 1;
    (void)housekeeping_step(f->housekeeping);
    (void)housekeeping_step(f->housekeeping);
    assert_status(registry_store_list_services(&f->store.store, f->arena, &names, &n), STATUS_OK);
    assert_int_equal(n, 1);
}

static void entries_are_read_again_each_second(void **state)
{
    struct fixture *f = *state;
    struct entry entry;

    assert_status(housekeeping_load_entries(&f->options, f->arena), STATUS_OK);
    (void)housekeeping_step(f->housekeeping);
    write_entries(f, "[{\"spiffe_id\":\"spiffe://weft/tenant\",\"uid\":1}]");
    (void)housekeeping_step(f->housekeeping);
    assert_false(entries_find(f->entries, f->arena, "spiffe://weft/tenant", &entry));
    fake_clock_advance_ms(&f->clock, 1000);
    (void)housekeeping_step(f->housekeeping);
    assert_true(entries_find(f->entries, f->arena, "spiffe://weft/tenant", &entry));
    write_entries(f, "damaged");
    fake_clock_advance_ms(&f->clock, 1000);
    (void)housekeeping_step(f->housekeeping);
    assert_true(entries_find(f->entries, f->arena, "spiffe://weft/tenant", &entry));
}

static void our_svid_is_renewed_after_8_hours(void **state)
{
    struct fixture *f = *state;

    assert_status(founding_issue_own_svid(&f->founding, f->arena), STATUS_OK);
    const char *first = svid(f);
    fake_clock_advance_ms(&f->clock, FOUNDING_RENEW_MS - 1000);
    (void)housekeeping_step(f->housekeeping);
    assert_string_equal(svid(f), first);
    fake_clock_advance_ms(&f->clock, 1000);
    f->store.fail_commit = 1;
    (void)housekeeping_step(f->housekeeping);
    assert_string_equal(svid(f), first);
    fake_clock_advance_ms(&f->clock, 1000);
    (void)housekeeping_step(f->housekeeping);
    assert_string_not_equal(svid(f), first);
}

static void a_clock_that_jumps_gets_a_new_svid_at_once(void **state)
{
    static const int64_t jumps_ms[] = { 3 * CA_DAY_MS, -CA_DAY_MS / 8 };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof jumps_ms / sizeof jumps_ms[0]; i++) {
        const char *before = svid(f);
        f->clock.wall_ms += jumps_ms[i];
        fake_clock_advance_ms(&f->clock, 1000);
        (void)housekeeping_step(f->housekeeping);
        assert_string_not_equal(svid(f), before);
        before = svid(f);
        fake_clock_advance_ms(&f->clock, 1000);
        (void)housekeeping_step(f->housekeeping);
        assert_string_equal(svid(f), before); /* once */
    }
}

static void a_new_authority_is_in_the_bundle_before_it_signs(void **state)
{
    struct fixture *f = *state;
    bytes before;
    bytes after;

    assert_status(founding_write_bundle(&f->founding, f->arena), STATUS_OK);
    assert_status(files_read(&f->files.files, f->arena, "bundle.pem", 65536, &before), STATUS_OK);
    uint64_t revision = entries_revision(f->entries);
    fake_clock_advance_ms(&f->clock, CA_LIFETIME_MS - 30 * CA_DAY_MS);
    (void)housekeeping_step(f->housekeeping);
    assert_status(files_read(&f->files.files, f->arena, "bundle.pem", 65536, &after), STATUS_OK);
    assert_true(after.size > before.size);
    assert_true(entries_revision(f->entries) > revision); /* agents are told */
}

static void the_thread_ends_when_it_is_told(void **state)
{
    struct fixture *f = *state;

    housekeeping_start(f->housekeeping);
    housekeeping_nudge(f->housekeeping);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_was_lost_is_removed_when_it_is_due),
        TEST(names_outlive_the_process_and_are_awaited_by_the_next),
        TEST(a_name_that_could_not_be_written_is_written_later),
        TEST(entries_are_read_again_each_second),
        TEST(our_svid_is_renewed_after_8_hours),
        TEST(a_clock_that_jumps_gets_a_new_svid_at_once),
        TEST(a_new_authority_is_in_the_bundle_before_it_signs),
        TEST(the_thread_ends_when_it_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
