#include "services/search/source.h"

#include <stdlib.h>
#include <string.h>

status source_find(const struct source *source, struct arena *arena, size_t field, bytes term,
                   struct list *ret_list)
{
    struct list list = { .n_docs = 0 };

    TRY(source->ops->find(source, arena, field, term, &list));
    list.n_live = list.n_docs;
    if (list.n_docs > 0 && list.number < source->dead.n_lists) {
        uint32_t dead = source->dead.lists[list.number];
        list.n_live -= dead < list.n_docs ? dead : list.n_docs;
    }
    *ret_list = list;
    return status_ok();
}

status source_find_id(const struct source *source, struct arena *arena, bytes id, uint32_t *ret_doc)
{
    uint32_t doc = NO_DOC;

    TRY(source->ops->find_id(source, arena, id, &doc));
    *ret_doc = doc != NO_DOC && source_is_dead(source, doc) ? NO_DOC : doc;
    return status_ok();
}

/* ---- Dead documents ---- */

struct numbers {
    uint32_t *numbers;
    size_t n;
};

static status add_list(const struct source *source, struct arena *arena, size_t field, bytes term,
                       struct numbers *numbers)
{
    struct list list = { .n_docs = 0 };

    TRY(source->ops->find(source, arena, field, term, &list));
    if (list.n_docs > 0) {
        numbers->numbers[numbers->n++] = list.number;
    }
    return status_ok();
}

/* The lists that hold the document, some of them several times. */
static status find_lists(const struct source *source, struct arena *arena,
                         const struct indexed_document *document, struct numbers *ret_numbers)
{
    struct numbers numbers = { .numbers = NULL };
    size_t room = 0;

    for (size_t i = 0; i < document->n_fields; i++) {
        room += 1 + document->fields[i].terms.n_terms;
    }
    numbers.numbers = ARENA_NEW_ARRAY(arena, uint32_t, room);
    for (size_t i = 0; i < document->n_fields; i++) {
        const struct indexed_field *field = &document->fields[i];
        TRY(add_list(source, arena, field->place, (bytes){ 0 }, &numbers));
        for (size_t t = 0; t < field->terms.n_terms; t++) {
            TRY(add_list(source, arena, field->place, field->terms.terms[t].text, &numbers));
        }
    }
    *ret_numbers = numbers;
    return status_ok();
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void reserve_lists(struct dead_docs *dead, size_t n)
{
    if (n <= dead->n_lists) {
        return;
    }
    uint32_t *lists = realloc(dead->lists, n * sizeof *lists);
    if (lists == NULL) {
        abort();
    }
    memset(lists + dead->n_lists, 0, (n - dead->n_lists) * sizeof *lists);
    dead->lists = lists;
    dead->n_lists = n;
}

status source_remove(struct source *source, struct arena *arena, uint32_t doc,
                     const struct indexed_document *document)
{
    struct dead_docs *dead = &source->dead;
    struct numbers found;

    assert(doc < source->n_docs && !source_is_dead(source, doc));
    TRY(find_lists(source, arena, document, &found));
    reserve_lists(dead, source->n_lists);
    qsort(found.numbers, found.n, sizeof *found.numbers, by_number);
    for (size_t i = 0; i < found.n; i++) {
        if (i == 0 || found.numbers[i] != found.numbers[i - 1]) {
            dead->lists[found.numbers[i]]++;
        }
    }
    for (size_t i = 0; i < document->n_fields; i++) {
        dead->lengths[document->fields[i].place] += indexed_field_length(&document->fields[i]);
    }
    bitmap_reserve(&dead->docs, source->n_docs);
    bitmap_set(&dead->docs, doc);
    dead->n_docs++;
    dead->changed = true;
    return status_ok();
}

void source_free(struct source *source)
{
    if (source == NULL) {
        return;
    }
    free(source->dead.lists);
    bitmap_reset(&source->dead.docs);
    source->ops->free(source);
}
