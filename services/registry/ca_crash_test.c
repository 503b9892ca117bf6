/* What the authority has answered for is so after a crash at any moment: the database and the
 * authority's file are on one disk, which forgets what was not synced. */

#include "libs/crypto/p256.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/crash_vfs.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "services/registry/ca.h"
#include "services/registry/ca_store.h"

#include <string.h>

static const int64_t start_ms = 1795000000000;

struct fixture {
    struct arena *arena;
    struct fake_clock clock;
    struct seeded_random random;
    struct crash_files files;
    struct crash_vfs vfs;
    struct store *store;
    struct ca *ca;
    bytes csr;
    /* What was acknowledged, and so must be there. */
    bytes bundle;
    const char *token;
    const char *serial;
};

static void set_up_fixture(struct fixture *f)
{
    *f = (struct fixture){ .arena = arena_new() };
    fake_clock_init(&f->clock, start_ms);
    seeded_random_init(&f->random, 11);
    crash_files_init(&f->files);
    crash_vfs_init(&f->vfs, &f->files.files);
    struct p256_key *key = p256_key_generate(&f->random.source);
    assert_status(x509_make_request(f->arena, &f->random.source, key, &f->csr), STATUS_OK);
    p256_key_free(key);
}

static void close_all(struct fixture *f)
{
    ca_close(f->ca);
    store_close(f->store);
    f->ca = NULL;
    f->store = NULL;
}

static void tear_down_fixture(struct fixture *f)
{
    close_all(f);
    crash_vfs_reset(&f->vfs);
    crash_files_reset(&f->files);
    arena_free(f->arena);
}

static status open_all(struct fixture *f)
{
    const struct store_options store = { .url = "sqlite:ca.db", .vfs = crash_vfs_name(&f->vfs) };

    TRY(store_open_with(f->arena, &store, &f->store));
    const struct ca_options options = {
        .files = &f->files.files,
        .store = f->store,
        .clock = &f->clock.clock,
        .random = &f->random.source,
        .trust_domain = "weft",
    };
    return ca_open(f->arena, &options, &f->ca);
}

static status make_token(struct fixture *f)
{
    struct store_write *write = store_write_new(f->arena);
    const char *token = NULL;

    TRY(ca_make_join_token(f->ca, f->arena, write, "", 3600000, &token));
    TRY(store_commit(f->store, f->arena, write));
    f->token = token;
    return status_ok();
}

static status admit(struct fixture *f, const char *host_id)
{
    const struct ca_join join = { .host_id = host_id, .csr = f->csr, .token = f->token };
    struct store_write *write = store_write_new(f->arena);
    struct ca_svid svid;

    TRY(ca_admit(f->ca, f->arena, write, &join, &svid));
    TRY(store_commit(f->store, f->arena, write));
    f->serial = svid.serial;
    return status_ok();
}

/* A first start, a token, a host that joins with it. */
static status live(struct fixture *f)
{
    TRY(open_all(f));
    f->bundle = ca_bundle(f->ca, f->arena);
    TRY(make_token(f));
    return admit(f, "host-1");
}

/* What is wrong after the crash, or NULL. */
static const char *find_fault(struct fixture *f)
{
    struct ca_certificate_record record;
    status s = open_all(f);

    if (!status_is_ok(s)) {
        return arena_printf(f->arena, "it does not open: %s", s.message);
    }
    bytes bundle = ca_bundle(f->ca, f->arena);
    if (f->bundle.size > 0 &&
        (bundle.size != f->bundle.size || memcmp(bundle.data, f->bundle.data, bundle.size) != 0)) {
        return "the authority is another";
    }
    if (f->serial != NULL) {
        s = ca_store_get_certificate(f->store, f->arena, f->serial, &record);
        if (!status_is_ok(s)) {
            return "the serial is not on record";
        }
        return status_is_ok(admit(f, "host-2")) ? "the token can be used again" : NULL;
    }
    /* The one whose answer was lost may have used it up; nobody has it twice. */
    s = f->token != NULL ? admit(f, "host-1") : status_ok();
    return status_is_ok(s) || s.code == STATUS_UNAUTHENTICATED ? NULL : s.message;
}

/* Whether the life was over before the crash came. */
static bool crash_once(struct arena *arena, unsigned crash_after, unsigned skip_sync,
                       enum crash_torn torn, const char **ret_fault)
{
    struct fixture f;

    set_up_fixture(&f);
    f.files.crash_after = crash_after;
    f.files.skip_sync = skip_sync;
    f.files.torn = torn;
    bool is_over = status_is_ok(live(&f));
    crash_files_crash(&f.files);
    close_all(&f);
    const char *fault = find_fault(&f);
    *ret_fault = fault != NULL ? arena_strdup(arena, fault) : NULL;
    tear_down_fixture(&f);
    return is_over;
}

static void a_crash_anywhere_takes_nothing_back(void **state)
{
    static const enum crash_torn torn[] = { TORN_NOTHING, TORN_FIRST_HALF, TORN_LAST_HALF };

    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
        bool was_over = false;
        unsigned n = 0;
        while (!was_over) {
            const char *fault = NULL;
            was_over = crash_once(*state, ++n, 0, torn[i], &fault);
            if (fault != NULL) {
                fail_msg("crash at operation %u: %s", n, fault);
            }
            assert_true(n < 1000);
        }
        assert_true(n > 20); /* it has written something */
    }
}

/* The authority's two, and the commits of the token and of its use. */
static void some_syncs_left_out_are_noticed(void **state)
{
    unsigned noticed = 0;

    for (unsigned n = 1; n <= 40; n++) {
        const char *fault = NULL;
        (void)crash_once(*state, 0, n, TORN_NOTHING, &fault);
        noticed += fault != NULL ? 1 : 0;
    }
    assert_true(noticed >= 4);
}

static int set_up(void **state)
{
    *state = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_crash_anywhere_takes_nothing_back),
        TEST(some_syncs_left_out_are_noticed),
    };

    return cmocka_run_group_tests_name("ca_crash", tests, NULL, NULL);
}
