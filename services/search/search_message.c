#include "services/search/search_message.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/search/pack.h"

#include <math.h>
#include <string.h>

enum { MAX_NAME_BYTES = 63 };

bool search_name_is_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return name[length] == '\0' && length >= 1 && length <= MAX_NAME_BYTES &&
           strchr(letters, name[0]) != NULL;
}

/* ---- From messages ---- */

struct search_schema schema_of_message(struct arena *arena,
                                       Weft__Search__V1__FieldSchema *const *fields,
                                       size_t n_fields)
{
    struct schema_field *read = ARENA_NEW_ARRAY(arena, struct schema_field, n_fields);

    for (size_t i = 0; i < n_fields; i++) {
        bool is_text = fields[i]->kind == WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_TEXT;
        read[i] = (struct schema_field){
            .name = fields[i]->name,
            .kind = (enum field_kind)fields[i]->kind, /* the numbers are the same */
            .weight = is_text && fields[i]->weight == 0 ? 1 : fields[i]->weight,
        };
    }
    return (struct search_schema){ .fields = read, .n_fields = n_fields };
}

static void read_keywords(struct arena *arena, char *const *values, size_t n,
                          struct document_field *field)
{
    bytes *keywords = ARENA_NEW_ARRAY(arena, bytes, n);

    for (size_t i = 0; i < n; i++) {
        keywords[i] = bytes_of(values[i]);
    }
    field->kind = FIELD_KEYWORD;
    field->keywords = keywords;
    field->n_keywords = n;
}

static status read_field(struct arena *arena, const struct search_schema *schema,
                         const Weft__Search__V1__Field *message, struct document_field *field)
{
    const struct schema_field *known = search_schema_find(schema, message->name);

    if (known == NULL) {
        return status_bad_field(arena, "fields", "'%.63s' is not one of the collection's",
                                message->name);
    }
    field->place = (size_t)(known - schema->fields);
    switch (message->value_case) {
    case WEFT__SEARCH__V1__FIELD__VALUE_TEXT:
        if (known->kind == FIELD_KEYWORD) {
            read_keywords(arena, &message->text, 1, field);
            field->alone = true;
        } else {
            field->kind = FIELD_TEXT;
            field->text = bytes_of(message->text);
        }
        return status_ok();
    case WEFT__SEARCH__V1__FIELD__VALUE_KEYWORDS:
        read_keywords(arena, message->keywords->values, message->keywords->n_values, field);
        return status_ok();
    case WEFT__SEARCH__V1__FIELD__VALUE_NUMBER:
        field->kind = FIELD_NUMBER;
        field->number = message->number;
        return status_ok();
    case WEFT__SEARCH__V1__FIELD__VALUE_FLAG:
        field->kind = FIELD_BOOL;
        field->flag = message->flag != 0;
        return status_ok();
    case WEFT__SEARCH__V1__FIELD__VALUE__NOT_SET:
    default:
        return status_bad_field(arena, known->name, "has no value");
    }
}

status document_of_message(struct arena *arena, const struct search_schema *schema,
                           const Weft__Search__V1__Document *message,
                           struct search_document *ret_document)
{
    struct document_field *fields =
        ARENA_NEW_ARRAY(arena, struct document_field, message->n_fields);

    for (size_t i = 0; i < message->n_fields; i++) {
        TRY(read_field(arena, schema, message->fields[i], &fields[i]));
    }
    *ret_document = (struct search_document){
        .id = bytes_of(message->document_id),
        .fields = fields,
        .n_fields = message->n_fields,
    };
    return status_ok();
}

static status read_value(struct arena *arena, size_t step,
                         const Weft__Search__V1__FilterValue *message, struct filter_value *value)
{
    switch (message->value_case) {
    case WEFT__SEARCH__V1__FILTER_VALUE__VALUE_TEXT:
        value->kind = FIELD_KEYWORD;
        value->text = bytes_of(message->text);
        return status_ok();
    case WEFT__SEARCH__V1__FILTER_VALUE__VALUE_NUMBER:
        value->kind = FIELD_NUMBER;
        value->number = message->number;
        return status_ok();
    case WEFT__SEARCH__V1__FILTER_VALUE__VALUE_FLAG:
        value->kind = FIELD_BOOL;
        value->flag = message->flag != 0;
        return status_ok();
    case WEFT__SEARCH__V1__FILTER_VALUE__VALUE__NOT_SET:
    default:
        return status_bad_field(arena, arena_printf(arena, "filter[%zu].values", step),
                                "has one that is not set");
    }
}

static status read_step(struct arena *arena, size_t i, const Weft__Search__V1__FilterStep *message,
                        struct filter_step *step)
{
    struct filter_value *values = ARENA_NEW_ARRAY(arena, struct filter_value, message->n_values);

    for (size_t v = 0; v < message->n_values; v++) {
        TRY(read_value(arena, i, message->values[v], &values[v]));
    }
    *step = (struct filter_step){
        .kind = (enum filter_operator)message->operator_, /* the numbers are the same */
        .field = message->field,
        .values = values,
        .n_values = message->n_values,
        .min = message->min_bound_case == WEFT__SEARCH__V1__FILTER_STEP__MIN_BOUND_MIN
                   ? message->min
                   : -INFINITY,
        .max = message->max_bound_case == WEFT__SEARCH__V1__FILTER_STEP__MAX_BOUND_MAX
                   ? message->max
                   : INFINITY,
    };
    return status_ok();
}

status filter_of_message(struct arena *arena, Weft__Search__V1__FilterStep *const *steps,
                         size_t n_steps, struct search_filter *ret_filter)
{
    struct filter_step *read = ARENA_NEW_ARRAY(arena, struct filter_step, n_steps);

    for (size_t i = 0; i < n_steps; i++) {
        TRY(read_step(arena, i, steps[i], &read[i]));
    }
    *ret_filter = (struct search_filter){ .steps = read, .n_steps = n_steps };
    return status_ok();
}

/* ---- To messages ---- */

/* With the NUL that a message's texts end in. */
static char *text_of(struct arena *arena, bytes text)
{
    return message_text((const char *)bytes_copy(arena, text).data);
}

static Google__Protobuf__Timestamp *timestamp_message(struct arena *arena, int64_t ms)
{
    Google__Protobuf__Timestamp *timestamp = ARENA_NEW(arena, Google__Protobuf__Timestamp);

    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = ms / 1000;
    timestamp->nanos = (int32_t)(ms % 1000) * 1000000;
    return timestamp;
}

static Weft__Search__V1__FieldSchema *schema_message(struct arena *arena,
                                                     const struct schema_field *field)
{
    Weft__Search__V1__FieldSchema *message = ARENA_NEW(arena, Weft__Search__V1__FieldSchema);

    weft__search__v1__field_schema__init(message);
    message->name = message_text(field->name);
    message->kind = (Weft__Search__V1__FieldKind)field->kind;
    message->weight = field->weight;
    return message;
}

Weft__Search__V1__Collection *collection_message(struct arena *arena,
                                                 const struct collection_info *info)
{
    Weft__Search__V1__Collection *message = ARENA_NEW(arena, Weft__Search__V1__Collection);

    weft__search__v1__collection__init(message);
    message->project_id = message_text(info->name.project);
    message->collection_id = message_text(info->name.collection);
    message->n_fields = info->schema.n_fields;
    message->fields =
        ARENA_NEW_ARRAY(arena, Weft__Search__V1__FieldSchema *, info->schema.n_fields);
    for (size_t i = 0; i < info->schema.n_fields; i++) {
        message->fields[i] = schema_message(arena, &info->schema.fields[i]);
    }
    message->n_documents = (int64_t)info->n_documents;
    message->create_time = timestamp_message(arena, info->create_time_ms);
    return message;
}

static Weft__Search__V1__Keywords *keywords_message(struct arena *arena,
                                                    const struct document_field *field)
{
    Weft__Search__V1__Keywords *message = ARENA_NEW(arena, Weft__Search__V1__Keywords);

    weft__search__v1__keywords__init(message);
    message->n_values = field->n_keywords;
    message->values = ARENA_NEW_ARRAY(arena, char *, field->n_keywords);
    for (size_t i = 0; i < field->n_keywords; i++) {
        message->values[i] = text_of(arena, field->keywords[i]);
    }
    return message;
}

static void set_value(struct arena *arena, const struct document_field *field,
                      Weft__Search__V1__Field *message)
{
    switch (field->kind) {
    case FIELD_TEXT:
        message->value_case = WEFT__SEARCH__V1__FIELD__VALUE_TEXT;
        message->text = text_of(arena, field->text);
        break;
    case FIELD_KEYWORD:
        message->value_case = field->alone ? WEFT__SEARCH__V1__FIELD__VALUE_TEXT
                                           : WEFT__SEARCH__V1__FIELD__VALUE_KEYWORDS;
        if (field->alone) {
            message->text = text_of(arena, field->keywords[0]);
        } else {
            message->keywords = keywords_message(arena, field);
        }
        break;
    case FIELD_NUMBER:
        message->value_case = WEFT__SEARCH__V1__FIELD__VALUE_NUMBER;
        message->number = field->number;
        break;
    case FIELD_BOOL:
        message->value_case = WEFT__SEARCH__V1__FIELD__VALUE_FLAG;
        message->flag = field->flag;
        break;
    }
}

static bool is_wanted(const struct wanted_fields *wanted, const char *name)
{
    for (size_t i = 0; i < wanted->n_names; i++) {
        if (strcmp(wanted->names[i], name) == 0) {
            return true;
        }
    }
    return wanted->n_names == 0;
}

Weft__Search__V1__Document *document_message(struct arena *arena,
                                             const struct search_schema *schema,
                                             const struct search_document *document,
                                             const struct wanted_fields *wanted)
{
    Weft__Search__V1__Document *message = ARENA_NEW(arena, Weft__Search__V1__Document);

    weft__search__v1__document__init(message);
    message->document_id = text_of(arena, document->id);
    message->fields = ARENA_NEW_ARRAY(arena, Weft__Search__V1__Field *, document->n_fields);
    for (size_t i = 0; i < document->n_fields; i++) {
        const struct document_field *field = &document->fields[i];
        if (field->place < schema->n_fields &&
            is_wanted(wanted, schema->fields[field->place].name)) {
            Weft__Search__V1__Field *made = ARENA_NEW(arena, Weft__Search__V1__Field);
            weft__search__v1__field__init(made);
            made->name = message_text(schema->fields[field->place].name);
            set_value(arena, field, made);
            message->fields[message->n_fields++] = made;
        }
    }
    return message;
}

static Weft__Search__V1__Snippet *snippet_message(struct arena *arena,
                                                  const struct search_schema *schema,
                                                  const struct snippet *snippet)
{
    Weft__Search__V1__Snippet *message = ARENA_NEW(arena, Weft__Search__V1__Snippet);

    weft__search__v1__snippet__init(message);
    message->field = message_text(schema->fields[snippet->place].name);
    message->text = text_of(arena, snippet->text);
    message->n_highlights = snippet->n_ranges;
    message->highlights = ARENA_NEW_ARRAY(arena, Weft__Search__V1__Range *, snippet->n_ranges);
    for (size_t i = 0; i < snippet->n_ranges; i++) {
        Weft__Search__V1__Range *range = ARENA_NEW(arena, Weft__Search__V1__Range);
        weft__search__v1__range__init(range);
        range->start = (int32_t)snippet->ranges[i].start;
        range->end = (int32_t)snippet->ranges[i].end;
        message->highlights[i] = range;
    }
    return message;
}

Weft__Search__V1__Hit *hit_message(struct arena *arena, const struct search_schema *schema,
                                   const struct search_hit *hit, const struct wanted_fields *wanted)
{
    Weft__Search__V1__Hit *message = ARENA_NEW(arena, Weft__Search__V1__Hit);

    weft__search__v1__hit__init(message);
    message->document = document_message(arena, schema, &hit->document, wanted);
    message->score = hit->score;
    if (hit->snippet.text.size > 0) {
        message->snippet = snippet_message(arena, schema, &hit->snippet);
    }
    return message;
}
