#include "cli/arguments.h"

#include "libs/base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    struct arena *arena;
    struct text mistakes;
    char *const *words;
    bool *used;
    size_t n_words;
    size_t n_options; /* words before "--" */
};

struct arguments *arguments_new(struct arena *arena, int n, char *const *words)
{
    struct arguments *self = ARENA_NEW(arena, struct arguments);

    *self = (struct arguments){
        .arena = arena,
        .mistakes = text_new(arena),
        .words = words,
        .used = ARENA_NEW_ARRAY(arena, bool, (size_t)n + 1),
        .n_words = (size_t)n,
        .n_options = (size_t)n,
    };
    for (size_t i = 0; i < self->n_words; i++) {
        if (strcmp(words[i], "--") == 0) {
            self->used[i] = true;
            self->n_options = i;
            break;
        }
    }
    return self;
}

static void add_mistake(struct arguments *self, const char *text, const char *about)
{
    text_add(&self->mistakes, "%s%s %s", self->mistakes.size > 0 ? "; " : "", about, text);
}

bool arguments_flag(struct arguments *self, const char *name)
{
    bool found = false;

    for (size_t i = 0; i < self->n_options; i++) {
        if (!self->used[i] && strcmp(self->words[i], name) == 0) {
            self->used[i] = true;
            found = true;
        }
    }
    return found;
}

/* The value of the option at place i, if that is what stands there. */
static const char *value_at(struct arguments *self, size_t i, const char *name)
{
    const char *word = self->words[i];
    size_t size = strlen(name);

    if (self->used[i] || strncmp(word, name, size) != 0) {
        return NULL;
    }
    if (word[size] == '=') {
        self->used[i] = true;
        return word + size + 1;
    }
    if (word[size] != '\0') {
        return NULL;
    }
    self->used[i] = true;
    if (i + 1 >= self->n_options || self->used[i + 1]) {
        add_mistake(self, "has no value", name);
        return NULL;
    }
    self->used[i + 1] = true;
    return self->words[i + 1];
}

const char *const *arguments_all(struct arguments *self, const char *name, size_t *ret_n)
{
    const char **values = ARENA_NEW_ARRAY(self->arena, const char *, self->n_options + 1);
    size_t n = 0;

    for (size_t i = 0; i < self->n_options; i++) {
        const char *value = value_at(self, i, name);
        if (value != NULL) {
            values[n++] = value;
        }
    }
    *ret_n = n;
    return values;
}

const char *arguments_text(struct arguments *self, const char *name, const char *standard)
{
    size_t n;
    const char *const *values = arguments_all(self, name, &n);

    return n > 0 ? values[n - 1] : standard;
}

int64_t arguments_number(struct arguments *self, const char *name, int64_t standard, int64_t min,
                         int64_t max)
{
    const char *text = arguments_text(self, name, NULL);
    char *end = NULL;

    if (text == NULL) {
        return standard;
    }
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < min || value > max) {
        add_mistake(self,
                    arena_printf(self->arena, "is '%s', not a number from %" PRId64 " to %" PRId64,
                                 text, min, max),
                    name);
        return standard;
    }
    return value;
}

static bool is_option(const struct arguments *self, size_t i)
{
    return i < self->n_options && self->words[i][0] == '-' && self->words[i][1] != '\0';
}

const char *arguments_next_or(struct arguments *self, const char *standard)
{
    for (size_t i = 0; i < self->n_words; i++) {
        if (!self->used[i] && !is_option(self, i)) {
            self->used[i] = true;
            return self->words[i];
        }
    }
    return standard;
}

const char *arguments_next(struct arguments *self, const char *what)
{
    const char *word = arguments_next_or(self, NULL);

    if (word == NULL) {
        add_mistake(self, "is missing", what);
        return "";
    }
    return word;
}

const char *arguments_rest(struct arguments *self)
{
    struct text rest = text_new(self->arena);
    const char *word;

    while ((word = arguments_next_or(self, NULL)) != NULL) {
        text_add(&rest, "%s%s", rest.size > 0 ? " " : "", word);
    }
    return text_string(&rest);
}

status arguments_end(struct arguments *self)
{
    for (size_t i = 0; i < self->n_words; i++) {
        if (!self->used[i]) {
            add_mistake(self, is_option(self, i) ? "is not known here" : "is too much",
                        arena_printf(self->arena, "'%s'", self->words[i]));
        }
    }
    if (self->mistakes.size == 0) {
        return status_ok();
    }
    return status_error(self->arena, STATUS_INVALID_ARGUMENT, "%s", text_string(&self->mistakes));
}
