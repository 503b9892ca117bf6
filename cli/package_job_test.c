#include "cli/package_job.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static void a_payload_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct package_job job = { 0 };
    const char *payload = package_job_payload(
        arena, &(struct package_job){ .collection_id = "packages", .limit = 7 });

    assert_string_equal(payload, "{\"source\":\"apt\",\"collection\":\"packages\",\"limit\":7}");
    assert_status(package_job_parse(arena, bytes_of(payload), &job), STATUS_OK);
    assert_string_equal(job.collection_id, "packages");
    assert_int_equal(job.limit, 7);
    arena_free(arena);
}

static void what_is_no_payload_is_refused(void **state)
{
    (void)state;
    const char *cases[] = { "",
                            "[]",
                            "{\"source\":\"apt\"}",
                            "{\"source\":\"rpm\",\"collection\":\"x\"}",
                            "{\"source\":\"apt\",\"collection\":\"x\",\"limit\":-1}",
                            "{\"source\":\"apt\",\"collection\":\"x\",\"collection\":\"y\"}" };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct package_job job;
        assert_status(package_job_parse(arena, bytes_of(cases[i]), &job), STATUS_INVALID_ARGUMENT);
        arena_free(arena);
    }
}

static void a_document_fits_its_collection(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    Weft__Search__V1__CreateCollectionRequest collection;
    const struct apt_record record = {
        .name = "gnuchess",
        .section = "games",
        .priority = "",
        .maintainer = "Ada",
        .version = "1",
        .homepage = "",
        .tag = "game::board,\n interface::x11",
        .summary = "plays chess",
        .text = "well",
    };

    package_collection(arena, "debian", "packages", &collection);
    Weft__Search__V1__Document *document = package_document(arena, &record);
    assert_string_equal(document->document_id, "gnuchess");
    for (size_t i = 0; i < document->n_fields; i++) {
        const Weft__Search__V1__Field *field = document->fields[i];
        const Weft__Search__V1__FieldSchema *schema = NULL;
        for (size_t j = 0; j < collection.n_fields; j++) {
            if (strcmp(collection.fields[j]->name, field->name) == 0) {
                schema = collection.fields[j];
            }
        }
        assert_non_null(schema);
        assert_string_not_equal(field->name, "priority"); /* it has none */
    }
    const Weft__Search__V1__Field *tags = document->fields[document->n_fields - 1];
    assert_int_equal(tags->keywords->n_values, 2);
    assert_string_equal(tags->keywords->values[1], "interface::x11");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_payload_is_refused),
        cmocka_unit_test(a_document_fits_its_collection),
    };

    return cmocka_run_group_tests_name("package_job", tests, NULL, NULL);
}
