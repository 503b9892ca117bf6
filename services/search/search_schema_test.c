#include "services/search/search_schema.h"

#include "libs/base/status_details.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static void good_schemas_pass_and_come_back(void **state)
{
    static const struct schema_field fields[] = {
        { .name = "title", .kind = FIELD_TEXT, .weight = 2.5F },
        { .name = "a_1", .kind = FIELD_KEYWORD },
        { .name = "size", .kind = FIELD_NUMBER },
        { .name = "free", .kind = FIELD_BOOL },
    };
    const struct search_schema schema = { .fields = fields, .n_fields = 4 };
    struct arena *arena = arena_new();
    struct text packed = text_new(arena);
    struct search_schema again;

    (void)state;
    assert_status(search_schema_check(&schema, arena), STATUS_OK);
    search_schema_pack(&schema, &packed);
    struct unpack in = unpack_of(text_bytes(&packed));
    search_schema_unpack(&in, arena, &again);
    assert_false(in.failed);
    assert_true(search_schema_equal(&schema, &again));
    assert_ptr_equal(search_schema_find(&schema, "size"), &fields[2]);
    assert_null(search_schema_find(&schema, "sizes"));
    again.n_fields--;
    assert_false(search_schema_equal(&schema, &again));
    arena_free(arena);
}

static void bad_fields_are_named(void **state)
{
    static const char long_name[] =
        "a23456789012345678901234567890123456789012345678901234567890abcd"; /* 64 */
    static const struct {
        struct schema_field field;
        const char *wrong;
    } cases[] = {
        { { .name = "", .kind = FIELD_BOOL }, "fields[1].name" },
        { { .name = "Title", .kind = FIELD_BOOL }, "fields[1].name" },
        { { .name = "1a", .kind = FIELD_BOOL }, "fields[1].name" },
        { { .name = "a-b", .kind = FIELD_BOOL }, "fields[1].name" },
        { { .name = long_name, .kind = FIELD_BOOL }, "fields[1].name" },
        { { .name = "first", .kind = FIELD_BOOL }, "fields[1].name" }, /* there already */
        { { .name = "a", .kind = (enum field_kind)0 }, "fields[1].kind" },
        { { .name = "a", .kind = (enum field_kind)5 }, "fields[1].kind" },
        { { .name = "a", .kind = FIELD_TEXT }, "fields[1].weight" },
        { { .name = "a", .kind = FIELD_TEXT, .weight = 101 }, "fields[1].weight" },
        { { .name = "a", .kind = FIELD_TEXT, .weight = -1 }, "fields[1].weight" },
        { { .name = "a", .kind = FIELD_NUMBER, .weight = 1 }, "fields[1].weight" },
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct schema_field fields[] = { { .name = "first", .kind = FIELD_BOOL },
                                               cases[i].field };
        const struct search_schema schema = { .fields = fields, .n_fields = 2 };
        status s = search_schema_check(&schema, arena);
        if (s.code != STATUS_INVALID_ARGUMENT ||
            strcmp(s.details->field.field, cases[i].wrong) != 0) {
            fail_msg("case %zu: got %s, want %s", i, s.message, cases[i].wrong);
        }
    }
    arena_free(arena);
}

static void there_are_1_to_64_fields(void **state)
{
    struct schema_field fields[MAX_FIELDS + 1];
    struct search_schema schema = { .fields = fields };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i <= MAX_FIELDS; i++) {
        fields[i] =
            (struct schema_field){ .name = arena_printf(arena, "f%zu", i), .kind = FIELD_BOOL };
    }
    assert_status(search_schema_check(&schema, arena), STATUS_INVALID_ARGUMENT);
    schema.n_fields = MAX_FIELDS;
    assert_status(search_schema_check(&schema, arena), STATUS_OK);
    schema.n_fields = MAX_FIELDS + 1;
    assert_status(search_schema_check(&schema, arena), STATUS_INVALID_ARGUMENT);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_schemas_pass_and_come_back),
        cmocka_unit_test(bad_fields_are_named),
        cmocka_unit_test(there_are_1_to_64_fields),
    };

    return cmocka_run_group_tests_name("search_schema", tests, NULL, NULL);
}
