#include "libs/tlog/tile_reader.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"
#include "libs/tlog/checkpoint.h"
#include "libs/tlog/test_log.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct disk_files disk;
    struct files *files;
    struct test_log log;
};

static const uint64_t sizes[] = { 7, 300, 700 };

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new(), .files = &f.disk.files };
    assert_status(disk_files_init(&f.disk, f.arena, temp_folder(f.arena)), STATUS_OK);
    test_log_write(&f.log, f.arena, f.files, sizes, 3);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    disk_files_reset(&f->disk);
    arena_free(f->arena);
    return 0;
}

static struct merkle_tree tree_of(struct fixture *f, size_t i)
{
    struct checkpoint checkpoint;

    assert_status(checkpoint_open(f->arena, f->log.checkpoints[i], &f->log.verifier, &checkpoint),
                  STATUS_OK);
    return checkpoint.tree;
}

static void every_entry_is_read_and_proved_at_every_size(void **state)
{
    struct fixture *f = *state;

    for (size_t s = 0; s < 3; s++) {
        struct merkle_tree tree = tree_of(f, s);
        struct tile_nodes nodes;
        tile_nodes_init(&nodes, f->files, tree.size);
        for (uint64_t i = 0; i < tree.size; i += 13) {
            struct tile_bundle bundle;
            struct merkle_path path;
            assert_status(tile_read_bundle(f->files, f->arena, tree.size, i / 256, &bundle),
                          STATUS_OK);
            struct sha256 leaf = merkle_leaf_hash(bundle.entries[i % 256]);
            assert_status(merkle_prove_inclusion(&nodes.nodes, f->arena, i, tree.size, &path),
                          STATUS_OK);
            assert_true(merkle_check_inclusion(i, tree.size, &leaf, &path, &tree.root));
        }
    }
}

static void sizes_are_proved_consistent(void **state)
{
    struct fixture *f = *state;
    struct merkle_tree last = tree_of(f, 2);
    struct tile_nodes nodes;

    tile_nodes_init(&nodes, f->files, last.size);
    for (size_t s = 0; s < 3; s++) {
        struct merkle_tree tree = tree_of(f, s);
        struct merkle_path path;
        assert_status(merkle_prove_consistency(&nodes.nodes, f->arena, tree.size, last.size, &path),
                      STATUS_OK);
        assert_true(merkle_check_consistency(&tree, &last, &path));
    }
}

static void the_edge_that_is_read_has_the_root(void **state)
{
    struct fixture *f = *state;
    struct tile_edge *edge = ARENA_NEW(f->arena, struct tile_edge);

    for (size_t s = 0; s < 3; s++) {
        struct merkle_tree tree = tree_of(f, s);
        assert_status(tile_read_edge(f->files, f->arena, tree.size, edge), STATUS_OK);
        struct sha256 root = tile_edge_root(edge);
        assert_true(sha256_equal(&root, &tree.root));
    }
}

static void a_partial_tile_that_is_gone_is_read_from_the_full_one(void **state)
{
    struct fixture *f = *state;
    const struct tile tile = { .level = 0, .n = 0 };
    const struct sha256 *hashes;
    struct tile_bundle bundle;

    assert_status(files_remove(f->files, f->arena, "tile/0/000.p/7"), STATUS_OK);
    assert_status(files_remove(f->files, f->arena, "tile/entries/000.p/7"), STATUS_OK);
    assert_status(tile_read(f->files, f->arena, 7, &tile, &hashes), STATUS_OK);
    assert_status(tile_read_bundle(f->files, f->arena, 7, 0, &bundle), STATUS_OK);
    assert_int_equal(bundle.n_entries, 7);
    struct sha256 leaf = merkle_leaf_hash(bundle.entries[6]);
    assert_true(sha256_equal(&leaf, &hashes[6]));
}

static void what_is_missing_or_cut_off_is_named(void **state)
{
    struct fixture *f = *state;
    const struct tile tile = { .level = 0, .n = 2 };
    const struct sha256 *hashes;
    struct tile_bundle bundle;

    assert_status(files_replace(f->files, f->arena, "tile/0/002.p/188", bytes_of("short")),
                  STATUS_OK);
    status s = tile_read(f->files, f->arena, 700, &tile, &hashes);
    assert_status(s, STATUS_DATA_LOSS);
    assert_string_equal(s.message, "tile/0/002.p/188: has 5 bytes, not 6016");
    assert_status(files_remove(f->files, f->arena, "tile/0/002.p/188"), STATUS_OK);
    s = tile_read(f->files, f->arena, 700, &tile, &hashes);
    assert_status(s, STATUS_DATA_LOSS);
    assert_string_equal(s.message, "tile/0/002.p/188: is missing");
    assert_status(files_replace(f->files, f->arena, "tile/entries/000", bytes_of("short")),
                  STATUS_OK);
    s = tile_read_bundle(f->files, f->arena, 700, 0, &bundle);
    assert_status(s, STATUS_DATA_LOSS);
    assert_string_equal(s.message, "tile/entries/000: is not a bundle of 256 entries");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_entry_is_read_and_proved_at_every_size),
        TEST(sizes_are_proved_consistent),
        TEST(the_edge_that_is_read_has_the_root),
        TEST(a_partial_tile_that_is_gone_is_read_from_the_full_one),
        TEST(what_is_missing_or_cut_off_is_named),
    };

    return cmocka_run_group_tests_name("tile_reader", tests, NULL, NULL);
}
