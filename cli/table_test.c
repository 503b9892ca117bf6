#include "cli/table.h"

#include "libs/testing/assert_status.h"

#include <stdlib.h>

/* The table of all rows in a terminal of this width. */
static const char *print(struct arena *arena, size_t width, size_t n_rows,
                         const struct field (*rows)[3])
{
    struct table *table = table_new(arena);
    char *text = NULL;
    size_t size = 0;

    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    for (size_t i = 0; i < n_rows; i++) {
        table_add(table, rows[i], 3);
    }
    table_print(table, out, false, width);
    (void)fclose(out);
    const char *copy = arena_strdup(arena, text);
    free(text);
    return copy;
}

#define PRINT(arena, width, ...)                                                      \
    print(arena, width,                                                               \
          sizeof((const struct field[][3]){ __VA_ARGS__ }) / sizeof(struct field[3]), \
          (const struct field[][3]){ __VA_ARGS__ })

#define STATUS_ROWS                                                                    \
    { field_text("name", "agent"), field_text("address", "unix:/run/weft/agent.sock"), \
      field_only(FIELD_WHERE_ROOM, field_number("pid", 12)) },                         \
    {                                                                                  \
        field_text("name", "tenant"), field_text("address", "127.0.0.1:80"),           \
            field_only(FIELD_WHERE_ROOM, field_number("pid", 3))                       \
    }

static void what_has_room_is_not_touched(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const char *whole = "NAME    ADDRESS                    PID\n"
                        "agent   unix:/run/weft/agent.sock   12\n"
                        "tenant  127.0.0.1:80                 3\n";

    assert_string_equal(PRINT(arena, 0, STATUS_ROWS), whole);
    assert_string_equal(PRINT(arena, 38, STATUS_ROWS), whole);
    arena_free(arena);
}

static void what_is_for_where_room_is_goes_first(void **state)
{
    (void)state;
    struct arena *arena = arena_new();

    assert_string_equal(PRINT(arena, 37, STATUS_ROWS), "NAME    ADDRESS\n"
                                                       "agent   unix:/run/weft/agent.sock\n"
                                                       "tenant  127.0.0.1:80\n");
    arena_free(arena);
}

static void then_cells_are_broken_where_words_join(void **state)
{
    (void)state;
    struct arena *arena = arena_new();

    assert_string_equal(PRINT(arena, 28, STATUS_ROWS), "NAME    ADDRESS\n"
                                                       "agent   unix:/run/weft/\n"
                                                       "        agent.sock\n"
                                                       "tenant  127.0.0.1:80\n");
    arena_free(arena);
}

static void prose_is_broken_between_words(void **state)
{
    (void)state;
    struct arena *arena = arena_new();

    assert_string_equal(PRINT(arena, 24,
                              { field_real("score", 1.5), field_text("id", "a-b"),
                                field_text("text", "find duplicate files  now") }),
                        "SCORE  ID   TEXT\n"
                        "  1.5  a-b  find\n"
                        "            duplicate\n"
                        "            files  now\n");
    arena_free(arena);
}

static void other_joints_are_used_only_when_those_do_not_do(void **state)
{
    (void)state;
    struct arena *arena = arena_new();

    assert_string_equal(PRINT(arena, 16,
                              { field_text("a", "service-account.create"), field_number("n", 7),
                                field_text("b", "x") }),
                        "A         N  B\n"
                        "service-  7  x\n"
                        "account.\n"
                        "create\n");
    arena_free(arena);
}

static void what_cannot_fit_becomes_blocks_and_is_whole(void **state)
{
    (void)state;
    struct arena *arena = arena_new();

    assert_string_equal(
        PRINT(arena, 20,
              { field_text("event_id", "01m7zdck51a29g101b6z3d5a0c"), field_text("by", "bot"),
                field_only(FIELD_WHERE_ROOM, field_number("n", 1)) },
              { field_text("event_id", "01m7zdcjwtnqt52mzh7q6pwjs9"), field_text("by", "bot"),
                field_only(FIELD_WHERE_ROOM, field_number("n", 2)) }),
        "EVENT ID  01m7zdck51a29g101b6z3d5a0c\n"
        "BY        bot\n"
        "N         1\n"
        "\n"
        "EVENT ID  01m7zdcjwtnqt52mzh7q6pwjs9\n"
        "BY        bot\n"
        "N         2\n");
    arena_free(arena);
}

static void what_is_indented_stays_so(void **state)
{
    (void)state;
    struct arena *arena = arena_new();

    assert_string_equal(
        PRINT(arena, 12,
              { field_text("name", "  Search/Get it"),
                field_only(FIELD_TABLE_WHERE_ROOM, field_text("when", "[==      ]")),
                field_number("n", 1) }),
        "NAME       N\n"
        "  Search/  1\n"
        "Get it\n");
    arena_free(arena);
}

static void characters_are_counted_and_not_bytes(void **state)
{
    (void)state;
    struct arena *arena = arena_new();

    assert_string_equal(PRINT(arena, 9,
                              { field_text("a", "Zo\xc3\xab Zo\xc3\xab"), field_text("b", "x"),
                                field_text("c", "y") }),
                        "A    B  C\n"
                        "Zo\xc3\xab  x  y\n"
                        "Zo\xc3\xab\n");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_room_is_not_touched),
        cmocka_unit_test(what_is_for_where_room_is_goes_first),
        cmocka_unit_test(then_cells_are_broken_where_words_join),
        cmocka_unit_test(prose_is_broken_between_words),
        cmocka_unit_test(other_joints_are_used_only_when_those_do_not_do),
        cmocka_unit_test(what_cannot_fit_becomes_blocks_and_is_whole),
        cmocka_unit_test(what_is_indented_stays_so),
        cmocka_unit_test(characters_are_counted_and_not_bytes),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
