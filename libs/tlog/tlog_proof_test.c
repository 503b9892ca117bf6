#include "libs/tlog/tlog_proof.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

/* A log of two leaves, "a" and "b". */
struct fixture {
    struct arena *arena;
    struct note_verifier verifier;
    struct sha256 sibling;
    struct tlog_proof proof; /* of "b" */
};

static int set_up(void **state)
{
    static struct fixture f;
    struct seeded_random random;
    struct note_signer signer;

    f = (struct fixture){ .arena = arena_new() };
    seeded_random_init(&random, 3);
    assert_status(note_signer_generate(f.arena, &random.source, "log.example", &signer), STATUS_OK);
    f.verifier = note_signer_verifier(&signer);
    f.sibling = merkle_leaf_hash(bytes_of("a"));
    struct sha256 leaf = merkle_leaf_hash(bytes_of("b"));
    const struct merkle_tree tree = { 2, merkle_node_hash(&f.sibling, &leaf) };
    f.proof = (struct tlog_proof){ .index = 1, .path = { &f.sibling, 1 } };
    assert_status(checkpoint_sign(f.arena, &tree, &signer, &f.proof.checkpoint), STATUS_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    return 0;
}

static void a_bundle_proves_its_entry_and_no_other(void **state)
{
    struct fixture *f = *state;
    bytes data = tlog_proof_encode(f->arena, &f->proof);
    struct tlog_proof proof;
    struct checkpoint checkpoint;

    assert_status(tlog_proof_parse(f->arena, data, &proof), STATUS_OK);
    assert_null(proof.extra.data);
    assert_status(tlog_proof_verify(f->arena, &proof, bytes_of("b"), &f->verifier, &checkpoint),
                  STATUS_OK);
    assert_int_equal(checkpoint.tree.size, 2);
    assert_status(tlog_proof_verify(f->arena, &proof, bytes_of("c"), &f->verifier, &checkpoint),
                  STATUS_DATA_LOSS);
    proof.index = 0;
    assert_status(tlog_proof_verify(f->arena, &proof, bytes_of("b"), &f->verifier, &checkpoint),
                  STATUS_DATA_LOSS);
    f->verifier.key_id ^= 1;
    assert_status(tlog_proof_verify(f->arena, &proof, bytes_of("b"), &f->verifier, &checkpoint),
                  STATUS_DATA_LOSS);
}

static void extra_data_comes_along(void **state)
{
    struct fixture *f = *state;
    struct tlog_proof proof;

    f->proof.extra = bytes_of("tenant acme");
    bytes data = tlog_proof_encode(f->arena, &f->proof);
    assert_status(tlog_proof_parse(f->arena, data, &proof), STATUS_OK);
    assert_int_equal(proof.extra.size, strlen("tenant acme"));
    assert_memory_equal(proof.extra.data, "tenant acme", proof.extra.size);
    bytes again = tlog_proof_encode(f->arena, &proof);
    assert_int_equal(again.size, data.size);
    assert_memory_equal(again.data, data.data, data.size);
}

#define HASH "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n"

static const char hash_and_no_blank_line[] = "c2sp.org/tlog-proof@v1\nindex 1\n" HASH;

static void what_is_no_bundle_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v2\nindex 1\n\n",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v1\nindex\n\n",
        "c2sp.org/tlog-proof@v1\nindex 01\n\n",
        "c2sp.org/tlog-proof@v1\nextra ?\nindex 1\n\n",
        "c2sp.org/tlog-proof@v1\nextra AAAA\n",
        "c2sp.org/tlog-proof@v1\nindex 1\n",
        hash_and_no_blank_line,
        "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n",
    };
    struct fixture *f = *state;
    struct tlog_proof proof;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s = tlog_proof_parse(f->arena, bytes_of(cases[i]), &proof);
        if (s.code != STATUS_INVALID_ARGUMENT) {
            fail_msg("'%s': got %s", cases[i], status_code_name(s.code));
        }
    }
}

static void more_hashes_than_any_tree_has_are_refused(void **state)
{
    struct fixture *f = *state;
    struct text text = text_new(f->arena);
    struct tlog_proof proof;

    text_add(&text, "c2sp.org/tlog-proof@v1\nindex 1\n");
    for (int i = 0; i < MERKLE_MAX_PATH; i++) {
        text_add(&text, HASH);
    }
    const char *full = arena_printf(f->arena, "%s\n", text_string(&text));
    const char *more = arena_printf(f->arena, "%s%s\n", text_string(&text), HASH);
    assert_status(tlog_proof_parse(f->arena, bytes_of(full), &proof), STATUS_OK);
    assert_status(tlog_proof_parse(f->arena, bytes_of(more), &proof), STATUS_INVALID_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bundle_proves_its_entry_and_no_other),
        TEST(extra_data_comes_along),
        TEST(what_is_no_bundle_is_refused),
        TEST(more_hashes_than_any_tree_has_are_refused),
    };

    return cmocka_run_group_tests_name("tlog_proof", tests, NULL, NULL);
}
