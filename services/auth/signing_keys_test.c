#include "services/auth/signing_keys.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct crash_files files;
    struct seeded_random random;
    struct fake_clock clock;
    struct signing_keys *keys;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    crash_files_init(&f.files);
    seeded_random_init(&f.random, 1);
    fake_clock_init(&f.clock, 1700000000000);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    signing_keys_free(f->keys);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    return 0;
}

static status open_keys(struct fixture *f)
{
    signing_keys_free(f->keys);
    f->keys = NULL;
    return signing_keys_open(f->arena,
                             &(struct signing_keys_options){ .files = &f->files.files,
                                                             .random = &f->random.source,
                                                             .clock = &f->clock.clock },
                             &f->keys);
}

static const char *jwks_of(struct fixture *f)
{
    return signing_keys_jwks(f->keys, f->arena);
}

static const char *sign(struct fixture *f)
{
    const struct jose_claims claims = { .subject = "sa:robot", .expires_s = 2000 };
    const char *token = NULL;

    assert_status(signing_keys_sign(f->keys, f->arena, &claims, &token), STATUS_OK);
    return token;
}

static bool is_good(struct fixture *f, const char *jwks, const char *token)
{
    const struct jose_expectation expectation = { .type = JOSE_ACCESS_TOKEN, .now_ms = 1000000 };
    struct jose_keys *keys;
    struct jose_claims claims;

    assert_status(jose_keys_parse(f->arena, bytes_of(jwks), &keys), STATUS_OK);
    status s = jose_verify(f->arena, keys, bytes_of(token), &expectation, &claims);
    jose_keys_free(keys);
    return status_is_ok(s);
}

static void the_next_process_has_the_same_keys(void **state)
{
    struct fixture *f = *state;

    assert_status(open_keys(f), STATUS_OK);
    const char *jwks = jwks_of(f);
    const char *token = sign(f);
    assert_status(open_keys(f), STATUS_OK);
    assert_string_equal(jwks_of(f), jwks);
    assert_true(is_good(f, jwks_of(f), token));
}

/* Everybody has the set of before, or that of after; tokens of before, and of after. */
static void a_rotation_surprises_nobody(void **state)
{
    struct fixture *f = *state;

    assert_status(open_keys(f), STATUS_OK);
    for (int i = 0; i < 4; i++) {
        const char *old_jwks = jwks_of(f);
        const char *old_token = sign(f);
        assert_status(signing_keys_rotate(f->keys, f->arena), STATUS_OK);
        const char *new_token = sign(f);
        assert_true(is_good(f, old_jwks, new_token));
        assert_true(is_good(f, jwks_of(f), old_token));
        assert_true(is_good(f, jwks_of(f), new_token));
    }
}

static void keys_are_due_after_thirty_days(void **state)
{
    struct fixture *f = *state;
    static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

    assert_status(open_keys(f), STATUS_OK);
    f->clock.wall_ms += SIGNING_KEYS_PERIOD_DAYS * day_ms - 1;
    assert_false(signing_keys_are_due(f->keys));
    f->clock.wall_ms++;
    assert_true(signing_keys_are_due(f->keys));
    assert_status(open_keys(f), STATUS_OK);
    assert_true(signing_keys_are_due(f->keys)); /* the next process knows it, too */
    assert_status(signing_keys_rotate(f->keys, f->arena), STATUS_OK);
    assert_false(signing_keys_are_due(f->keys));
    assert_status(open_keys(f), STATUS_OK);
    assert_false(signing_keys_are_due(f->keys));
    f->clock.wall_ms -= 365 * day_ms; /* a clock that was set back is no reason */
    assert_false(signing_keys_are_due(f->keys));
}

static void a_rotation_that_fails_changes_nothing(void **state)
{
    struct fixture *f = *state;

    assert_status(open_keys(f), STATUS_OK);
    const char *jwks = jwks_of(f);
    f->files.full = true;
    assert_status(signing_keys_rotate(f->keys, f->arena), STATUS_RESOURCE_EXHAUSTED);
    f->files.full = false;
    assert_string_equal(jwks_of(f), jwks);
    assert_status(open_keys(f), STATUS_OK);
    assert_string_equal(jwks_of(f), jwks);
}

static void a_damaged_file_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    static const char *const damaged[] = { "", "hello",
                                           "-----BEGIN PRIVATE KEY-----\nAAAA\n"
                                           "-----END PRIVATE KEY-----\n" };

    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        assert_status(
            files_replace(&f->files.files, f->arena, SIGNING_KEYS_FILE, bytes_of(damaged[i])),
            STATUS_OK);
        status s = open_keys(f);
        assert_status(s, STATUS_DATA_LOSS);
        assert_null(strstr(s.message, "AAAA"));
    }
}

/* ---- Crashes ---- */

enum { ENOUGH = 1000 }; /* operations, of a dozen */

struct faults {
    unsigned crash_after, skip_sync;
    enum crash_torn torn;
};

/* Opens, then rotates, over files that crash; whether all of it was done before.  A rotation that
 * was done stays done, and what was told to the world is good for what the next process signs. */
static bool crash_once(const struct faults *faults, bool *ret_kept)
{
    struct fixture f = { .arena = arena_new() };
    const char *told = NULL;

    crash_files_init(&f.files);
    seeded_random_init(&f.random, 1);
    fake_clock_init(&f.clock, 1700000000000);
    f.files.crash_after = faults->crash_after;
    f.files.skip_sync = faults->skip_sync;
    f.files.torn = faults->torn;
    bool is_over = status_is_ok(open_keys(&f));
    if (is_over) {
        told = jwks_of(&f);
        is_over = status_is_ok(signing_keys_rotate(f.keys, f.arena));
    }
    const char *rotated = is_over ? jwks_of(&f) : NULL;
    crash_files_crash(&f.files);
    *ret_kept = status_is_ok(open_keys(&f)) &&
                (rotated == NULL || strcmp(jwks_of(&f), rotated) == 0) &&
                (told == NULL || is_good(&f, told, sign(&f)));
    signing_keys_free(f.keys);
    crash_files_reset(&f.files);
    arena_free(f.arena);
    return is_over;
}

static void a_crash_loses_no_key_that_somebody_was_told_of(void **state)
{
    (void)state;
    for (int torn = TORN_NOTHING; torn <= TORN_LAST_HALF; torn++) {
        bool is_over = false;
        for (unsigned n = 1; !is_over && n < ENOUGH; n++) {
            bool kept = false;
            is_over = crash_once(&(struct faults){ n, 0, (enum crash_torn)torn }, &kept);
            if (!kept) {
                fail_msg("crash at operation %u, torn %d", n, torn);
            }
        }
    }
}

static void each_sync_is_needed(void **state)
{
    enum { SYNCS = 4 }; /* of the file and of the folder, when they are made and when they rotate */

    (void)state;
    for (unsigned skip = 1; skip <= SYNCS; skip++) {
        bool is_over = false;
        bool kept = true;
        for (unsigned n = 1; !is_over && n < ENOUGH; n++) {
            bool kept_now = false;
            is_over = crash_once(&(struct faults){ n, skip, TORN_NOTHING }, &kept_now);
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
        TEST(the_next_process_has_the_same_keys),
        TEST(a_rotation_surprises_nobody),
        TEST(keys_are_due_after_thirty_days),
        TEST(a_rotation_that_fails_changes_nothing),
        TEST(a_damaged_file_is_not_replaced),
        cmocka_unit_test(a_crash_loses_no_key_that_somebody_was_told_of),
        cmocka_unit_test(each_sync_is_needed),
    };

    return cmocka_run_group_tests_name("signing_keys", tests, NULL, NULL);
}
