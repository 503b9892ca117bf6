#include "cli/apt_records.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static const char packages[] = "Package: gnuchess\n"
                               "Version: 6.2.9-1\n"
                               "Maintainer: Ada <ada@example.org>\n"
                               "Tag: game::board,\n"
                               " interface::commandline\n"
                               "Section: games\n"
                               "Priority: optional\n"
                               "Description: plays a game of chess\n"
                               "Description-md5: 9ea2b6e4c1d2f3a4b5c6d7e8f9a0b1c2\n"
                               "\n"
                               "Package: other\n"
                               "Description: short\n"
                               " long, here\n"
                               "\n\n"
                               "Package: gnuchess\n"
                               "Section: again\n";

static const char translations[] = "Package: gnuchess\n"
                                   "Description-md5: 9ea2b6e4c1d2f3a4b5c6d7e8f9a0b1c2\n"
                                   "Description-en: plays a game of chess, either way\n"
                                   " GNU Chess is a program.\n"
                                   " .\n"
                                   "   It is \xff good.\n";

static void packages_are_joined_with_their_long_texts(void **state)
{
    (void)state;
    struct apt_reader *reader = apt_reader_new();

    apt_reader_add_translations(reader, bytes_of(translations));
    apt_reader_add_packages(reader, bytes_of(packages));
    assert_int_equal(apt_reader_count(reader), 2);
    const struct apt_record *chess = apt_reader_record(reader, 0);
    assert_string_equal(chess->name, "gnuchess");
    assert_string_equal(chess->section, "games");
    assert_string_equal(chess->priority, "optional");
    assert_string_equal(chess->maintainer, "Ada <ada@example.org>");
    assert_string_equal(chess->summary, "plays a game of chess, either way");
    assert_string_equal(chess->text, "GNU Chess is a program.\n\n  It is ? good.");
    assert_string_equal(apt_reader_record(reader, 1)->text, "long, here");
    apt_reader_free(reader);
}

static void a_list_without_texts_has_its_summaries(void **state)
{
    (void)state;
    struct apt_reader *reader = apt_reader_new();

    apt_reader_add_packages(reader, bytes_of(packages));
    assert_string_equal(apt_reader_record(reader, 0)->summary, "plays a game of chess");
    assert_string_equal(apt_reader_record(reader, 0)->text, "");
    apt_reader_free(reader);
}

static void what_is_no_stanza_is_skipped(void **state)
{
    (void)state;
    const char *cases[] = { "",    "\n\n",     "no colon here\n", " goes on from nothing\n",
                            ":\n", "Package:", "Package: \n",     "Section: x\n" };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct apt_reader *reader = apt_reader_new();
        apt_reader_add_translations(reader, bytes_of(cases[i]));
        apt_reader_add_packages(reader, bytes_of(cases[i]));
        assert_int_equal(apt_reader_count(reader), 0);
        apt_reader_free(reader);
    }
}

static void a_list_that_is_cut_gives_what_it_has(void **state)
{
    (void)state;

    /* At most a third, of half a name. */
    for (size_t size = 0; size < strlen(packages); size++) {
        struct apt_reader *reader = apt_reader_new();
        apt_reader_add_packages(reader, (bytes){ (const uint8_t *)packages, size });
        assert_true(apt_reader_count(reader) <= 3);
        apt_reader_free(reader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packages_are_joined_with_their_long_texts),
        cmocka_unit_test(a_list_without_texts_has_its_summaries),
        cmocka_unit_test(what_is_no_stanza_is_skipped),
        cmocka_unit_test(a_list_that_is_cut_gives_what_it_has),
    };

    return cmocka_run_group_tests_name("apt_records", tests, NULL, NULL);
}
