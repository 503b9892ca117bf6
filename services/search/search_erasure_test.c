#include "services/search/search_erasure.h"

#include "libs/audit/outbox.h"
#include "libs/base/text.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

#define ACTIVE    WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_ACTIVE
#define SUSPENDED WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_SUSPENDED
#define DELETED   WEFT__AUTH__V1__TENANT_STANDING__TENANT_STANDING_DELETED
#define OURSELVES "spiffe://weft.local/search"

static const struct schema_field fields[] = {
    { .name = "body", .kind = FIELD_TEXT, .weight = 1 },
};
static const struct search_schema schema = { .fields = fields, .n_fields = 1 };

/* An index and a database that survive the process, and both of which can be told to fail. */
struct fixture {
    struct arena *arena;
    struct crash_files files;
    struct fake_clock clock;
    struct seeded_random random;
    struct failing_store store;
    struct search_engine *engine;
    struct search_changes changes;
    struct snapshot *snapshot;
    struct search_erasure erasure;
    struct eraser *eraser;
    uint64_t revision;
};

/* A process begins: it has heard nothing of any tenant yet. */
static void start(struct fixture *f)
{
    assert_status(search_engine_open(&(struct search_engine_options){ .files = &f->files.files,
                                                                      .clock = &f->clock.clock,
                                                                      .stepped = true },
                                     f->arena, &f->engine),
                  STATUS_OK);
    search_changes_init(&f->changes, f->engine, &f->store.store, &f->clock.clock,
                        &f->random.source);
    assert_status(search_changes_recover(&f->changes, f->arena), STATUS_OK);
    f->snapshot = snapshot_new(&f->clock.clock);
    f->revision = 0;
    f->erasure = (struct search_erasure){
        .engine = f->engine,
        .changes = &f->changes,
        .store = &f->store.store,
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .spiffe_id = OURSELVES,
    };
    f->eraser = eraser_new(&(struct eraser_options){
        .ops = &search_erasure_ops,
        .data = &f->erasure,
        .snapshot = f->snapshot,
        .clock = &f->clock.clock,
    });
}

static void stop(struct fixture *f)
{
    eraser_free(f->eraser);
    snapshot_free(f->snapshot);
    search_changes_reset(&f->changes);
    search_engine_close(f->engine);
}

/* The machine loses its power, and comes back. */
static void crash(struct fixture *f)
{
    stop(f);
    crash_files_crash(&f->files);
    f->store.fail_commit = 0;
    start(f);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store *store;

    assert_non_null(f);
    f->arena = arena_new();
    crash_files_init(&f->files);
    fake_clock_init(&f->clock, 1700000000123);
    seeded_random_init(&f->random, 7);
    assert_status(store_open(f->arena, ":memory:", &store), STATUS_OK);
    assert_status(search_changes_migrate(store, f->arena), STATUS_OK);
    assert_status(search_erasure_migrate(store, f->arena), STATUS_OK);
    assert_status(outbox_migrate(store, f->arena), STATUS_OK);
    failing_store_init(&f->store, store);
    start(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    stop(f);
    store_close(&f->store.store);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    free(f);
    return 0;
}

/* ---- Tenants ---- */

/* What auth says of one tenant, beside what it has said of others. */
static void hear(struct fixture *f, const char *tenant_id, Weft__Auth__V1__TenantStanding standing)
{
    Weft__Auth__V1__TenantState tenant, *all[] = { &tenant };
    Weft__Auth__V1__Snapshot change;

    weft__auth__v1__tenant_state__init(&tenant);
    tenant.tenant_id = message_text(tenant_id);
    tenant.standing = standing;
    weft__auth__v1__snapshot__init(&change);
    change.whole = f->revision == 0;
    change.revision = ++f->revision;
    change.tenants = all;
    change.n_tenants = 1;
    assert_status(snapshot_apply(f->snapshot, f->arena, &change), STATUS_OK);
}

static status sweep(struct fixture *f)
{
    return eraser_sweep(f->eraser, f->arena);
}

/* A document that tells whose it is. */
static void publish(struct fixture *f, const char *tenant_id, const char *collection)
{
    const struct collection_name name = { tenant_id, "library", collection };
    struct document_field body = {
        .kind = FIELD_TEXT,
        .text = bytes_of(arena_printf(f->arena, "secret of %s", tenant_id)),
    };
    struct search_document document = { .id = bytes_of("a"), .fields = &body, .n_fields = 1 };
    struct search_write write = { .document = &document };

    assert_status(search_engine_create(f->engine, f->arena, &name, &schema), STATUS_OK);
    assert_status(search_engine_write(f->engine, f->arena, &name, &write, 1), STATUS_OK);
    assert_status(write.result, STATUS_OK);
}

/* Two tenants, in segments that they share and in the log. */
static void publish_both(struct fixture *f)
{
    publish(f, "acme", "books");
    publish(f, "bravo", "books");
    assert_status(search_engine_flush(f->engine, f->arena), STATUS_OK);
    publish(f, "acme", "films");
    publish(f, "bravo", "films");
}

static size_t n_collections(struct fixture *f, const char *tenant_id)
{
    struct collection_info *infos = NULL;
    size_t n = 0;

    search_engine_list(f->engine, f->arena, tenant_id, NULL, &infos, &n);
    return n;
}

static bool folder_has(struct fixture *f, const char *folder, const char *text)
{
    struct files_names names;
    bytes data;
    bool found = false;

    assert_status(files_list(&f->files.files, f->arena, folder, &names), STATUS_OK);
    for (size_t i = 0; i < names.n_names; i++) {
        const char *name = arena_printf(f->arena, "%s/%s", folder, names.names[i]);
        assert_status(files_read(&f->files.files, f->arena, name, SIZE_MAX, &data), STATUS_OK);
        found = found || memmem(data.data, data.size, text, strlen(text)) != NULL;
    }
    return found;
}

static bool is_on_disk(struct fixture *f, const char *tenant_id)
{
    const char *secret = arena_printf(f->arena, "secret of %s", tenant_id);

    return folder_has(f, "log", secret) || folder_has(f, "segments", secret);
}

static void assert_untouched(struct fixture *f, const char *tenant_id)
{
    const struct collection_name name = { tenant_id, "library", "books" };
    struct search_document found;

    assert_int_equal(n_collections(f, tenant_id), 2);
    assert_status(search_engine_get(f->engine, f->arena, &name, bytes_of("a"), &found), STATUS_OK);
    assert_true(is_on_disk(f, tenant_id));
}

/* How often it was told that the tenant was erased. */
static size_t n_events(struct fixture *f, const char *tenant_id)
{
    const char *target = arena_printf(f->arena, "tenant:%s", tenant_id);
    const struct audit_event *events = NULL;
    size_t n = 0;
    size_t n_told = 0;

    assert_status(outbox_read(&f->store.store, f->arena, 100, &events, &n), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(events[i].action, "tenant.erase");
        assert_string_equal(events[i].subject, OURSELVES);
        assert_string_equal(events[i].tenant_id, PLATFORM_TENANT);
        n_told += strcmp(events[i].target, target) == 0;
    }
    return n_told;
}

static void assert_erased(struct fixture *f, const char *tenant_id)
{
    assert_int_equal(n_collections(f, tenant_id), 0);
    assert_false(is_on_disk(f, tenant_id));
    assert_int_equal(n_events(f, tenant_id), 1);
}

/* ---- Tests ---- */

static void a_deleted_tenant_leaves_nothing_and_another_all(void **state)
{
    struct fixture *f = *state;

    publish_both(f);
    hear(f, "acme", DELETED);
    hear(f, "bravo", ACTIVE);
    assert_status(sweep(f), STATUS_OK);
    assert_erased(f, "acme");
    assert_untouched(f, "bravo");
    assert_status(sweep(f), STATUS_OK);
    assert_int_equal(n_events(f, "acme"), 1); /* not once more for nothing */
    crash(f);
    assert_erased(f, "acme");
    assert_untouched(f, "bravo");
}

static void a_tenant_that_was_deleted_while_we_were_down_goes_too(void **state)
{
    struct fixture *f = *state;

    publish_both(f);
    hear(f, "acme", ACTIVE);
    crash(f);
    assert_status(sweep(f), STATUS_OK); /* nothing is known yet */
    assert_untouched(f, "acme");
    hear(f, "acme", DELETED);
    assert_status(sweep(f), STATUS_OK);
    assert_erased(f, "acme");
}

static void who_is_suspended_or_not_known_keeps_everything(void **state)
{
    struct fixture *f = *state;

    publish_both(f);
    hear(f, "acme", SUSPENDED);
    hear(f, "charlie", DELETED);
    assert_status(sweep(f), STATUS_OK);
    assert_untouched(f, "acme");
    assert_untouched(f, "bravo");
    assert_int_equal(n_events(f, "charlie"), 0);
}

/* A call that was let in before the tenant was deleted. */
static void what_comes_after_an_erasure_goes_too(void **state)
{
    struct fixture *f = *state;

    publish_both(f);
    hear(f, "acme", DELETED);
    assert_status(sweep(f), STATUS_OK);
    publish(f, "acme", "late");
    assert_status(sweep(f), STATUS_OK);
    assert_int_equal(n_collections(f, "acme"), 0);
    assert_false(is_on_disk(f, "acme"));
    assert_int_equal(n_events(f, "acme"), 2);
}

static void an_erasure_that_a_crash_cut_short_is_ended_by_the_next_start(void **state)
{
    bool whole = false;

    for (unsigned n = 1; !whole; n++) {
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
        struct fixture *f = *state;
        publish_both(f);
        hear(f, "acme", DELETED);
        f->files.crash_after = (unsigned)f->files.n_operations + n;
        whole = status_is_ok(sweep(f));
        crash(f);
        if (n_events(f, "acme") != whole || (whole && is_on_disk(f, "acme"))) {
            fail_msg("a crash at operation %u: what was told is not so", n);
        }
        assert_untouched(f, "bravo");
        hear(f, "acme", DELETED);
        assert_status(sweep(f), STATUS_OK);
        assert_erased(f, "acme");
        assert_untouched(f, "bravo");
    }
}

/* The first commit begins, the second ends. */
static void without_the_database_nothing_is_erased_untold(void **state)
{
    struct fixture *f = *state;

    publish_both(f);
    hear(f, "acme", DELETED);
    f->store.fail_query = 1;
    assert_status(sweep(f), STATUS_UNAVAILABLE);
    f->store.fail_query = 0;
    f->store.fail_commit = 1;
    assert_status(sweep(f), STATUS_UNAVAILABLE);
    assert_untouched(f, "acme");
    f->store.fail_commit = 2;
    assert_status(sweep(f), STATUS_UNAVAILABLE);
    assert_int_equal(n_events(f, "acme"), 0);
    crash(f);
    hear(f, "acme", DELETED); /* no collection is left that would tell of it */
    assert_status(sweep(f), STATUS_OK);
    assert_erased(f, "acme");
}

static void a_full_disk_only_puts_it_off(void **state)
{
    struct fixture *f = *state;

    publish_both(f);
    hear(f, "acme", DELETED);
    f->files.full = true;
    assert_status(sweep(f), STATUS_RESOURCE_EXHAUSTED);
    assert_untouched(f, "bravo");
    assert_int_equal(n_events(f, "acme"), 0);
    f->files.full = false;
    assert_status(sweep(f), STATUS_OK);
    assert_erased(f, "acme");
}

static void a_process_that_ends_leaves_the_rest_to_the_next(void **state)
{
    const _Atomic bool stopping = true;
    struct fixture *f = *state;

    publish_both(f);
    assert_status(search_erasure_ops.erase(&f->erasure, f->arena, "acme", &stopping),
                  STATUS_CANCELLED);
    assert_int_equal(n_events(f, "acme"), 0);
    crash(f);
    hear(f, "acme", DELETED);
    assert_status(sweep(f), STATUS_OK);
    assert_erased(f, "acme");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_deleted_tenant_leaves_nothing_and_another_all),
        TEST(a_tenant_that_was_deleted_while_we_were_down_goes_too),
        TEST(who_is_suspended_or_not_known_keeps_everything),
        TEST(what_comes_after_an_erasure_goes_too),
        TEST(an_erasure_that_a_crash_cut_short_is_ended_by_the_next_start),
        TEST(without_the_database_nothing_is_erased_untold),
        TEST(a_full_disk_only_puts_it_off),
        TEST(a_process_that_ends_leaves_the_rest_to_the_next),
    };

    return cmocka_run_group_tests_name("search_erasure", tests, NULL, NULL);
}
