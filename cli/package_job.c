#include "cli/package_job.h"

#include "libs/base/text.h"
#include "libs/rpc/message.h"

#include <jansson.h>
#include <string.h>

/* X(name, kind, weight, the record's member)
 *
 * A word of the name says most, then one of the summary: the weights that the index's own
 * measurements were made with (services/search). */
#define PACKAGE_FIELDS(X)                 \
    X(name, TEXT, 3, name)                \
    X(summary, TEXT, 2, summary)          \
    X(description, TEXT, 1, text)         \
    X(section, KEYWORD, 0, section)       \
    X(priority, KEYWORD, 0, priority)     \
    X(maintainer, KEYWORD, 0, maintainer) \
    X(version, KEYWORD, 0, version)

enum {
#define X(name, kind, weight, member) FIELD_##name,
    PACKAGE_FIELDS(X) FIELD_tags,
    N_FIELDS
#undef X
};

/* ---- The payload ---- */

const char *package_job_payload(struct arena *arena, const struct package_job *job)
{
    struct text json = text_new(arena);

    text_add(&json, "{\"source\":\"apt\",\"collection\":");
    text_add_json(&json, bytes_of(job->collection_id));
    text_add(&json, ",\"limit\":%zu}", job->limit);
    return text_string(&json);
}

status package_job_parse(struct arena *arena, bytes payload, struct package_job *ret)
{
    json_t *json =
        json_loadb((const char *)payload.data, payload.size, JSON_REJECT_DUPLICATES, NULL);
    const char *source = NULL;
    const char *collection = NULL;
    json_int_t limit = 0;

    int failed = json_unpack(json, "{s:s, s:s, s?I}", "source", &source, "collection", &collection,
                             "limit", &limit);
    bool ok = failed == 0 && strcmp(source, "apt") == 0 && limit >= 0;
    if (ok) {
        *ret = (struct package_job){ .collection_id = arena_strdup(arena, collection),
                                     .limit = (size_t)limit };
    }
    json_decref(json);
    return ok ? status_ok()
              : status_error(arena, STATUS_INVALID_ARGUMENT,
                             "the payload is no {\"source\":\"apt\",\"collection\":...}");
}

/* ---- Collection and documents ---- */

void package_collection(struct arena *arena, const char *project_id, const char *collection_id,
                        Weft__Search__V1__CreateCollectionRequest *ret)
{
    static const struct {
        const char *name;
        Weft__Search__V1__FieldKind kind;
        float weight;
    } fields[N_FIELDS] = {
#define X(name_, kind_, weight_, member) \
    { #name_, WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_##kind_, (weight_) },
        PACKAGE_FIELDS(X)
#undef X
            { "tags", WEFT__SEARCH__V1__FIELD_KIND__FIELD_KIND_KEYWORD, 0 },
    };

    weft__search__v1__create_collection_request__init(ret);
    ret->project_id = message_text(project_id);
    ret->collection_id = message_text(collection_id);
    ret->fields = ARENA_NEW_ARRAY(arena, Weft__Search__V1__FieldSchema *, N_FIELDS);
    ret->n_fields = N_FIELDS;
    for (size_t i = 0; i < N_FIELDS; i++) {
        ret->fields[i] = ARENA_NEW(arena, Weft__Search__V1__FieldSchema);
        weft__search__v1__field_schema__init(ret->fields[i]);
        ret->fields[i]->name = message_text(fields[i].name);
        ret->fields[i]->kind = fields[i].kind;
        ret->fields[i]->weight = fields[i].weight;
    }
}

static Weft__Search__V1__Field *add_field(struct arena *arena, Weft__Search__V1__Document *document,
                                          const char *name)
{
    Weft__Search__V1__Field *field = ARENA_NEW(arena, Weft__Search__V1__Field);

    weft__search__v1__field__init(field);
    field->name = message_text(name);
    document->fields[document->n_fields++] = field;
    return field;
}

static void add_text(struct arena *arena, Weft__Search__V1__Document *document, const char *name,
                     const char *value)
{
    if (value[0] != '\0') {
        Weft__Search__V1__Field *field = add_field(arena, document, name);
        field->value_case = WEFT__SEARCH__V1__FIELD__VALUE_TEXT;
        field->text = message_text(value);
    }
}

enum { MAX_TAGS = 256 }; /* search's own limit of a field's values */

/* "game::board, interface::x11" */
static void add_tags(struct arena *arena, Weft__Search__V1__Document *document, const char *tags)
{
    Weft__Search__V1__Keywords *keywords = ARENA_NEW(arena, Weft__Search__V1__Keywords);
    char *rest = arena_strdup(arena, tags);
    char *tag;

    weft__search__v1__keywords__init(keywords);
    keywords->values = ARENA_NEW_ARRAY(arena, char *, MAX_TAGS);
    while (keywords->n_values < MAX_TAGS && (tag = strtok_r(rest, ", \n\t", &rest)) != NULL) {
        keywords->values[keywords->n_values++] = tag;
    }
    if (keywords->n_values > 0) {
        Weft__Search__V1__Field *field = add_field(arena, document, "tags");
        field->value_case = WEFT__SEARCH__V1__FIELD__VALUE_KEYWORDS;
        field->keywords = keywords;
    }
}

Weft__Search__V1__Document *package_document(struct arena *arena, const struct apt_record *record)
{
    Weft__Search__V1__Document *document = ARENA_NEW(arena, Weft__Search__V1__Document);

    weft__search__v1__document__init(document);
    document->document_id = message_text(record->name);
    document->fields = ARENA_NEW_ARRAY(arena, Weft__Search__V1__Field *, N_FIELDS);
#define X(name, kind, weight, member) add_text(arena, document, #name, record->member);
    PACKAGE_FIELDS(X)
#undef X
    add_tags(arena, document, record->tag);
    return document;
}
