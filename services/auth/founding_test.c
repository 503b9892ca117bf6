#include "services/auth/founding.h"

#include "libs/audit/outbox.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/failing_store.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/temp_folder.h"

#include <string.h>

/* In a folder of its own, as where an operator asked for it. */
#define KEY_FILE "elsewhere/administrator.key"

struct fixture {
    struct arena *arena;
    struct failing_store store;
    struct crash_files files;
    struct fake_clock clock;
    struct seeded_random random;
    struct founding founding;
    struct api_key_pepper pepper;
};

static void init(struct fixture *f)
{
    struct store *store;

    *f = (struct fixture){ .arena = arena_new() };
    assert_status(store_open(f->arena, ":memory:", &store), STATUS_OK);
    assert_status(auth_store_migrate(store, f->arena), STATUS_OK);
    assert_status(outbox_migrate(store, f->arena), STATUS_OK);
    failing_store_init(&f->store, store);
    crash_files_init(&f->files);
    assert_status(files_make_folder(&f->files.files, f->arena, "elsewhere"), STATUS_OK);
    fake_clock_init(&f->clock, 1700000000000);
    seeded_random_init(&f->random, 1);
    f->founding = (struct founding){ .files = &f->files.files,
                                     .store = &f->store.store,
                                     .clock = &f->clock.clock,
                                     .random = &f->random.source };
}

static void reset(struct fixture *f)
{
    store_close(&f->store.store);
    crash_files_reset(&f->files);
    arena_free(f->arena);
}

static int set_up(void **state)
{
    static struct fixture f;

    init(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    reset(*state);
    return 0;
}

static status start_with(struct fixture *f, bool again)
{
    TRY(founding_read_pepper(&f->founding, f->arena, &f->pepper));
    return founding_make_administrator(
        &f->founding, f->arena,
        &(struct founding_credential){ .files = &f->files.files,
                                       .name = KEY_FILE,
                                       .pepper = &f->pepper,
                                       .spiffe_id = "spiffe://weft.local/auth",
                                       .again = again });
}

static status start(struct fixture *f)
{
    return start_with(f, false);
}

static const char *read_key(struct fixture *f)
{
    bytes data = { 0 };
    status s = files_read(&f->files.files, f->arena, KEY_FILE, 1000, &data);

    return status_is_ok(s) ? arena_printf(f->arena, "%.*s", (int)data.size, (const char *)data.data)
                           : "";
}

static void nobody_is_told(void *data)
{
    (void)data;
}

/* Whether the key in the file is one that an exchange takes. */
static bool key_is_good(struct fixture *f)
{
    struct directory *directory = directory_new();
    struct api_key key;
    struct directory_key found;
    const char *secret = read_key(f);
    struct sha256 hash = api_key_hash(&f->pepper, bytes_of(secret));
    struct feed *feed = feed_new(
        &(struct feed_options){ .clock = &f->clock.clock, .epoch = 1, .changed = nobody_is_told });

    assert_status(founding_load(&f->founding, f->arena, feed, directory), STATUS_OK);
    bool good = status_is_ok(api_key_parse(f->arena, bytes_of(secret), &key)) &&
                directory_find_key(directory, f->arena, key.id, &found) &&
                sha256_equal(&hash, &found.hash) && strcmp(found.account.tenant_id, "weft") == 0 &&
                found.account.roles.n_texts == 1 &&
                strcmp(found.account.roles.texts[0], "admin") == 0;
    feed_free(feed);
    directory_free(directory);
    return good;
}

static int64_t n_events(struct fixture *f)
{
    const struct store_statement query = { .sql = "SELECT count(*) FROM audit_outbox" };
    struct store_rows rows;

    assert_status(store_query(&f->store.store, f->arena, &query, &rows), STATUS_OK);
    return store_int_at(&rows, 0, 0);
}

static void the_first_start_makes_an_administrator_and_no_other_does(void **state)
{
    struct fixture *f = *state;

    assert_status(start(f), STATUS_OK);
    assert_true(key_is_good(f));
    assert_int_equal(n_events(f), 2); /* the account, the key */
    const char *key = read_key(f);
    assert_status(start(f), STATUS_OK);
    assert_string_equal(read_key(f), key);
    assert_status(files_remove(&f->files.files, f->arena, KEY_FILE), STATUS_OK);
    assert_status(start(f), STATUS_OK);
    assert_string_equal(read_key(f), "");
    assert_int_equal(n_events(f), 2);
}

static void who_has_lost_the_key_may_have_another(void **state)
{
    struct fixture *f = *state;
    struct store_write *write = store_write_new(f->arena);
    struct account_record account;

    assert_status(start(f), STATUS_OK);
    const char *first = read_key(f);
    assert_status(start_with(f, true), STATUS_OK);
    assert_string_not_equal(read_key(f), first);
    assert_true(key_is_good(f));
    assert_int_equal(n_events(f), 3);
    assert_status(
        auth_store_get_account(&f->store.store, f->arena, "weft", FOUNDING_ADMINISTRATOR, &account),
        STATUS_OK);
    auth_store_delete_account(write, &account);
    assert_status(store_commit(&f->store.store, f->arena, write), STATUS_OK);
    assert_false(key_is_good(f));
    assert_status(start(f), STATUS_OK); /* who was removed stays so, unless asked for */
    assert_false(key_is_good(f));
    assert_status(start_with(f, true), STATUS_OK);
    assert_true(key_is_good(f));
}

static void without_its_event_there_is_no_administrator(void **state)
{
    struct fixture *f = *state;

    f->store.fail_statement = 3; /* the account's event */
    assert_status(start(f), STATUS_UNAVAILABLE);
    assert_false(key_is_good(f));
    f->store.fail_statement = 6; /* the key's */
    assert_status(start(f), STATUS_UNAVAILABLE);
    assert_false(key_is_good(f));
    assert_status(start(f), STATUS_OK);
    assert_true(key_is_good(f));
}

static void a_lost_pepper_is_told_and_not_replaced(void **state)
{
    struct fixture *f = *state;

    assert_status(start(f), STATUS_OK);
    assert_status(files_remove(&f->files.files, f->arena, FOUNDING_PEPPER_FILE), STATUS_OK);
    assert_status(start(f), STATUS_FAILED_PRECONDITION);
    assert_status(files_replace(&f->files.files, f->arena, FOUNDING_PEPPER_FILE, bytes_of("short")),
                  STATUS_OK);
    assert_status(start(f), STATUS_FAILED_PRECONDITION);
}

static void each_start_has_an_epoch_of_its_own(void **state)
{
    struct fixture *f = *state;
    uint32_t epoch = 0;

    for (uint32_t want = 1; want < 4; want++) {
        assert_status(founding_next_epoch(&f->founding, f->arena, &epoch), STATUS_OK);
        assert_int_equal(epoch, want);
    }
    f->store.fail_commit = 1;
    assert_status(founding_next_epoch(&f->founding, f->arena, &epoch), STATUS_UNAVAILABLE);
}

static void a_credential_goes_where_its_path_says(void **state)
{
    struct fixture *f = *state;
    const char *folder = temp_folder(f->arena);
    struct disk_files files;
    const char *name;

    assert_status(
        founding_open_folder(f->arena, arena_printf(f->arena, "%s/a.key", folder), &files, &name),
        STATUS_OK);
    assert_string_equal(name, "a.key");
    assert_status(files_replace(&files.files, f->arena, name, bytes_of("x")), STATUS_OK);
    disk_files_reset(&files);
    assert_status(founding_open_folder(f->arena, "a.key", &files, &name), STATUS_OK);
    assert_string_equal(name, "a.key");
    disk_files_reset(&files);
}

/* ---- Crashes: the store keeps what it has committed, the files what was synced ---- */

enum { ENOUGH = 1000 }; /* operations, of a start that has some twenty */

static bool crash_once(unsigned crash_after, unsigned skip_sync, bool *ret_kept)
{
    struct fixture f;

    init(&f);
    f.files.crash_after = (unsigned)f.files.n_operations + crash_after;
    f.files.skip_sync = skip_sync == 0 ? 0 : (unsigned)f.files.n_syncs + skip_sync;
    bool is_over = status_is_ok(start(&f));
    const char *told = is_over ? read_key(&f) : "";
    crash_files_crash(&f.files);
    *ret_kept = status_is_ok(start(&f)) && key_is_good(&f) &&
                (told[0] == '\0' || strcmp(read_key(&f), told) == 0);
    reset(&f);
    return is_over;
}

static void a_crash_leaves_a_key_that_is_good(void **state)
{
    bool is_over = false;

    (void)state;
    for (unsigned n = 1; !is_over && n < ENOUGH; n++) {
        bool kept = false;
        is_over = crash_once(n, 0, &kept);
        if (!kept) {
            fail_msg("crash at operation %u", n);
        }
    }
}

static void each_sync_is_needed(void **state)
{
    (void)state;
    for (unsigned skip = 1; skip <= 4; skip++) { /* pepper and key: the file, the folder */
        bool is_over = false;
        bool kept = true;
        for (unsigned n = 1; !is_over && n < ENOUGH; n++) {
            bool kept_now = false;
            is_over = crash_once(n, skip, &kept_now);
            kept = kept && kept_now;
        }
        if (kept) {
            fail_msg("sync %u is missed by nobody", skip);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_start_makes_an_administrator_and_no_other_does),
        TEST(who_has_lost_the_key_may_have_another),
        TEST(without_its_event_there_is_no_administrator),
        TEST(a_lost_pepper_is_told_and_not_replaced),
        TEST(each_start_has_an_epoch_of_its_own),
        TEST(a_credential_goes_where_its_path_says),
        cmocka_unit_test(a_crash_leaves_a_key_that_is_good),
        cmocka_unit_test(each_sync_is_needed),
    };

    return cmocka_run_group_tests_name("founding", tests, NULL, NULL);
}
