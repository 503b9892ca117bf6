#include "services/search/indexed_document.h"

bytes flag_term(bool flag)
{
    return bytes_of(flag ? "1" : "0");
}

static struct terms values_as_terms(struct arena *arena, const bytes *values, size_t n)
{
    struct term *terms = ARENA_NEW_ARRAY(arena, struct term, n);

    for (size_t i = 0; i < n; i++) {
        terms[i].text = values[i];
    }
    return (struct terms){ .terms = terms, .n_terms = n };
}

static struct indexed_field index_field(struct analyzer *analyzer, struct arena *arena,
                                        const struct document_field *field)
{
    struct indexed_field indexed = { .place = field->place, .kind = field->kind };
    bytes flag = flag_term(field->flag);

    switch (field->kind) {
    case FIELD_TEXT:
        indexed.terms = analyzer_terms(analyzer, arena, field->text);
        break;
    case FIELD_KEYWORD:
        indexed.terms = values_as_terms(arena, field->keywords, field->n_keywords);
        break;
    case FIELD_NUMBER:
        indexed.number = field->number;
        break;
    case FIELD_BOOL:
        indexed.terms = values_as_terms(arena, &flag, 1);
        break;
    }
    return indexed;
}

bool indexed_document_make(struct analyzer *analyzer, struct arena *arena, bytes stored,
                           struct indexed_document *ret_document)
{
    struct search_document document;

    if (!search_document_decode(stored, arena, &document)) {
        return false;
    }
    ret_document->id = document.id;
    ret_document->stored = stored;
    ret_document->n_fields = document.n_fields;
    for (size_t i = 0; i < document.n_fields; i++) {
        ret_document->fields[i] = index_field(analyzer, arena, &document.fields[i]);
    }
    return true;
}

uint16_t indexed_field_length(const struct indexed_field *field)
{
    if (field->kind != FIELD_TEXT) {
        return 0;
    }
    return field->terms.n_terms < UINT16_MAX ? (uint16_t)field->terms.n_terms : UINT16_MAX;
}
