#include "services/search/search_document.h"

#include "libs/base/status_details.h"
#include "libs/base/utf8.h"

#include <math.h>
#include <string.h>

enum { DOCUMENT_VERSION = 1 };

/* ---- What is allowed ---- */

static bool is_id(bytes id)
{
    return id.size >= 1 && id.size <= MAX_DOCUMENT_ID_BYTES && utf8_is_valid(id);
}

/* The reason why not, or NULL. */
static const char *wrong_with_keywords(const struct document_field *field)
{
    if (field->n_keywords > MAX_KEYWORDS) {
        return "has more than 256 values";
    }
    for (size_t i = 0; i < field->n_keywords; i++) {
        bytes value = field->keywords[i];
        if (value.size == 0 || value.size > MAX_KEYWORD_BYTES) {
            return "has a value that is empty or longer than 1024 bytes";
        }
        if (!utf8_is_valid(value)) {
            return "has a value that is not UTF-8";
        }
    }
    return NULL;
}

static const char *wrong_with_value(const struct document_field *field)
{
    switch (field->kind) {
    case FIELD_TEXT:
        return utf8_is_valid(field->text) ? NULL : "is not UTF-8";
    case FIELD_KEYWORD:
        return wrong_with_keywords(field);
    case FIELD_NUMBER: /* an infinity or a NaN has no place in a range */
        return isfinite(field->number) ? NULL : "is not a finite number";
    case FIELD_BOOL:
        return NULL;
    }
    return "is of no kind";
}

static size_t size_of(const struct search_document *document)
{
    size_t size = document->id.size;

    for (size_t i = 0; i < document->n_fields; i++) {
        const struct document_field *field = &document->fields[i];
        size += 16 + field->text.size;
        for (size_t k = 0; k < field->n_keywords; k++) {
            size += 4 + field->keywords[k].size;
        }
    }
    return size;
}

static status check_fields(const struct search_document *document,
                           const struct search_schema *schema, struct arena *arena)
{
    bool seen[MAX_FIELDS] = { false };

    for (size_t i = 0; i < document->n_fields; i++) {
        const struct document_field *field = &document->fields[i];
        if (field->place >= schema->n_fields) {
            return status_bad_field(arena, "fields", "names one that the collection has not");
        }
        const char *name = schema->fields[field->place].name;
        const char *wrong = seen[field->place] ? "is there twice"
                            : schema->fields[field->place].kind != field->kind
                                ? "is of another kind"
                                : wrong_with_value(field);
        if (wrong != NULL) {
            return status_bad_field(arena, name, "%s", wrong);
        }
        seen[field->place] = true;
    }
    return status_ok();
}

status search_document_check(const struct search_document *document,
                             const struct search_schema *schema, struct arena *arena)
{
    if (!is_id(document->id)) {
        return status_bad_field(arena, "document_id", "is not 1 to %d bytes of UTF-8",
                                MAX_DOCUMENT_ID_BYTES);
    }
    if (document->n_fields > MAX_FIELDS) {
        return status_bad_field(arena, "fields", "are %zu, more than %d", document->n_fields,
                                MAX_FIELDS);
    }
    TRY(check_fields(document, schema, arena));
    size_t size = size_of(document);
    if (size > MAX_DOCUMENT_BYTES) {
        return status_bad_field(arena, "fields", "have %zu bytes, more than %d", size,
                                MAX_DOCUMENT_BYTES);
    }
    return status_ok();
}

/* ---- As bytes ---- */

static void pack_field(const struct document_field *field, struct text *out)
{
    uint64_t bits;

    pack_varint(out, field->place);
    pack_varint(out, field->kind);
    switch (field->kind) {
    case FIELD_TEXT:
        pack_string(out, field->text);
        break;
    case FIELD_KEYWORD:
        pack_varint(out, field->n_keywords << 1 | field->alone);
        for (size_t i = 0; i < field->n_keywords; i++) {
            pack_string(out, field->keywords[i]);
        }
        break;
    case FIELD_NUMBER:
        memcpy(&bits, &field->number, sizeof bits);
        pack_u64(out, bits);
        break;
    case FIELD_BOOL:
        pack_varint(out, field->flag);
        break;
    }
}

bytes search_document_encode(const struct search_document *document, struct arena *arena)
{
    struct text out = text_new(arena);

    pack_varint(&out, DOCUMENT_VERSION);
    pack_string(&out, document->id);
    pack_varint(&out, document->n_fields);
    for (size_t i = 0; i < document->n_fields; i++) {
        pack_field(&document->fields[i], &out);
    }
    return text_bytes(&out);
}

static void unpack_keywords(struct unpack *in, struct arena *arena, struct document_field *field)
{
    uint64_t coded = unpack_varint(in);
    uint64_t n = coded >> 1;

    field->alone = (coded & 1) != 0;
    in->failed |= n > MAX_KEYWORDS || (field->alone && n != 1);
    n = in->failed ? 0 : n;
    bytes *keywords = ARENA_NEW_ARRAY(arena, bytes, n);
    for (size_t i = 0; i < n; i++) {
        keywords[i] = unpack_string(in);
    }
    field->keywords = keywords;
    field->n_keywords = n;
}

static void unpack_value(struct unpack *in, struct arena *arena, struct document_field *field)
{
    uint64_t bits;

    switch (field->kind) {
    case FIELD_TEXT:
        field->text = unpack_string(in);
        break;
    case FIELD_KEYWORD:
        unpack_keywords(in, arena, field);
        break;
    case FIELD_NUMBER:
        bits = unpack_u64(in);
        memcpy(&field->number, &bits, sizeof bits);
        break;
    case FIELD_BOOL:
        field->flag = unpack_varint(in) != 0;
        break;
    }
}

static struct document_field unpack_field(struct unpack *in, struct arena *arena)
{
    uint64_t place = unpack_varint(in);
    uint64_t kind = unpack_varint(in);

    in->failed |= place >= MAX_FIELDS || kind < FIELD_TEXT || kind > FIELD_BOOL;
    struct document_field field = { .kind = FIELD_BOOL };
    if (!in->failed) {
        field.place = (size_t)place;
        field.kind = (enum field_kind)kind;
        unpack_value(in, arena, &field);
        in->failed |= wrong_with_value(&field) != NULL;
    }
    return field;
}

bool search_document_decode(bytes data, struct arena *arena, struct search_document *ret_document)
{
    struct unpack in = unpack_of(data);
    uint64_t version = unpack_varint(&in);
    bytes id = unpack_string(&in);
    uint64_t n = unpack_varint(&in);

    if (in.failed || version != DOCUMENT_VERSION || n > MAX_FIELDS || !is_id(id)) {
        return false;
    }
    struct document_field *fields = ARENA_NEW_ARRAY(arena, struct document_field, n);
    for (size_t i = 0; i < n && !in.failed; i++) {
        fields[i] = unpack_field(&in, arena);
    }
    if (in.failed || unpack_left(&in) > 0) {
        return false;
    }
    *ret_document = (struct search_document){ .id = id, .fields = fields, .n_fields = n };
    return true;
}

const struct document_field *search_document_field(const struct search_document *document,
                                                   size_t place)
{
    for (size_t i = 0; i < document->n_fields; i++) {
        if (document->fields[i].place == place) {
            return &document->fields[i];
        }
    }
    return NULL;
}
