#include "libs/tlog/checkpoint.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#define ROOT "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs="

/* The last checkpoint of Tessera's test log. */
static const char tessera_vkey[] =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
static const char tessera_checkpoint[] =
    "example.com/log/testdata\n15\n" ROOT "\n\n\xe2\x80\x94 example.com/log/testdata "
    "M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/"
    "dlPWF74ewI=\n";

static void a_checkpoint_of_another_writer_opens(void **state)
{
    struct note_verifier verifier;
    struct checkpoint checkpoint;

    assert_status(note_verifier_parse(*state, bytes_of(tessera_vkey), &verifier), STATUS_OK);
    assert_status(checkpoint_open(*state, bytes_of(tessera_checkpoint), &verifier, &checkpoint),
                  STATUS_OK);
    assert_string_equal(checkpoint.origin, "example.com/log/testdata");
    assert_int_equal(checkpoint.tree.size, 15);
    assert_string_equal(base64_encode(*state, sha256_bytes(&checkpoint.tree.root), BASE64_STANDARD),
                        ROOT);
}

static void what_is_no_checkpoint_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "a\n",
        "a\n1\n",
        "a\n1\n" ROOT,
        "\n1\n" ROOT "\n",
        "a\n01\n" ROOT "\n",
        "a\n-1\n" ROOT "\n",
        "a\n\n" ROOT "\n",
        "a\n1 \n" ROOT "\n",
        "a\n9223372036854775808\n" ROOT "\n",
        "a\n1\nAAAA\n",
        "a\n1\n?\n",
        "a\n0\n" ROOT "\n",
    };
    struct checkpoint checkpoint;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s = checkpoint_parse(*state, bytes_of(cases[i]), &checkpoint);
        if (s.code != STATUS_INVALID_ARGUMENT) {
            fail_msg("'%s': got %s", cases[i], status_code_name(s.code));
        }
    }
}

static void the_largest_size_and_further_lines_are_taken(void **state)
{
    struct checkpoint checkpoint;

    assert_status(
        checkpoint_parse(*state, bytes_of("a\n9223372036854775807\n" ROOT "\nmore\n"), &checkpoint),
        STATUS_OK);
    assert_int_equal(checkpoint.tree.size, INT64_MAX);
}

static void a_signed_checkpoint_opens_under_its_own_name_alone(void **state)
{
    struct merkle_tree tree = { .size = 0, .root = merkle_empty_root() };
    struct seeded_random random;
    struct note_signer signer;
    struct checkpoint checkpoint;
    bytes data;

    seeded_random_init(&random, 3);
    assert_status(note_signer_generate(*state, &random.source, "log.example/7", &signer),
                  STATUS_OK);
    struct note_verifier verifier = note_signer_verifier(&signer);
    assert_status(checkpoint_sign(*state, &tree, &signer, &data), STATUS_OK);
    assert_status(checkpoint_open(*state, data, &verifier, &checkpoint), STATUS_OK);
    assert_int_equal(checkpoint.tree.size, 0);

    const char *foreign =
        arena_printf(*state, "log.example/8\n1\n%s\n", ROOT); /* signed, but of another log */
    assert_status(note_sign(*state, bytes_of(foreign), &signer, &data), STATUS_OK);
    assert_status(checkpoint_open(*state, data, &verifier, &checkpoint), STATUS_DATA_LOSS);
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
        TEST(a_checkpoint_of_another_writer_opens),
        TEST(what_is_no_checkpoint_is_refused),
        TEST(the_largest_size_and_further_lines_are_taken),
        TEST(a_signed_checkpoint_opens_under_its_own_name_alone),
    };

    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
