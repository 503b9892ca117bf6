#include "services/search/search_document.h"

#include "libs/testing/assert_status.h"

#include <math.h>
#include <string.h>

enum { TITLE, TAGS, SIZE, FREE };

static const struct schema_field fields[] = {
    [TITLE] = { .name = "title", .kind = FIELD_TEXT, .weight = 1 },
    [TAGS] = { .name = "tags", .kind = FIELD_KEYWORD },
    [SIZE] = { .name = "size", .kind = FIELD_NUMBER },
    [FREE] = { .name = "free", .kind = FIELD_BOOL },
};
static const struct search_schema schema = { .fields = fields, .n_fields = 4 };

static status check(struct arena *arena, bytes id, struct document_field field)
{
    const struct search_document document = { .id = id, .fields = &field, .n_fields = 1 };

    return search_document_check(&document, &schema, arena);
}

static bytes letters(struct arena *arena, size_t n)
{
    return (bytes){ .data = memset(arena_alloc(arena, n), 'x', n), .size = n };
}

static void limits_hold_to_the_byte(void **state)
{
    struct arena *arena = arena_new();
    bytes keywords[MAX_KEYWORDS + 1];
    struct document_field tags = { .place = TAGS, .kind = FIELD_KEYWORD, .keywords = keywords };
    struct document_field title = { .place = TITLE, .kind = FIELD_TEXT };
    bytes id = bytes_of("a");

    (void)state;
    assert_status(check(arena, letters(arena, MAX_DOCUMENT_ID_BYTES), title), STATUS_OK);
    assert_status(check(arena, letters(arena, MAX_DOCUMENT_ID_BYTES + 1), title),
                  STATUS_INVALID_ARGUMENT);
    assert_status(check(arena, (bytes){ 0 }, title), STATUS_INVALID_ARGUMENT);
    for (size_t i = 0; i <= MAX_KEYWORDS; i++) {
        keywords[i] = letters(arena, i == 0 ? MAX_KEYWORD_BYTES : 1);
    }
    tags.n_keywords = MAX_KEYWORDS;
    assert_status(check(arena, id, tags), STATUS_OK);
    tags.n_keywords = MAX_KEYWORDS + 1;
    assert_status(check(arena, id, tags), STATUS_INVALID_ARGUMENT);
    tags.n_keywords = 1;
    keywords[0] = letters(arena, MAX_KEYWORD_BYTES + 1);
    assert_status(check(arena, id, tags), STATUS_INVALID_ARGUMENT);
    keywords[0].size = 0;
    assert_status(check(arena, id, tags), STATUS_INVALID_ARGUMENT);
    title.text = letters(arena, MAX_DOCUMENT_BYTES - 17); /* 16 for the field, 1 of id */
    assert_status(check(arena, id, title), STATUS_OK);
    title.text = letters(arena, MAX_DOCUMENT_BYTES - 16);
    assert_status(check(arena, id, title), STATUS_INVALID_ARGUMENT);
    arena_free(arena);
}

static void wrong_values_are_refused_by_the_fields_name(void **state)
{
    static const struct {
        struct document_field field;
        const char *message;
    } cases[] = {
        { { .place = 4, .kind = FIELD_BOOL }, "fields names one that the collection has not" },
        { { .place = SIZE, .kind = FIELD_BOOL }, "size is of another kind" },
        { { .place = SIZE, .kind = FIELD_NUMBER, .number = NAN }, "size is not a finite number" },
        { { .place = SIZE, .kind = FIELD_NUMBER, .number = INFINITY },
          "size is not a finite number" },
        { { .place = TITLE, .kind = FIELD_TEXT, .text = { (const uint8_t *)"\xff", 1 } },
          "title is not UTF-8" },
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s = check(arena, bytes_of("a"), cases[i].field);
        assert_status(s, STATUS_INVALID_ARGUMENT);
        assert_string_equal(s.message, cases[i].message);
    }
    struct document_field twice[] = { { .place = FREE, .kind = FIELD_BOOL },
                                      { .place = FREE, .kind = FIELD_BOOL } };
    const struct search_document document = { .id = bytes_of("a"), .fields = twice, .n_fields = 2 };
    status s = search_document_check(&document, &schema, arena);
    assert_string_equal(s.message, "free is there twice");
    arena_free(arena);
}

static void what_was_encoded_is_decoded_and_nothing_shorter(void **state)
{
    struct arena *arena = arena_new();
    bytes keywords[] = { bytes_of("one"), bytes_of("two") };
    const struct document_field values[] = {
        { .place = FREE, .kind = FIELD_BOOL, .flag = true },
        { .place = TAGS, .kind = FIELD_KEYWORD, .keywords = keywords, .n_keywords = 2 },
        { .place = SIZE, .kind = FIELD_NUMBER, .number = 1e-300 },
        { .place = TITLE, .kind = FIELD_TEXT, .text = bytes_of("a title") },
    };
    const struct search_document document = { .id = bytes_of("id"),
                                              .fields = values,
                                              .n_fields = 4 };
    struct search_document again;
    bytes encoded = search_document_encode(&document, arena);

    (void)state;
    assert_true(search_document_decode(encoded, arena, &again));
    assert_int_equal(again.n_fields, 4);
    assert_true(search_document_field(&again, FREE)->flag);
    assert_true(search_document_field(&again, SIZE)->number == 1e-300);
    assert_memory_equal(search_document_field(&again, TAGS)->keywords[1].data, "two", 3);
    assert_false(search_document_field(&again, TAGS)->alone);
    assert_int_equal(search_document_field(&again, TITLE)->text.size, 7);
    for (size_t size = 0; size < encoded.size; size++) {
        assert_false(search_document_decode((bytes){ encoded.data, size }, arena, &again));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(wrong_values_are_refused_by_the_fields_name),
        cmocka_unit_test(what_was_encoded_is_decoded_and_nothing_shorter),
    };

    return cmocka_run_group_tests_name("search_document", tests, NULL, NULL);
}
