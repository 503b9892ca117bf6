#include "libs/tlog/note.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"

#include <string.h>

/* The example of the specification. */
#define VKEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define TEXT "This is an example message.\n"
#define SIGNATURE                                                                             \
    "\xe2\x80\x94 example.com/foo "                                                           \
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72Ine" \
    "yaQM=\n"

static struct note_verifier parse_vkey(struct arena *arena, const char *vkey)
{
    struct note_verifier verifier;

    assert_status(note_verifier_parse(arena, bytes_of(vkey), &verifier), STATUS_OK);
    return verifier;
}

static void the_example_of_the_specification_opens(void **state)
{
    struct note_verifier verifier = parse_vkey(*state, VKEY);
    struct note note;

    assert_status(note_open(*state, bytes_of(TEXT "\n" SIGNATURE), &verifier, &note), STATUS_OK);
    assert_int_equal(note.n_signatures, 1);
    assert_int_equal(note.text.size, strlen(TEXT));
    assert_string_equal(note.signatures[0].name, "example.com/foo");
    assert_string_equal(note_verifier_format(*state, &verifier), VKEY);
}

static void what_is_no_note_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "\n\n",
        TEXT,
        TEXT "\n",
        TEXT SIGNATURE,
        TEXT "\nx" SIGNATURE,
        TEXT "\n" SIGNATURE "x",
        TEXT "\n\xe2\x80\x94 a b\n",
        TEXT "\n\xe2\x80\x94 a AAAAAA==\n",        /* a key id and nothing behind it */
        TEXT "\n\xe2\x80\x94 a+b AAAAAAE=\n",      /* no name */
        TEXT "\n\xe2\x80\x94  AAAAAAE=\n",         /* an empty name */
        TEXT "\n\xe2\x80\x94 \xc2\xa0 AAAAAAE=\n", /* a name of a space */
        "a\tb\n\n" SIGNATURE,
        "\xff\n\n" SIGNATURE,
    };
    struct note note;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s = note_parse(*state, bytes_of(cases[i]), &note);
        if (s.code != STATUS_INVALID_ARGUMENT) {
            fail_msg("'%s': got %s", cases[i], status_code_name(s.code));
        }
    }
}

static void too_much_is_refused(void **state)
{
    struct text text = text_new(*state);
    struct note note;

    text_add(&text, TEXT "\n");
    for (int i = 0; i < NOTE_MAX_SIGNATURES; i++) {
        text_add(&text, "%s", SIGNATURE);
    }
    assert_status(note_parse(*state, text_bytes(&text), &note), STATUS_OK);
    text_add(&text, "%s", SIGNATURE);
    assert_status(note_parse(*state, text_bytes(&text), &note), STATUS_INVALID_ARGUMENT);

    char *large = arena_alloc(*state, NOTE_MAX_BYTES + 2);
    memset(large, 'x', NOTE_MAX_BYTES + 1);
    memcpy(large + NOTE_MAX_BYTES - strlen("\n\n" SIGNATURE), "\n\n" SIGNATURE,
           strlen("\n\n" SIGNATURE) + 1);
    assert_status(note_parse(*state, bytes_of(large), &note), STATUS_OK);
    large[NOTE_MAX_BYTES] = '\n';
    assert_status(note_parse(*state, bytes_of(large), &note), STATUS_INVALID_ARGUMENT);
}

static void the_last_blank_line_ends_the_text(void **state)
{
    struct note note;

    assert_status(note_parse(*state, bytes_of("a\n\nb\n\n" SIGNATURE), &note), STATUS_OK);
    assert_int_equal(note.text.size, strlen("a\n\nb\n"));
}

static void a_signed_note_opens_and_a_changed_one_does_not(void **state)
{
    struct seeded_random random;
    struct note_signer signer;
    struct note note;
    bytes data;

    seeded_random_init(&random, 3);
    assert_status(note_signer_generate(*state, &random.source, "log.example/7", &signer),
                  STATUS_OK);
    struct note_verifier verifier = note_signer_verifier(&signer);
    assert_status(note_sign(*state, bytes_of("a\nb\n"), &signer, &data), STATUS_OK);
    assert_status(note_open(*state, data, &verifier, &note), STATUS_OK);
    for (size_t i = 0; i < data.size; i++) {
        uint8_t *copy = arena_alloc(*state, data.size);
        memcpy(copy, data.data, data.size);
        copy[i] ^= 1;
        status s = note_open(*state, (bytes){ copy, data.size }, &verifier, &note);
        if (status_is_ok(s)) {
            fail_msg("byte %zu may change", i);
        }
    }
    assert_status(note_sign(*state, bytes_of("no newline"), &signer, &data),
                  STATUS_INVALID_ARGUMENT);
}

static void signatures_of_others_are_left_standing(void **state)
{
    struct note_verifier verifier = parse_vkey(*state, VKEY);
    struct note note;

    assert_status(note_open(*state,
                            bytes_of(TEXT "\n\xe2\x80\x94 witness.example AAAAAAE=\n" SIGNATURE),
                            &verifier, &note),
                  STATUS_OK);
    assert_int_equal(note.n_signatures, 2);
    assert_status(note_open(*state, bytes_of(TEXT "\n\xe2\x80\x94 witness.example AAAAAAE=\n"),
                            &verifier, &note),
                  STATUS_DATA_LOSS);
}

static void a_key_survives_being_written(void **state)
{
    struct seeded_random random;
    struct note_signer signer;
    struct note_signer again;

    seeded_random_init(&random, 3);
    assert_status(note_signer_generate(*state, &random.source, "log.example/7", &signer),
                  STATUS_OK);
    const char *text = note_signer_format(*state, &signer);
    assert_status(note_signer_parse(*state, bytes_of(text), &again), STATUS_OK);
    assert_string_equal(again.name, "log.example/7");
    assert_int_equal(again.key_id, signer.key_id);
    assert_memory_equal(&again.key, &signer.key, sizeof signer.key);
    note_signer_wipe(&again);
    assert_memory_not_equal(&again.key, &signer.key, sizeof signer.key);
    assert_status(note_signer_generate(*state, &random.source, "a b", &signer),
                  STATUS_INVALID_ARGUMENT);
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903a+",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U==",
    };
    struct note_verifier verifier;
    struct note_signer signer;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_status(note_verifier_parse(*state, bytes_of(cases[i]), &verifier),
                      STATUS_INVALID_ARGUMENT);
        assert_status(note_signer_parse(*state,
                                        bytes_of(arena_printf(*state, "PRIVATE+KEY+%s", cases[i])),
                                        &signer),
                      STATUS_INVALID_ARGUMENT);
    }
    assert_status(note_signer_parse(*state, bytes_of(VKEY), &signer), STATUS_INVALID_ARGUMENT);
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
        TEST(the_example_of_the_specification_opens),
        TEST(what_is_no_note_is_refused),
        TEST(too_much_is_refused),
        TEST(the_last_blank_line_ends_the_text),
        TEST(a_signed_note_opens_and_a_changed_one_does_not),
        TEST(signatures_of_others_are_left_standing),
        TEST(a_key_survives_being_written),
        TEST(what_is_no_key_is_refused),
    };

    return cmocka_run_group_tests_name("note", tests, NULL, NULL);
}
