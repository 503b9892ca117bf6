#include "libs/tlog/tile_edge.h"

#include "libs/testing/assert_status.h"
#include "libs/tlog/merkle.h"

enum { LEAVES = 600 };

struct fixture {
    struct arena *arena;
    struct tile_edge *edge;
    struct sha256 leaves[LEAVES];
};

struct noting_sink {
    struct tile_sink sink;
    struct tile full[8];
    size_t n;
    bool broken;
};

static status note(struct tile_sink *sink, struct arena *arena, const struct tile *tile,
                   const struct sha256 *hashes)
{
    struct noting_sink *self = (struct noting_sink *)sink;

    (void)hashes;
    if (self->broken) {
        return status_error(arena, STATUS_UNAVAILABLE, "told to fail");
    }
    self->full[self->n++] = *tile;
    return status_ok();
}

static int set_up(void **state)
{
    static struct fixture f;

    f.arena = arena_new();
    f.edge = ARENA_NEW(f.arena, struct tile_edge);
    tile_edge_init(f.edge);
    for (uint32_t i = 0; i < LEAVES; i++) {
        f.leaves[i] = merkle_leaf_hash((bytes){ (const uint8_t *)&i, sizeof i });
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    return 0;
}

static void the_root_of_every_size_comes_from_the_edge(void **state)
{
    struct fixture *f = *state;
    struct noting_sink sink = { .sink = { .full = note } };

    for (size_t size = 0; size <= LEAVES; size++) {
        struct sha256 want = merkle_root(f->leaves, size);
        struct sha256 root = tile_edge_root(f->edge);
        assert_true(sha256_equal(&root, &want));
        if (size < LEAVES) {
            assert_status(tile_edge_add(f->edge, f->arena, &f->leaves[size], &sink.sink),
                          STATUS_OK);
        }
    }
    assert_int_equal(sink.n, 2);
    assert_int_equal(sink.full[1].level, 0);
    assert_int_equal(sink.full[1].n, 1);
    assert_int_equal(sink.full[1].width, TILE_WIDTH);
}

/* 65,536 leaves fill a tile of level 1; that many of the same take a moment, not a minute. */
static void full_tiles_come_from_every_level(void **state)
{
    struct fixture *f = *state;
    struct tile last = { 0 };

    for (uint64_t n = 0; n < (uint64_t)TILE_WIDTH * TILE_WIDTH; n++) {
        struct noting_sink sink = { .sink = { .full = note } };
        assert_status(tile_edge_add(f->edge, f->arena, &f->leaves[0], &sink.sink), STATUS_OK);
        if (sink.n > 0) {
            last = sink.full[sink.n - 1];
        }
    }
    assert_int_equal(last.level, 1);
    assert_int_equal(last.n, 0);
    assert_int_equal(f->edge->size, 65536);
}

static void a_sink_that_fails_is_said(void **state)
{
    struct fixture *f = *state;
    struct noting_sink sink = { .sink = { .full = note }, .broken = true };
    status s = status_ok();

    for (int i = 0; i < TILE_WIDTH; i++) {
        s = tile_edge_add(f->edge, f->arena, &f->leaves[i], &sink.sink);
    }
    assert_status(s, STATUS_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_root_of_every_size_comes_from_the_edge),
        TEST(full_tiles_come_from_every_level),
        TEST(a_sink_that_fails_is_said),
    };

    return cmocka_run_group_tests_name("tile_edge", tests, NULL, NULL);
}
