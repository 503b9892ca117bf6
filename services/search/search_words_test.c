#include "services/search/search_words.h"

#include "libs/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The words of a text, each in brackets. */
static const char *words_in(struct arena *arena, bytes text)
{
    struct words words = words_of(text);
    struct text out = text_new(arena);
    struct word word;

    while (words_next(&words, &word)) {
        text_add(&out, "[%.*s]", (int)word.folded.size, (const char *)word.folded.data);
        assert_true(word.start < word.end && word.end <= text.size);
    }
    return text_string(&out);
}

static void words_are_split_and_folded(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        { "", "" },
        { " ,.- ", "" },
        { "Play CHESS, twice!", "[play][chess][twice]" },
        { "handbrake-cli x264 mp3", "[handbrake][cli][x264][mp3]" },
        { "it's 'tis dogs' rock'n'roll", "[it's][tis][dogs][rock'n'roll]" },
        { "C++ a_b f(x)=3.14", "[c][a][b][f][x][3][14]" },
        { "Ärger Straße ŒUVRE naïve Łódź Tiếng", "[arger][strasse][oeuvre][naive][lodz][tieng]" },
        { "e\xcc\x81te\xcc\x81", "[ete]" }, /* combining accents */
        { "ΑΘΗΝΑ Москва Ёж", "[αθηνα][москва][ёж]" },
        { "日本語abc ひらがな", "[日][本][語][abc][ひ][ら][が][な]" },
        { "abc日", "[abc][日]" },
        { "ＡＢＣ１２", "[abc12]" },
        { "one\u2014two\u201cthree\u201d \u20ac5", "[one][two][three][5]" },
        { "smile\U0001f600smile", "[smile][smile]" },
        { "a\xff"
          "b\xc3",
          "[a][b]" }, /* what is not UTF-8 separates */
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *words = words_in(arena, bytes_of(cases[i].text));
        if (strcmp(words, cases[i].words) != 0) {
            fail_msg("'%s': got %s, want %s", cases[i].text, words, cases[i].words);
        }
    }
    arena_free(arena);
}

static void long_words_are_cut_between_characters(void **state)
{
    struct arena *arena = arena_new();
    struct text latin = text_new(arena);
    struct text cyrillic = text_new(arena);
    struct word word;

    (void)state;
    text_add(&cyrillic, "xxx"); /* so that the 64th byte is the first half of a letter */
    for (int i = 0; i < 200; i++) {
        text_add(&latin, "x");
        text_add(&cyrillic, "п");
    }
    struct words words = words_of(text_bytes(&latin));
    assert_true(words_next(&words, &word));
    assert_int_equal(word.folded.size, MAX_WORD_BYTES);
    assert_int_equal(word.end, latin.size);
    assert_false(words_next(&words, &word));
    words = words_of(text_bytes(&cyrillic));
    assert_true(words_next(&words, &word));
    assert_int_equal(word.folded.size, MAX_WORD_BYTES - 1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_split_and_folded),
        cmocka_unit_test(long_words_are_cut_between_characters),
    };

    return cmocka_run_group_tests_name("search_words", tests, NULL, NULL);
}
