#include "libs/tlog/merkle.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/test_data.h"

#include <ftw.h>
#include <jansson.h>
#include <string.h>

/* ---- Trees ---- */

enum { MAX_LEAVES = 70 };

static const char *const leaves[] = { "",
                                      "00",
                                      "10",
                                      "2021",
                                      "3031",
                                      "40414243",
                                      "5051525354555657",
                                      "606162636465666768696a6b6c6d6e6f" };

static const char *const roots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

/* All nodes of a tree in memory. */
struct memory_nodes {
    struct merkle_nodes nodes;
    struct sha256 leaves[MAX_LEAVES];
    bool broken;
};

static status memory_node(struct merkle_nodes *nodes, struct arena *arena, unsigned level,
                          uint64_t index, struct sha256 *ret_hash)
{
    const struct memory_nodes *self = (const struct memory_nodes *)nodes;

    if (self->broken) {
        return status_error(arena, STATUS_UNAVAILABLE, "told to fail");
    }
    *ret_hash = merkle_root(&self->leaves[index << level], (size_t)1 << level);
    return status_ok();
}

static void memory_nodes_init(struct memory_nodes *self, struct arena *arena)
{
    *self = (struct memory_nodes){ .nodes = { .node = memory_node } };
    for (size_t i = 0; i < MAX_LEAVES; i++) {
        self->leaves[i] = merkle_leaf_hash(bytes_of(arena_printf(arena, "leaf %zu", i)));
    }
}

static void the_known_trees_have_the_known_roots(void **state)
{
    struct sha256 hashes[8];
    struct memory_nodes nodes = { .nodes = { .node = memory_node } };

    for (size_t size = 0; size <= 8; size++) {
        struct sha256 root = merkle_root(hashes, size);
        struct sha256 same;
        assert_string_equal(hex_encode(*state, sha256_bytes(&root)), roots[size]);
        assert_status(merkle_tree_root(&nodes.nodes, *state, size, &same), STATUS_OK);
        assert_true(sha256_equal(&root, &same));
        if (size < 8) {
            bytes data;
            assert_true(hex_decode(*state, bytes_of(leaves[size]), &data));
            hashes[size] = merkle_leaf_hash(data);
            nodes.leaves[size] = hashes[size];
        }
    }
}

static void every_leaf_of_every_tree_is_proved(void **state)
{
    struct memory_nodes nodes;
    struct merkle_path path;

    memory_nodes_init(&nodes, *state);
    for (uint64_t size = 1; size <= MAX_LEAVES; size++) {
        struct sha256 root = merkle_root(nodes.leaves, size);
        for (uint64_t i = 0; i < size; i++) {
            const struct sha256 *leaf = &nodes.leaves[i];
            assert_status(merkle_prove_inclusion(&nodes.nodes, *state, i, size, &path), STATUS_OK);
            assert_true(merkle_check_inclusion(i, size, leaf, &path, &root));
            assert_false(merkle_check_inclusion(i ^ 1, size, leaf, &path, &root));
        }
        assert_status(merkle_prove_inclusion(&nodes.nodes, *state, size, size, &path),
                      STATUS_OUT_OF_RANGE);
    }
}

static void every_tree_is_proved_to_begin_the_later_ones(void **state)
{
    struct memory_nodes nodes;
    struct merkle_path path;

    memory_nodes_init(&nodes, *state);
    for (uint64_t n = 1; n <= MAX_LEAVES; n++) {
        const struct merkle_tree new_tree = { n, merkle_root(nodes.leaves, n) };
        for (uint64_t m = 1; m <= n; m++) {
            struct merkle_tree old_tree = { m, merkle_root(nodes.leaves, m) };
            assert_status(merkle_prove_consistency(&nodes.nodes, *state, m, n, &path), STATUS_OK);
            assert_true(merkle_check_consistency(&old_tree, &new_tree, &path));
            old_tree.root.data[7] ^= 1;
            assert_false(merkle_check_consistency(&old_tree, &new_tree, &path));
        }
    }
    assert_status(merkle_prove_consistency(&nodes.nodes, *state, 0, 7, &path), STATUS_OUT_OF_RANGE);
    assert_status(merkle_prove_consistency(&nodes.nodes, *state, 8, 7, &path), STATUS_OUT_OF_RANGE);
}

static void a_proof_needs_its_nodes(void **state)
{
    struct memory_nodes nodes;
    struct merkle_path path;
    struct sha256 root;

    memory_nodes_init(&nodes, *state);
    nodes.broken = true;
    assert_status(merkle_prove_inclusion(&nodes.nodes, *state, 1, 7, &path), STATUS_UNAVAILABLE);
    assert_status(merkle_prove_consistency(&nodes.nodes, *state, 3, 7, &path), STATUS_UNAVAILABLE);
    assert_status(merkle_tree_root(&nodes.nodes, *state, 7, &root), STATUS_UNAVAILABLE);
}

/* ---- The vectors of transparency-dev/merkle ---- */

/* Decoders refuse hashes of another length; here such a one becomes some hash that is right
 * nowhere, but two roots of the same bytes stay equal, as the vectors want it. */
static struct sha256 hash_at(struct arena *arena, const char *what, const json_t *value)
{
    const char *text = json_string_value(value);
    struct sha256 hash;
    bytes data = { 0 };

    if (text != NULL) {
        assert_true(base64_decode(arena, bytes_of(text), BASE64_STANDARD, &data));
    }
    if (data.size != SHA256_SIZE) {
        return hmac_sha256(bytes_of(what), data);
    }
    memcpy(hash.data, data.data, SHA256_SIZE);
    return hash;
}

static struct merkle_path path_at(struct arena *arena, const json_t *value)
{
    size_t n = json_array_size(value);
    struct sha256 *hashes = ARENA_NEW_ARRAY(arena, struct sha256, n);

    for (size_t i = 0; i < n; i++) {
        hashes[i] = hash_at(arena, "path", json_array_get(value, i));
    }
    return (struct merkle_path){ hashes, n };
}

/* Read as a real number, since 2^64 - 1 is among them. */
static uint64_t number_at(const json_t *vector, const char *name)
{
    double number = json_number_value(json_object_get(vector, name));

    return number < 0x1p63 ? (uint64_t)number : UINT64_MAX;
}

static bool check_inclusion(struct arena *arena, const json_t *vector)
{
    struct sha256 root = hash_at(arena, "root", json_object_get(vector, "root"));
    struct sha256 leaf = hash_at(arena, "leaf", json_object_get(vector, "leafHash"));
    struct merkle_path path = path_at(arena, json_object_get(vector, "proof"));

    return merkle_check_inclusion(number_at(vector, "leafIdx"), number_at(vector, "treeSize"),
                                  &leaf, &path, &root);
}

static bool check_consistency(struct arena *arena, const json_t *vector)
{
    const struct merkle_tree old_tree = {
        number_at(vector, "size1"), hash_at(arena, "root", json_object_get(vector, "root1"))
    };
    const struct merkle_tree new_tree = {
        number_at(vector, "size2"), hash_at(arena, "root", json_object_get(vector, "root2"))
    };
    struct merkle_path path = path_at(arena, json_object_get(vector, "proof"));

    return merkle_check_consistency(&old_tree, &new_tree, &path);
}

static int n_vectors; /* nftw() hands nothing on to its function */

static int run_vector(const char *path, const struct stat *info, int type, struct FTW *where)
{
    json_error_t error;

    (void)info;
    (void)where;
    if (type != FTW_F) {
        return 0;
    }
    struct arena *arena = arena_new();
    json_t *vector = json_load_file(path, JSON_DECODE_INT_AS_REAL, &error);
    assert_non_null(vector);
    bool want = !json_is_true(json_object_get(vector, "wantErr"));
    bool got = json_object_get(vector, "leafIdx") != NULL ? check_inclusion(arena, vector)
                                                          : check_consistency(arena, vector);
    if (got != want) {
        fail_msg("%s: got %d, want %d", path, got, want);
    }
    n_vectors++;
    json_decref(vector);
    arena_free(arena);
    return 0;
}

static void run_vectors(struct arena *arena, const char *folder, int want)
{
    const char *path = test_data(arena, folder);

    if (path == NULL) {
        skip();
        return; /* never reached: skip() jumps away */
    }
    n_vectors = 0;
    assert_int_equal(nftw(path, run_vector, 8, FTW_PHYS), 0);
    assert_int_equal(n_vectors, want);
}

static void all_98_inclusion_vectors_hold(void **state)
{
    run_vectors(*state, "merkle_proofs/testdata/inclusion", 98);
}

static void all_98_consistency_vectors_hold(void **state)
{
    run_vectors(*state, "merkle_proofs/testdata/consistency", 98);
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
        TEST(the_known_trees_have_the_known_roots),
        TEST(every_leaf_of_every_tree_is_proved),
        TEST(every_tree_is_proved_to_begin_the_later_ones),
        TEST(a_proof_needs_its_nodes),
        TEST(all_98_inclusion_vectors_hold),
        TEST(all_98_consistency_vectors_hold),
    };

    return cmocka_run_group_tests_name("merkle", tests, NULL, NULL);
}
