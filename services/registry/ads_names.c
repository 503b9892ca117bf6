#include "services/registry/ads_names.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    const struct ads_name *left = a;
    const struct ads_name *right = b;

    return strcmp(left->text, right->text);
}

struct ads_name *ads_names_find(const struct ads_names *names, const char *text)
{
    const struct ads_name key = { .text = text };

    if (names->n == 0) {
        return NULL;
    }
    return bsearch(&key, names->at, names->n, sizeof names->at[0], by_text);
}

/* The names in one block, each text behind the array. */
static struct ads_names copy_of(char *const *texts, size_t n, size_t max_bytes)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        size += sizeof(struct ads_name) + strnlen(texts[i], max_bytes) + 1;
    }
    struct ads_names names = { .at = malloc(size > 0 ? size : 1) };
    if (names.at == NULL) {
        abort();
    }
    char *text = (char *)(names.at + n);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = strnlen(texts[i], max_bytes + 1);
        if (bytes == 0 || bytes > max_bytes) {
            continue;
        }
        memcpy(text, texts[i], bytes + 1);
        names.at[names.n++] = (struct ads_name){ .text = text };
        text += bytes + 1;
    }
    return names;
}

static void remove_twins(struct ads_names *names)
{
    size_t kept = 0;

    for (size_t i = 0; i < names->n; i++) {
        if (kept == 0 || strcmp(names->at[kept - 1].text, names->at[i].text) != 0) {
            names->at[kept++] = names->at[i];
        }
    }
    names->n = kept;
}

static bool same(const struct ads_names *a, const struct ads_names *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->at[i].text, b->at[i].text) != 0) {
            return false;
        }
    }
    return true;
}

bool ads_names_replace(struct ads_names *names, char *const *texts, size_t n, size_t max_bytes)
{
    struct ads_names next = copy_of(texts, n, max_bytes);

    if (next.n > 0) {
        qsort(next.at, next.n, sizeof next.at[0], by_text);
    }
    remove_twins(&next);
    if (same(names, &next)) {
        ads_names_reset(&next);
        return false;
    }
    for (size_t i = 0; i < next.n; i++) {
        const struct ads_name *before = ads_names_find(names, next.at[i].text);
        if (before != NULL) {
            next.at[i].sent = before->sent;
            next.at[i].accepted = before->accepted;
        }
    }
    ads_names_reset(names);
    *names = next;
    return true;
}

void ads_names_reset(struct ads_names *names)
{
    free(names->at);
    *names = (struct ads_names){ .at = NULL };
}
