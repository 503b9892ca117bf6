#include "services/search/memtable.h"

#include "libs/base/map.h"
#include "services/search/cursor.h"
#include "services/search/pack.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_LIST_BYTES = 16,
    MAX_KEY_BYTES = 1 + MAX_KEYWORD_BYTES, /* the field's place, then the term */
    MAP_ENTRY_BYTES = 64,                  /* what an entry of a map costs beside its key */
};

struct mem_list {
    bytes term;
    uint32_t number;
    uint32_t n_docs;
    uint32_t last_doc;
    uint32_t last_position;
    size_t last_at; /* where the last position stands, whose low bit may still be set */
    uint8_t *data;
    size_t size;
    size_t capacity;
    uint8_t field;
};

struct mem_document {
    bytes id;
    bytes stored;
};

struct memtable {
    struct source source;
    struct arena *arena;
    struct map lists;            /* by field and term */
    struct map ids;              /* the newest document of an id, plus one */
    struct mem_list **all_lists; /* owned array; by number */
    size_t lists_capacity;
    struct mem_document *documents; /* owned array */
    size_t documents_capacity;
    uint16_t *lengths[MAX_FIELDS]; /* owned; as many as documents_capacity */
    double *numbers[MAX_FIELDS];   /* owned */
    size_t n_numbers[MAX_FIELDS];
    size_t numbers_capacity[MAX_FIELDS];
    size_t bytes;
};

static void *grown(void *array, size_t n, size_t size)
{
    void *larger = reallocarray(array, n, size);

    if (larger == NULL) {
        abort();
    }
    return larger;
}

/* ---- Adding ---- */

static bytes key_of(uint8_t key[MAX_KEY_BYTES], size_t field, bytes term)
{
    assert(term.size < MAX_KEY_BYTES);
    key[0] = (uint8_t)field;
    if (term.size > 0) {
        memcpy(key + 1, term.data, term.size);
    }
    return (bytes){ .data = key, .size = term.size + 1 };
}

static void *allocate(struct memtable *memtable, size_t size)
{
    memtable->bytes += size;
    return arena_alloc(memtable->arena, size);
}

static struct mem_list *add_list(struct memtable *memtable, size_t field, bytes key)
{
    struct mem_list *list = allocate(memtable, sizeof *list);
    uint8_t *term = allocate(memtable, key.size);

    memcpy(term, key.data, key.size);
    if (memtable->source.n_lists == memtable->lists_capacity) {
        memtable->lists_capacity =
            memtable->lists_capacity == 0 ? 64 : memtable->lists_capacity * 2;
        memtable->all_lists =
            grown(memtable->all_lists, memtable->lists_capacity, sizeof *memtable->all_lists);
    }
    *list = (struct mem_list){
        .term = { .data = term + 1, .size = key.size - 1 },
        .field = (uint8_t)field,
        .number = memtable->source.n_lists,
        .last_doc = NO_DOC,
    };
    memtable->all_lists[memtable->source.n_lists++] = list;
    memtable->bytes += MAP_ENTRY_BYTES + key.size + sizeof list;
    (void)map_put_bytes(&memtable->lists, key, list);
    return list;
}

static struct mem_list *list_of(struct memtable *memtable, size_t field, bytes term)
{
    uint8_t buffer[MAX_KEY_BYTES];
    bytes key = key_of(buffer, field, term);
    struct mem_list *list = map_get_bytes(&memtable->lists, key);

    return list != NULL ? list : add_list(memtable, field, key);
}

static void put_varint(struct memtable *memtable, struct mem_list *list, uint64_t value)
{
    if (list->capacity - list->size < MAX_VARINT_BYTES) {
        size_t capacity = list->capacity == 0 ? FIRST_LIST_BYTES : list->capacity * 2;
        uint8_t *data = allocate(memtable, capacity);
        if (list->size > 0) {
            memcpy(data, list->data, list->size);
        }
        list->data = data;
        list->capacity = capacity;
    }
    list->size += varint_put(list->data + list->size, value);
}

static void add_document_to(struct memtable *memtable, struct mem_list *list, uint32_t doc)
{
    if (list->n_docs > 0 && list->last_doc == doc) {
        return;
    }
    put_varint(memtable, list, list->n_docs == 0 ? doc : doc - list->last_doc);
    list->last_doc = doc;
    list->last_position = 0;
    list->last_at = SIZE_MAX;
    list->n_docs++;
}

static void add_position(struct memtable *memtable, struct mem_list *list, uint32_t position)
{
    if (list->last_at != SIZE_MAX) {
        list->data[list->last_at] |= 1;
    }
    list->last_at = list->size;
    put_varint(memtable, list, (uint64_t)(position - list->last_position) << 1);
    list->last_position = position;
}

static void add_number(struct memtable *memtable, size_t field, double number)
{
    if (memtable->n_numbers[field] == memtable->numbers_capacity[field]) {
        size_t capacity = memtable->n_numbers[field] == 0 ? 64 : memtable->n_numbers[field] * 2;
        memtable->numbers[field] =
            grown(memtable->numbers[field], capacity, sizeof *memtable->numbers[field]);
        memtable->bytes += (capacity - memtable->n_numbers[field]) * sizeof number;
        memtable->numbers_capacity[field] = capacity;
    }
    memtable->numbers[field][memtable->n_numbers[field]++] = number;
}

static void reserve_lengths(struct memtable *memtable, size_t field)
{
    if (memtable->lengths[field] != NULL) {
        return;
    }
    memtable->lengths[field] =
        calloc(memtable->documents_capacity, sizeof *memtable->lengths[field]);
    if (memtable->lengths[field] == NULL) {
        abort();
    }
    memtable->bytes += memtable->documents_capacity * sizeof *memtable->lengths[field];
}

static void add_field(struct memtable *memtable, uint32_t doc, const struct indexed_field *field)
{
    add_document_to(memtable, list_of(memtable, field->place, (bytes){ 0 }), doc);
    for (size_t i = 0; i < field->terms.n_terms; i++) {
        struct mem_list *list = list_of(memtable, field->place, field->terms.terms[i].text);
        add_document_to(memtable, list, doc);
        if (field->kind == FIELD_TEXT) {
            add_position(memtable, list, (uint32_t)i);
        }
    }
    if (field->kind == FIELD_NUMBER) {
        add_number(memtable, field->place, field->number);
    } else if (field->kind == FIELD_TEXT) {
        uint16_t length = indexed_field_length(field);
        reserve_lengths(memtable, field->place);
        memtable->lengths[field->place][doc] = length;
        memtable->source.lengths[field->place] += length;
    }
}

static void grow_documents(struct memtable *memtable)
{
    size_t before = memtable->documents_capacity;
    size_t capacity = before == 0 ? 64 : before * 2;

    memtable->documents = grown(memtable->documents, capacity, sizeof *memtable->documents);
    memtable->bytes += (capacity - before) * sizeof *memtable->documents;
    for (size_t i = 0; i < MAX_FIELDS; i++) {
        uint16_t *lengths = memtable->lengths[i];
        if (lengths != NULL) {
            lengths = grown(lengths, capacity, sizeof *lengths);
            memset(lengths + before, 0, (capacity - before) * sizeof *lengths);
            memtable->lengths[i] = lengths;
            memtable->bytes += (capacity - before) * sizeof *lengths;
        }
    }
    memtable->documents_capacity = capacity;
}

void memtable_add(struct memtable *memtable, const struct indexed_document *document)
{
    uint32_t doc = memtable->source.n_docs;

    if (doc == memtable->documents_capacity) {
        grow_documents(memtable);
    }
    struct mem_document *added = &memtable->documents[doc];
    added->stored = bytes_copy(memtable->arena, document->stored);
    added->id = bytes_copy(memtable->arena, document->id);
    memtable->bytes += document->stored.size + document->id.size * 2 + MAP_ENTRY_BYTES;
    (void)map_put_bytes(&memtable->ids, document->id, (void *)(uintptr_t)(doc + 1));
    for (size_t i = 0; i < document->n_fields; i++) {
        add_field(memtable, doc, &document->fields[i]);
    }
    memtable->source.n_docs++;
}

size_t memtable_bytes(const struct memtable *memtable)
{
    return memtable->bytes;
}

/* ---- As a source ---- */

static const struct memtable *of(const struct source *source)
{
    return (const struct memtable *)source;
}

static status mem_find(const struct source *source, struct arena *arena, size_t field, bytes term,
                       struct list *ret_list)
{
    uint8_t buffer[MAX_KEY_BYTES];

    (void)arena;
    if (term.size >= MAX_KEY_BYTES) {
        return status_ok();
    }
    const struct mem_list *list = map_get_bytes(&of(source)->lists, key_of(buffer, field, term));
    if (list != NULL) {
        *ret_list = (struct list){ .number = list->number, .n_docs = list->n_docs, .own = list };
    }
    return status_ok();
}

static void mem_open(struct cursor *cursor)
{
    const struct mem_list *list = cursor->list.own;

    cursor->data = (bytes){ .data = list->data, .size = list->size };
    cursor->positions = cursor->data;
    cursor->block_end = 0;
}

/* Reads the next document and its positions.  The bytes are our own, and whole. */
static void read_posting(struct cursor *cursor, struct unpack *in, uint32_t *doc)
{
    uint64_t coded = cursor->has_positions ? 1 : 0;
    uint32_t count = 0;

    *doc += (uint32_t)unpack_varint(in);
    cursor->docs[cursor->n] = *doc;
    cursor->starts[cursor->n] = (uint32_t)(in->at - cursor->data.data);
    for (; (coded & 1) != 0; count++) {
        coded = unpack_varint(in);
    }
    count = cursor->has_positions ? count : 1;
    cursor->counts[cursor->n] = count < MAX_COUNT ? (uint16_t)count : MAX_COUNT;
    if (cursor->counts[cursor->n] > cursor->most_counts) {
        cursor->most_counts = cursor->counts[cursor->n];
    }
    cursor->n++;
}

static bool mem_skip(struct cursor *cursor, uint32_t doc)
{
    struct unpack in =
        unpack_of((bytes){ cursor->data.data + cursor->next, cursor->data.size - cursor->next });
    uint32_t last = cursor->block_end;

    do {
        cursor->n = 0;
        cursor->most_counts = 0;
        while (cursor->n < BLOCK_DOCS && unpack_left(&in) > 0) {
            read_posting(cursor, &in, &last);
        }
    } while (last < doc && unpack_left(&in) > 0);
    cursor->next = cursor->data.size - unpack_left(&in);
    cursor->block_end = last;
    cursor->least_length = 1;
    return cursor->n > 0 && last >= doc;
}

/* mem_skip() has done it. */
static bool mem_decode(struct cursor *cursor)
{
    return cursor->n > 0;
}

static bool mem_find_starts(struct cursor *cursor)
{
    return cursor->n > 0;
}

static status mem_lengths(const struct source *source, struct arena *arena, size_t field,
                          const uint16_t **ret_lengths)
{
    (void)arena;
    *ret_lengths = of(source)->lengths[field];
    return status_ok();
}

static status mem_numbers(const struct source *source, struct arena *arena, size_t field,
                          const double **ret_numbers)
{
    (void)arena;
    *ret_numbers = of(source)->numbers[field];
    return status_ok();
}

static status mem_id(const struct source *source, struct arena *arena, uint32_t doc, bytes *ret_id)
{
    (void)arena;
    *ret_id = of(source)->documents[doc].id;
    return status_ok();
}

static status mem_stored(const struct source *source, struct arena *arena, uint32_t doc,
                         bytes *ret_stored)
{
    (void)arena;
    *ret_stored = of(source)->documents[doc].stored;
    return status_ok();
}

static status mem_find_id(const struct source *source, struct arena *arena, bytes id,
                          uint32_t *ret_doc)
{
    uintptr_t found = (uintptr_t)map_get_bytes(&of(source)->ids, id);

    (void)arena;
    *ret_doc = found == 0 ? NO_DOC : (uint32_t)(found - 1);
    return status_ok();
}

static void mem_free(struct source *source)
{
    struct memtable *memtable = (struct memtable *)source;

    for (size_t i = 0; i < MAX_FIELDS; i++) {
        free(memtable->lengths[i]);
        free(memtable->numbers[i]);
    }
    free(memtable->documents);
    free(memtable->all_lists);
    map_reset(&memtable->lists, NULL);
    map_reset(&memtable->ids, NULL);
    arena_free(memtable->arena);
    free(memtable);
}

static const struct source_ops memtable_ops = {
    .find = mem_find,
    .open = mem_open,
    .skip = mem_skip,
    .decode = mem_decode,
    .find_starts = mem_find_starts,
    .lengths = mem_lengths,
    .numbers = mem_numbers,
    .id = mem_id,
    .stored = mem_stored,
    .find_id = mem_find_id,
    .free = mem_free,
};

struct memtable *memtable_new(void)
{
    struct memtable *memtable = calloc(1, sizeof *memtable);

    if (memtable == NULL) {
        abort();
    }
    memtable->source.ops = &memtable_ops;
    memtable->arena = arena_new();
    map_init(&memtable->lists);
    map_init(&memtable->ids);
    memtable->bytes = sizeof *memtable;
    return memtable;
}

struct source *memtable_source(struct memtable *memtable)
{
    return &memtable->source;
}

/* ---- For whoever writes it into a segment ---- */

static int by_term(const void *a, const void *b)
{
    return bytes_compare(((const struct memtable_list *)a)->term,
                         ((const struct memtable_list *)b)->term);
}

static size_t count_lists(const struct memtable *memtable, size_t field)
{
    size_t n = 0;

    for (uint32_t i = 0; i < memtable->source.n_lists; i++) {
        n += memtable->all_lists[i]->field == field;
    }
    return n;
}

struct memtable_list *memtable_lists(const struct memtable *memtable, struct arena *arena,
                                     size_t field, size_t *ret_n)
{
    struct memtable_list *lists =
        ARENA_NEW_ARRAY(arena, struct memtable_list, count_lists(memtable, field));
    size_t n = 0;

    for (uint32_t i = 0; i < memtable->source.n_lists; i++) {
        const struct mem_list *list = memtable->all_lists[i];
        if (list->field == field) {
            lists[n++] = (struct memtable_list){
                .term = list->term,
                .list = { .number = i, .n_docs = list->n_docs, .own = list },
            };
        }
    }
    qsort(lists, n, sizeof *lists, by_term);
    *ret_n = n;
    return lists;
}
