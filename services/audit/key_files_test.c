#include "services/audit/key_files.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct crash_files crash;
    struct seeded_random random;
    struct key_files keys;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    crash_files_init(&f.crash);
    seeded_random_init(&f.random, 1);
    f.keys =
        (struct key_files){ .files = &f.crash.files, .random = &f.random.source, .make = true };
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    crash_files_reset(&f->crash);
    arena_free(f->arena);
    return 0;
}

static void keys_are_made_once_and_survive_a_crash(void **state)
{
    struct fixture *f = *state;
    struct note_signer signer;
    struct note_signer again;
    struct aead_key master;
    struct aead_key same;
    bytes verifier;

    assert_status(key_files_signer(&f->keys, f->arena, "log.example", &signer), STATUS_OK);
    assert_status(key_files_master(&f->keys, f->arena, &master), STATUS_OK);
    crash_files_crash(&f->crash);
    f->keys.make = false;
    assert_status(key_files_signer(&f->keys, f->arena, "log.example", &again), STATUS_OK);
    assert_status(key_files_master(&f->keys, f->arena, &same), STATUS_OK);
    assert_memory_equal(&again.key, &signer.key, sizeof signer.key);
    assert_memory_equal(&same, &master, sizeof master);
    struct note_verifier want = note_signer_verifier(&signer);
    assert_status(files_read(&f->crash.files, f->arena, "verifier_key", 1000, &verifier),
                  STATUS_OK);
    assert_string_equal((const char *)verifier.data,
                        arena_printf(f->arena, "%s\n", note_verifier_format(f->arena, &want)));
}

static void a_key_that_is_needed_is_not_made_anew(void **state)
{
    struct fixture *f = *state;
    struct note_signer signer;
    struct aead_key master;

    f->keys.make = false;
    assert_status(key_files_signer(&f->keys, f->arena, "log.example", &signer),
                  STATUS_FAILED_PRECONDITION);
    assert_status(key_files_master(&f->keys, f->arena, &master), STATUS_FAILED_PRECONDITION);
}

static void files_that_are_no_keys_are_said(void **state)
{
    struct fixture *f = *state;
    struct note_signer signer;
    struct aead_key master;

    assert_status(key_files_signer(&f->keys, f->arena, "log.example", &signer), STATUS_OK);
    assert_status(key_files_signer(&f->keys, f->arena, "other.example", &signer),
                  STATUS_FAILED_PRECONDITION);
    assert_status(files_replace(&f->crash.files, f->arena, "signing_key", bytes_of("x")),
                  STATUS_OK);
    assert_status(key_files_signer(&f->keys, f->arena, "log.example", &signer), STATUS_DATA_LOSS);
    assert_status(files_replace(&f->crash.files, f->arena, "master_key", bytes_of("00ff\n")),
                  STATUS_OK);
    assert_status(key_files_master(&f->keys, f->arena, &master), STATUS_DATA_LOSS);
}

static void a_key_that_cannot_be_kept_is_not_used(void **state)
{
    struct fixture *f = *state;
    struct note_signer signer;
    struct aead_key master;

    f->crash.full = true;
    assert_status(key_files_signer(&f->keys, f->arena, "log.example", &signer),
                  STATUS_RESOURCE_EXHAUSTED);
    assert_status(key_files_master(&f->keys, f->arena, &master), STATUS_RESOURCE_EXHAUSTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_are_made_once_and_survive_a_crash),
        TEST(a_key_that_is_needed_is_not_made_anew),
        TEST(files_that_are_no_keys_are_said),
        TEST(a_key_that_cannot_be_kept_is_not_used),
    };

    return cmocka_run_group_tests_name("key_files", tests, NULL, NULL);
}
