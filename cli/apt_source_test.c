#include "cli/apt_source.h"

#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

static void the_lists_of_a_folder_are_joined(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const char *folder = temp_folder(arena);
    struct apt_reader *reader = NULL;
    const char *where = "";
    struct disk_files files;

    assert_status(disk_files_init(&files, arena, folder), STATUS_OK);
    assert_status(files_replace(&files.files, arena, "x_main_binary-amd64_Packages",
                                bytes_of("Package: gnuchess\nDescription: chess\n"
                                         "Description-md5: 9ea2b6e4c1d2f3a4b5c6d7e8f9a0b1c2\n")),
                  STATUS_OK);
    assert_status(files_replace(&files.files, arena, "x_main_i18n_Translation-en",
                                bytes_of("Description-md5: 9ea2b6e4c1d2f3a4b5c6d7e8f9a0b1c2\n"
                                         "Description-en: chess\n long\n")),
                  STATUS_OK);
    disk_files_reset(&files);
    assert_int_equal(setenv("WEFT_APT_LISTS", folder, 1), 0);
    assert_status(apt_source_open(arena, "/proc/nowhere", &reader, &where), STATUS_OK);
    assert_string_equal(where, folder);
    assert_int_equal(apt_reader_count(reader), 1);
    assert_string_equal(apt_reader_record(reader, 0)->text, "long");
    apt_reader_free(reader);
    arena_free(arena);
}

static void a_folder_without_lists_is_an_error(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct apt_reader *reader = NULL;
    const char *where = "";

    assert_int_equal(setenv("WEFT_APT_LISTS", temp_folder(arena), 1), 0);
    assert_status(apt_source_open(arena, "/proc/nowhere", &reader, &where), STATUS_NOT_FOUND);
    assert_null(reader);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lists_of_a_folder_are_joined),
        cmocka_unit_test(a_folder_without_lists_is_an_error),
    };

    return cmocka_run_group_tests_name("apt_source", tests, NULL, NULL);
}
