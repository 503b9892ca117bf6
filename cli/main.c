/* weft - the command line client: finds the verb, runs it, and says what came of it. */

#include "cli/session.h"
#include "cli/traces.h"
#include "cli/verbs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

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

static const struct verb *find(const char *first, const char *second)
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

static const char *command_of(struct arena *arena, const struct verb *verb)
{
    return arena_printf(arena, "%s%s%s", verb->area != NULL ? verb->area : "",
                        verb->area != NULL ? " " : "", verb->name);
}

/* Those of one area, or all. */
static size_t help(struct arena *arena, FILE *out, const char *area)
{
    size_t n = 0;

    for (size_t i = 0; i < N_TABLES; i++) {
        for (const struct verb *verb = tables[i]; verb->name != NULL; verb++) {
            if (area == NULL || same(area, verb->area) || same(area, verb->name)) {
                (void)fprintf(out, "  weft %s %s\n      %s\n", command_of(arena, verb), verb->usage,
                              verb->summary);
                n++;
            }
        }
    }
    return n;
}

static int show_help(struct arena *arena, FILE *out, const char *area)
{
    (void)fprintf(out, "usage: weft VERB [ARGUMENT]... [-o table|json] [--as NAME]\n\n");
    if (help(arena, out, area) == 0) {
        (void)help(arena, out, NULL);
    }
    (void)fprintf(out, "  weft test [BAZEL OPTION]...\n      run every test\n");
    return out == stdout ? EXIT_SUCCESS : EX_USAGE;
}

static enum output_format format_of(struct arguments *arguments, bool *ret_ok)
{
    const char *name = arguments_text(arguments, "-o", "table");

    *ret_ok = same(name, "table") || same(name, "json");
    return same(name, "json") ? OUTPUT_JSON : OUTPUT_TABLE;
}

static int code_of(status s)
{
    return s.code == STATUS_INVALID_ARGUMENT ? EX_USAGE : EXIT_FAILURE;
}

static int run(struct arena *arena, const struct verb *verb, int n, char *const *words)
{
    struct invocation invocation = {
        .arena = arena,
        .arguments = arguments_new(arena, n, words),
        .root = getenv("WEFT_HOME"),
        .programs = getenv("WEFT_PROGRAMS"),
    };
    bool ok = false;
    enum output_format format = format_of(invocation.arguments, &ok);

    if (!ok || arguments_flag(invocation.arguments, "--help")) {
        return show_help(arena, ok ? stdout : stderr, verb->name);
    }
    invocation.as = arguments_text(invocation.arguments, "--as", NULL);
    invocation.command = command_of(arena, verb);
    invocation.root = invocation.root != NULL ? invocation.root : ".weft";
    invocation.programs = invocation.programs != NULL ? invocation.programs : ".build";
    invocation.output = output_new(&(struct output_options){
        .out = stdout,
        .errors = stderr,
        .format = format,
        .colour = output_wants_colour(stdout),
        .colour_errors = output_wants_colour(stderr),
        .is_terminal = isatty(STDOUT_FILENO),
        .width = output_width(stdout),
    });
    status s = verb->run(&invocation);
    if (!status_is_ok(s)) {
        output_error(invocation.output, s,
                     invocation.advice != NULL || s.code != STATUS_INVALID_ARGUMENT
                         ? invocation.advice
                         : arena_printf(arena, "weft %s %s", invocation.command, verb->usage));
    }
    if (invocation.session != NULL) {
        session_end_trace(invocation.session);
        traces_keep(invocation.session, arena, session_trace_id(invocation.session, arena));
    }
    session_free(invocation.session);
    output_free(invocation.output);
    return status_is_ok(s) ? invocation.exit_code : code_of(s);
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    const char *first = argc > 1 ? argv[1] : "help";
    const struct verb *verb = find(first, argc > 2 ? argv[2] : NULL);
    int code;

    (void)signal(SIGPIPE, SIG_IGN); /* of a peer; when standard output breaks, we end soon anyway */
    if (verb != NULL) {
        int skip = verb->area != NULL ? 3 : 2;
        code = run(arena, verb, argc - skip, argv + skip);
    } else if (same(first, "help") || same(first, "--help") || same(first, "-h")) {
        code = show_help(arena, stdout, argc > 2 ? argv[2] : NULL);
    } else {
        (void)fprintf(stderr, "error: there is no verb '%s'\n", first);
        code = show_help(arena, stderr, first);
    }
    arena_free(arena);
    return code;
}
