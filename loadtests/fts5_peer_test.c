#include "loadtests/fts5_peer.h"

#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

static const struct fts5_record records[] = {
    { "gnuchess", "plays a game of chess", "either against the user or itself" },
    { "fdupes", "identifies duplicate files", "within given directories" },
};

static void it_finds_records_with_any_of_the_words(void **state)
{
    struct arena *arena = arena_new();
    struct fts5_peer *peer = NULL;
    size_t n = 0;

    (void)state;
    assert_status(fts5_peer_new(arena, temp_folder(arena), &peer), STATUS_OK);
    assert_status(fts5_peer_add(peer, arena, records, 2), STATUS_OK);
    assert_status(fts5_peer_search(peer, arena, "chess duplicates", &n), STATUS_OK);
    assert_int_equal(n, 2);
    assert_status(fts5_peer_search(peer, arena, "chess", &n), STATUS_OK);
    assert_int_equal(n, 1);
    fts5_peer_free(peer);
    arena_free(arena);
}

static void words_are_no_operators(void **state)
{
    struct arena *arena = arena_new();
    struct fts5_peer *peer = NULL;
    size_t n = 0;

    (void)state;
    assert_status(fts5_peer_new(arena, temp_folder(arena), &peer), STATUS_OK);
    assert_status(fts5_peer_add(peer, arena, records, 2), STATUS_OK);
    assert_status(fts5_peer_search(peer, arena, "NOT c++ \"chess* NEAR(", &n), STATUS_OK);
    assert_int_equal(n, 1);
    fts5_peer_free(peer);
    arena_free(arena);
}

static void a_folder_that_is_not_there_is_said_to_be(void **state)
{
    struct arena *arena = arena_new();
    struct fts5_peer *peer = NULL;

    (void)state;
    assert_status(fts5_peer_new(arena, "/proc/nowhere", &peer), STATUS_UNAVAILABLE);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_records_with_any_of_the_words),
        cmocka_unit_test(words_are_no_operators),
        cmocka_unit_test(a_folder_that_is_not_there_is_said_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
