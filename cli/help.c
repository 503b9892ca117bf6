#include "cli/help.h"

#include "cli/table.h"
#include "cli/verbs.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct verb *const tables[] = {
#define X(table) table,
    VERB_TABLES(X)
#undef X
};

enum { N_TABLES = sizeof tables / sizeof tables[0] };

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

const struct verb *verb_find(const char *first, const char *second)
{
    for (size_t i = 0; i < N_TABLES; i++) {
        for (const struct verb *verb = tables[i]; verb->name != NULL; verb++) {
            if (verb->area == NULL ? same(first, verb->name)
                                   : same(first, verb->area) && same(second, verb->name)) {
                return verb;
            }
        }
    }
    return NULL;
}

const char *verb_command(struct arena *arena, const struct verb *verb)
{
    return arena_printf(arena, "%s%s%s", verb->area != NULL ? verb->area : "",
                        verb->area != NULL ? " " : "", verb->name);
}

/* ---- Help ---- */

static void explain(struct arena *arena, FILE *out, const struct verb *verb)
{
    (void)fprintf(out, "  weft %s%s%s\n      %s\n", verb_command(arena, verb),
                  verb->usage[0] != '\0' ? " " : "", verb->usage, verb->summary);
}

/* Those of one area, or all; how many they are. */
static size_t explain_all(struct arena *arena, FILE *out, const char *area)
{
    size_t n = 0;

    for (size_t i = 0; i < N_TABLES; i++) {
        for (const struct verb *verb = tables[i]; verb->name != NULL; verb++) {
            if (area == NULL || same(area, verb->area != NULL ? verb->area : verb->name)) {
                explain(arena, out, verb);
                n++;
            }
        }
    }
    return n;
}

int help_all(struct arena *arena)
{
    (void)printf("usage: weft VERB [ARGUMENT]... [-o table|json] [--as NAME]\n\n");
    (void)explain_all(arena, stdout, NULL);
    (void)printf("  weft test [BAZEL OPTION]...\n      run every test\n"
                 "  weft help [VERB]\n      show this, or what one verb takes\n"
                 "  weft version\n      show which version this is\n");
    return EXIT_SUCCESS;
}

/* How many letters must be changed, added or left out (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t costs[MAX];
    size_t n = strlen(b);

    if (n >= MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= n; j++) {
        costs[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = costs[0];
        costs[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t here = corner + (a[i - 1] != b[j - 1]);
            corner = costs[j];
            here = costs[j] + 1 < here ? costs[j] + 1 : here;
            costs[j] = costs[j - 1] + 1 < here ? costs[j - 1] + 1 : here;
        }
    }
    return costs[n];
}

/* The verb that was probably meant, or NULL. */
static const struct verb *nearest(struct arena *arena, const char *said)
{
    enum { MAX_TYPOS = 2 };
    const struct verb *best = NULL;
    size_t half = strlen(said) / 2;
    size_t of_best = (half < MAX_TYPOS ? half : MAX_TYPOS) + 1;

    for (size_t i = 0; i < N_TABLES; i++) {
        for (const struct verb *verb = tables[i]; verb->name != NULL; verb++) {
            size_t typos = distance(said, verb_command(arena, verb));
            if (typos < of_best) {
                best = verb;
                of_best = typos;
            }
        }
    }
    return best;
}

int help_no_such_verb(struct arena *arena, const char *first, const char *second)
{
    const char *both = second != NULL ? arena_printf(arena, "%s %s", first, second) : first;
    const struct verb *meant = nearest(arena, both);
    bool is_area = false;

    for (size_t i = 0; i < N_TABLES; i++) {
        is_area = is_area || same(first, tables[i][0].area);
    }
    meant = meant != NULL ? meant : nearest(arena, first);
    if (is_area && second == NULL) {
        (void)fprintf(stderr, "error: '%s' what?\n", first);
    } else {
        (void)fprintf(stderr, "error: there is no verb '%s'\n",
                      harmless(arena, is_area ? both : first));
    }
    if (meant != NULL) {
        (void)fprintf(stderr, "  did you mean 'weft %s'?\n", verb_command(arena, meant));
    } else if (is_area) {
        (void)explain_all(arena, stderr, first);
    } else {
        (void)fprintf(stderr, "  next: ./weft help\n");
    }
    return EX_USAGE;
}

int help_about(struct arena *arena, const char *first, const char *second)
{
    const struct verb *verb = verb_find(first, second);

    if (verb != NULL) {
        explain(arena, stdout, verb);
        return EXIT_SUCCESS;
    }
    return second == NULL && explain_all(arena, stdout, first) > 0
               ? EXIT_SUCCESS
               : help_no_such_verb(arena, first, second);
}

void help_with(struct arena *arena, const struct verb *verb)
{
    explain(arena, stdout, verb);
}
