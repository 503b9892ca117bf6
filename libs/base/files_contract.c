#include "libs/base/files_contract.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static struct file *open_file(struct files *files, struct arena *arena, const char *name)
{
    struct file *file = NULL;

    assert_status(files_open(files, arena, name, FILES_WRITE, &file), STATUS_OK);
    return file;
}

static void assert_content(struct files *files, struct arena *arena, const char *name,
                           const char *want)
{
    bytes data;

    assert_status(files_read(files, arena, name, 1000, &data), STATUS_OK);
    assert_int_equal(data.size, strlen(want));
    assert_memory_equal(data.data, want, data.size);
}

static void assert_names(struct files *files, struct arena *arena, const char *folder,
                         const char *want)
{
    struct files_names names;
    struct text got = text_new(arena);

    assert_status(files_list(files, arena, folder, &names), STATUS_OK);
    for (size_t i = 0; i < names.n_names; i++) {
        text_add(&got, "%s%s", i == 0 ? "" : " ", names.names[i]);
    }
    assert_string_equal(text_string(&got), want);
}

static void reads_what_was_written(struct files *files, struct arena *arena)
{
    struct file *file = open_file(files, arena, "plain");
    uint8_t data[8];
    size_t n = 0;

    assert_status(file_write_at(file, arena, 0, bytes_of("hello")), STATUS_OK);
    assert_status(file_write_at(file, arena, 1, bytes_of("u")), STATUS_OK);
    assert_status(file_read_at(file, arena, 0, data, sizeof data, &n), STATUS_OK);
    assert_int_equal(n, 5); /* fewer only at the end of the file */
    assert_memory_equal(data, "hullo", 5);
    assert_status(file_read_at(file, arena, 3, data, 2, &n), STATUS_OK);
    assert_int_equal(n, 2);
    assert_memory_equal(data, "lo", 2);
    assert_status(file_read_at(file, arena, 100, data, sizeof data, &n), STATUS_OK);
    assert_int_equal(n, 0);
    file_close(file);
    assert_content(files, arena, "plain", "hullo");
}

static void what_lies_past_the_end_reads_as_zeros(struct files *files, struct arena *arena)
{
    struct file *file = open_file(files, arena, "gap");
    uint64_t size = 0;
    uint8_t data[8];
    size_t n = 0;

    assert_status(file_write_at(file, arena, 4, bytes_of("x")), STATUS_OK);
    assert_status(file_size(file, arena, &size), STATUS_OK);
    assert_int_equal(size, 5);
    assert_status(file_read_at(file, arena, 0, data, sizeof data, &n), STATUS_OK);
    assert_memory_equal(data, "\0\0\0\0x", 5);
    file_close(file);
}

/* Longer again, it does not show what stood there before. */
static void truncate_makes_shorter_and_longer(struct files *files, struct arena *arena)
{
    struct file *file = open_file(files, arena, "cut");
    uint8_t data[8];
    size_t n = 0;

    assert_status(file_write_at(file, arena, 0, bytes_of("secret")), STATUS_OK);
    assert_status(file_truncate(file, arena, 2), STATUS_OK);
    assert_status(file_truncate(file, arena, 4), STATUS_OK);
    assert_status(file_read_at(file, arena, 0, data, sizeof data, &n), STATUS_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(data, "se\0\0", 4);
    assert_status(file_sync(file, arena), STATUS_OK);
    file_close(file);
}

static void a_map_shows_the_file(struct files *files, struct arena *arena)
{
    struct file *file = open_file(files, arena, "mapped");
    bytes data = { .size = 1 };

    assert_status(file_map(file, arena, &data), STATUS_OK);
    assert_int_equal(data.size, 0);
    assert_status(file_write_at(file, arena, 0, bytes_of("map me")), STATUS_OK);
    file_close(file);
    assert_status(files_open(files, arena, "mapped", FILES_READ, &file), STATUS_OK);
    assert_status(file_map(file, arena, &data), STATUS_OK);
    assert_int_equal(data.size, 6);
    assert_memory_equal(data.data, "map me", 6);
    file_close(file);
}

static void what_is_not_there_is_not_found(struct files *files, struct arena *arena)
{
    struct files_names names;
    struct file *file;
    bytes data;

    assert_status(files_open(files, arena, "none", FILES_READ, &file), STATUS_NOT_FOUND);
    assert_status(files_open(files, arena, "no/file", FILES_WRITE, &file), STATUS_NOT_FOUND);
    assert_status(files_read(files, arena, "none", 10, &data), STATUS_NOT_FOUND);
    assert_status(files_list(files, arena, "none", &names), STATUS_NOT_FOUND);
    assert_status(files_rename(files, arena, "none", "some"), STATUS_NOT_FOUND);
    assert_status(files_rename(files, arena, "plain", "no/file"), STATUS_NOT_FOUND);
    assert_status(files_sync_folder(files, arena, "none"), STATUS_NOT_FOUND);
    assert_status(files_remove(files, arena, "none"), STATUS_OK);
    assert_status(files_remove(files, arena, "no/file"), STATUS_OK);
}

static void a_file_opened_for_reading_is_not_written(struct files *files, struct arena *arena)
{
    struct file *file;

    assert_status(files_open(files, arena, "plain", FILES_READ, &file), STATUS_OK);
    assert_status(file_write_at(file, arena, 0, bytes_of("x")), STATUS_UNAVAILABLE);
    assert_status(file_truncate(file, arena, 0), STATUS_UNAVAILABLE);
    file_close(file);
    assert_content(files, arena, "plain", "hullo");
}

static void folders_nest_and_list_in_order(struct files *files, struct arena *arena)
{
    static const char *const files_made[] = { "a/b/2", "a/b/10", "a/b/1", "a/x" };

    assert_status(files_make_folder(files, arena, "a/b"), STATUS_OK);
    assert_status(files_make_folder(files, arena, "a/b"), STATUS_OK);
    for (size_t i = 0; i < sizeof files_made / sizeof files_made[0]; i++) {
        file_close(open_file(files, arena, files_made[i]));
    }
    assert_names(files, arena, "a", "b x");
    assert_names(files, arena, "a/b", "1 10 2");
    assert_status(files_sync_folder(files, arena, "a/b"), STATUS_OK);
    assert_status(files_sync_folder(files, arena, ""), STATUS_OK);
    assert_status(files_make_folder(files, arena, "a/x"), STATUS_UNAVAILABLE);
}

static void rename_takes_the_place_of_what_is_there(struct files *files, struct arena *arena)
{
    assert_status(files_replace(files, arena, "a/old", bytes_of("old")), STATUS_OK);
    assert_status(files_replace(files, arena, "new", bytes_of("new")), STATUS_OK);
    assert_status(files_rename(files, arena, "new", "a/old"), STATUS_OK);
    assert_content(files, arena, "a/old", "new");
    assert_status(files_rename(files, arena, "a/old", "a/old"), STATUS_OK);
    assert_content(files, arena, "a/old", "new");
    assert_status(files_rename(files, arena, "a/b", "c"), STATUS_OK);
    assert_names(files, arena, "c", "1 10 2");
    assert_names(files, arena, "a", "old x");
    assert_status(files_rename(files, arena, "c", "c/deep"), STATUS_UNAVAILABLE);
    assert_status(files_rename(files, arena, "c", "a"), STATUS_UNAVAILABLE);
}

/* As POSIX has it: the name goes at once, the bytes with the last who reads them. */
static void an_open_file_outlives_its_name(struct files *files, struct arena *arena)
{
    struct file *file = open_file(files, arena, "brief");
    uint8_t data[8];
    size_t n = 0;

    assert_status(file_write_at(file, arena, 0, bytes_of("still")), STATUS_OK);
    assert_status(files_remove(files, arena, "brief"), STATUS_OK);
    assert_status(file_read_at(file, arena, 0, data, sizeof data, &n), STATUS_OK);
    assert_int_equal(n, 5);
    file_close(file);
    assert_status(files_open(files, arena, "brief", FILES_READ, &file), STATUS_NOT_FOUND);
}

static void only_an_empty_folder_is_removed(struct files *files, struct arena *arena)
{
    assert_status(files_make_folder(files, arena, "gone"), STATUS_OK);
    file_close(open_file(files, arena, "gone/file"));
    assert_status(files_remove(files, arena, "gone"), STATUS_UNAVAILABLE);
    assert_status(files_remove(files, arena, "gone/file"), STATUS_OK);
    assert_status(files_remove(files, arena, "gone"), STATUS_OK);
    assert_status(files_remove(files, arena, "gone"), STATUS_OK);
}

static void replace_leaves_nothing_behind(struct files *files, struct arena *arena)
{
    bytes data;

    assert_status(files_make_folder(files, arena, "r"), STATUS_OK);
    assert_status(files_replace(files, arena, "r/state", bytes_of("a long text")), STATUS_OK);
    assert_status(files_replace(files, arena, "r/state", bytes_of("short")), STATUS_OK);
    assert_content(files, arena, "r/state", "short");
    assert_names(files, arena, "r", "state");
    assert_status(files_read(files, arena, "r/state", 5, &data), STATUS_OK);
    assert_int_equal(data.data[5], 0); /* for whoever reads text */
    assert_status(files_read(files, arena, "r/state", 4, &data), STATUS_RESOURCE_EXHAUSTED);
}

void files_contract(struct files *files)
{
    struct arena *arena = arena_new();

    reads_what_was_written(files, arena);
    what_lies_past_the_end_reads_as_zeros(files, arena);
    truncate_makes_shorter_and_longer(files, arena);
    a_map_shows_the_file(files, arena);
    what_is_not_there_is_not_found(files, arena);
    a_file_opened_for_reading_is_not_written(files, arena);
    folders_nest_and_list_in_order(files, arena);
    rename_takes_the_place_of_what_is_there(files, arena);
    an_open_file_outlives_its_name(files, arena);
    only_an_empty_folder_is_removed(files, arena);
    replace_leaves_nothing_behind(files, arena);
    file_close(NULL);
    arena_free(arena);
}
