#include "libs/tlog/tile.h"

#include "libs/testing/assert_status.h"

#include <string.h>

static void paths_are_those_of_the_specification(void **state)
{
    static const struct {
        struct tile tile;
        const char *want;
    } cases[] = {
        { { 0, 0, 256 }, "tile/0/000" },
        { { 0, 5, 256 }, "tile/0/005" },
        { { 0, 1234067, 256 }, "tile/0/x001/x234/067" },
        { { 0, 273, 112 }, "tile/0/273.p/112" },
        { { 63, 1000, 1 }, "tile/63/x001/000.p/1" },
        { { TILE_ENTRIES, 1234067, 8 }, "tile/entries/x001/x234/067.p/8" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tile tile = { 0 };
        assert_string_equal(tile_path(*state, &cases[i].tile), cases[i].want);
        assert_true(tile_parse_path(bytes_of(cases[i].want), &tile));
        assert_int_equal(tile.level, cases[i].tile.level);
        assert_int_equal(tile.n, cases[i].tile.n);
        assert_int_equal(tile.width, cases[i].tile.width);
    }
}

static void what_is_no_path_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/5",
        "tile/0/0005",
        "tile/0/abc",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000/",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1/",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/x001/",
        "tile/0/001/002",
        "tile/0/x1/002",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/data/000",
        "/tile/0/000",
        "tile/0/../000",
    };
    struct tile tile;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (tile_parse_path(bytes_of(cases[i]), &tile)) {
            fail_msg("'%s' is taken for a tile", cases[i]);
        }
    }
}

static void widths_follow_from_the_size(void **state)
{
    (void)state;
    assert_int_equal(tile_width(256, 0, 0), 256);
    assert_int_equal(tile_width(256, 0, 1), 0);
    assert_int_equal(tile_width(256, 1, 0), 1);
    assert_int_equal(tile_width(70000, 0, 272), 256);
    assert_int_equal(tile_width(70000, TILE_ENTRIES, 273), 112);
    assert_int_equal(tile_width(70000, 1, 0), 256);
    assert_int_equal(tile_width(70000, 1, 1), 17);
    assert_int_equal(tile_width(70000, 2, 0), 1);
    assert_int_equal(tile_width(70000, 3, 0), 0);
    assert_int_equal(tile_width(UINT64_MAX, 63, 0), 0);
}

static void entries_come_out_of_a_bundle_as_they_went_in(void **state)
{
    uint8_t *large = arena_alloc(*state, TILE_MAX_ENTRY_BYTES);
    const bytes entries[] = { bytes_of("one"), bytes_of(""), { large, TILE_MAX_ENTRY_BYTES } };
    struct text bundle = text_new(*state);
    bytes entry;

    memset(large, 'x', TILE_MAX_ENTRY_BYTES);
    for (size_t i = 0; i < 3; i++) {
        bundle_add(&bundle, entries[i]);
    }
    bytes rest = text_bytes(&bundle);
    for (size_t i = 0; i < 3; i++) {
        assert_true(bundle_next(&rest, &entry));
        assert_int_equal(entry.size, entries[i].size);
        assert_memory_equal(entry.data, entries[i].data, entry.size);
    }
    assert_false(bundle_next(&rest, &entry));
    assert_int_equal(rest.size, 0);

    rest = (bytes){ text_bytes(&bundle).data, 4 }; /* cut off */
    assert_false(bundle_next(&rest, &entry));
    assert_int_equal(rest.size, 4);
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
        TEST(paths_are_those_of_the_specification),
        TEST(what_is_no_path_is_refused),
        TEST(widths_follow_from_the_size),
        TEST(entries_come_out_of_a_bundle_as_they_went_in),
    };

    return cmocka_run_group_tests_name("tile", tests, NULL, NULL);
}
