#include "services/search/search_schema.h"

#include "libs/base/status_details.h"

#include <string.h>

static bool is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return name[length] == '\0' && length >= 1 && length <= MAX_FIELD_NAME_BYTES &&
           strchr(letters, name[0]) != NULL;
}

static bool is_weight(const struct schema_field *field)
{
    return field->kind == FIELD_TEXT ? field->weight >= 0.01F && field->weight <= 100
                                     : field->weight == 0;
}

static status check_field(const struct search_schema *schema, struct arena *arena, size_t i)
{
    const struct schema_field *field = &schema->fields[i];

    if (!is_name(field->name)) {
        return status_bad_field(arena, arena_printf(arena, "fields[%zu].name", i),
                                "'%s' is not 1 to %d of a-z, 0-9 and '_', the first a letter",
                                field->name, MAX_FIELD_NAME_BYTES);
    }
    if (field->kind < FIELD_TEXT || field->kind > FIELD_BOOL) {
        return status_bad_field(arena, arena_printf(arena, "fields[%zu].kind", i),
                                "%d is no kind of field", (int)field->kind);
    }
    if (!is_weight(field)) {
        return status_bad_field(arena, arena_printf(arena, "fields[%zu].weight", i),
                                "%g is not from 0.01 to 100 for text, or is set for another kind",
                                (double)field->weight);
    }
    if (search_schema_find(schema, field->name) != field) {
        return status_bad_field(arena, arena_printf(arena, "fields[%zu].name", i),
                                "'%s' is there twice", field->name);
    }
    return status_ok();
}

status search_schema_check(const struct search_schema *schema, struct arena *arena)
{
    if (schema->n_fields == 0 || schema->n_fields > MAX_FIELDS) {
        return status_bad_field(arena, "fields", "has %zu, not 1 to %d", schema->n_fields,
                                MAX_FIELDS);
    }
    for (size_t i = 0; i < schema->n_fields; i++) {
        TRY(check_field(schema, arena, i));
    }
    return status_ok();
}

bool search_schema_equal(const struct search_schema *a, const struct search_schema *b)
{
    if (a->n_fields != b->n_fields) {
        return false;
    }
    for (size_t i = 0; i < a->n_fields; i++) {
        const struct schema_field *x = &a->fields[i];
        const struct schema_field *y = &b->fields[i];
        if (strcmp(x->name, y->name) != 0 || x->kind != y->kind || x->weight != y->weight) {
            return false;
        }
    }
    return true;
}

const struct schema_field *search_schema_find(const struct search_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        if (strcmp(schema->fields[i].name, name) == 0) {
            return &schema->fields[i];
        }
    }
    return NULL;
}

struct search_schema search_schema_copy(const struct search_schema *schema, struct arena *arena)
{
    struct schema_field *fields = ARENA_NEW_ARRAY(arena, struct schema_field, schema->n_fields);

    for (size_t i = 0; i < schema->n_fields; i++) {
        fields[i] = schema->fields[i];
        fields[i].name = arena_strdup(arena, schema->fields[i].name);
    }
    return (struct search_schema){ .fields = fields, .n_fields = schema->n_fields };
}

void search_schema_pack(const struct search_schema *schema, struct text *out)
{
    pack_varint(out, schema->n_fields);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct schema_field *field = &schema->fields[i];
        uint32_t weight;

        memcpy(&weight, &field->weight, sizeof weight);
        pack_string(out, bytes_of(field->name));
        pack_varint(out, field->kind);
        pack_u32(out, weight);
    }
}

static struct schema_field unpack_field(struct unpack *in, struct arena *arena)
{
    bytes name = unpack_string(in);
    uint64_t kind = unpack_varint(in);
    uint32_t weight_bits = unpack_u32(in);
    float weight;

    memcpy(&weight, &weight_bits, sizeof weight);
    in->failed |= kind > FIELD_BOOL || name.size > MAX_FIELD_NAME_BYTES;
    return (struct schema_field){
        .name = in->failed ? "" : (const char *)bytes_copy(arena, name).data,
        .kind = in->failed ? FIELD_TEXT : (enum field_kind)kind,
        .weight = weight,
    };
}

void search_schema_unpack(struct unpack *in, struct arena *arena, struct search_schema *ret_schema)
{
    uint64_t n = unpack_varint(in);

    in->failed |= n > MAX_FIELDS;
    n = in->failed ? 0 : n;
    struct schema_field *fields = ARENA_NEW_ARRAY(arena, struct schema_field, n);
    for (size_t i = 0; i < n; i++) {
        fields[i] = unpack_field(in, arena);
    }
    *ret_schema = (struct search_schema){ .fields = fields, .n_fields = n };
    in->failed |= in->failed || !status_is_ok(search_schema_check(ret_schema, arena));
}
