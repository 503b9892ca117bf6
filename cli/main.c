/* weft - the command line client: finds the verb, runs it, and says what came of it. */

#include "cli/help.h"
#include "cli/session.h"
#include "cli/traces.h"
#include "libs/base/status_details.h"
#include "libs/mesh/mesh.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static status format_of(struct invocation *invocation, enum output_format *ret)
{
    const char *name = arguments_text(invocation->arguments, "-o", "table");

    *ret = same(name, "json") ? OUTPUT_JSON : OUTPUT_TABLE;
    return same(name, "table") || same(name, "json")
               ? status_ok()
               : status_error(invocation->arena, STATUS_INVALID_ARGUMENT,
                              "-o is '%s', not table or json", name);
}

/* What to do next when the verb itself does not know: it is the same with all of them. */
static const char *next_step(const struct invocation *invocation, const struct verb *verb, status s)
{
    const char *asked =
        invocation->session != NULL ? session_last_asked(invocation->session) : NULL;

    switch (s.code) {
    case STATUS_INVALID_ARGUMENT:
        return arena_printf(invocation->arena, "weft %s%s%s", invocation->command,
                            verb->usage[0] != '\0' ? " " : "", verb->usage);
    case STATUS_UNAVAILABLE:
    case STATUS_DEADLINE_EXCEEDED:
        return asked != NULL ? arena_printf(invocation->arena,
                                            "./weft status shows how '%s' is, ./weft logs %s why",
                                            asked, asked)
                             : NULL;
    case STATUS_UNAUTHENTICATED:
        return arena_printf(invocation->arena,
                            "%s; ./weft key create TENANT_ID ACCOUNT_ID "
                            "makes another, docs/runbooks/lost-keys.md says more",
                            invocation->as != NULL           ? "that is the key of --as"
                            : getenv("WEFT_API_KEY") != NULL ? "that is the key in WEFT_API_KEY"
                                                             : "that is the administrator's key");
    case STATUS_RESOURCE_EXHAUSTED:
        return s.details != NULL && s.details->retry_after_ms > 0
                   ? arena_printf(invocation->arena, "again in %.1f s",
                                  (double)s.details->retry_after_ms / 1000)
                   : NULL;
    case STATUS_NOT_FOUND:
        /* Projects are of the tenant whose key asks. */
        return strncmp(verb->usage, "PROJECT_ID", strlen("PROJECT_ID")) == 0 &&
                       invocation->as == NULL && getenv("WEFT_API_KEY") == NULL
                   ? "--as NAME asks in another tenant than the administrator's own"
                   : NULL;
    case STATUS_PERMISSION_DENIED:
        return "./weft whoami, with the same --as, shows what it may do";
    default:
        return NULL;
    }
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
    enum output_format format;
    status s = format_of(&invocation, &format);

    if (arguments_flag(invocation.arguments, "--help")) {
        help_with(arena, verb);
        return EXIT_SUCCESS;
    }
    invocation.as = arguments_text(invocation.arguments, "--as", NULL);
    invocation.command = verb_command(arena, verb);
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
    if (status_is_ok(s)) {
        s = verb->run(&invocation);
    }
    if (!status_is_ok(s)) {
        output_error(invocation.output, s,
                     invocation.advice != NULL ? invocation.advice
                                               : next_step(&invocation, verb, s));
    }
    if (invocation.session != NULL) {
        session_end_trace(invocation.session);
        traces_keep(invocation.session, arena, session_trace_id(invocation.session, arena));
    }
    session_free(invocation.session);
    output_free(invocation.output);
    return status_is_ok(s) ? invocation.exit_code : code_of(s);
}

/* `weft -o json status`: what stands before the verb goes behind it. */
static void put_options_last(int argc, char **argv)
{
    for (int n = 0; n < 2 && argc > 3 && (same(argv[1], "-o") || same(argv[1], "--as")); n++) {
        char *const option[] = { argv[1], argv[2] };
        memmove(argv + 1, argv + 3, (size_t)(argc - 3) * sizeof *argv);
        memcpy(argv + argc - 2, option, sizeof option);
    }
}

/* What was not written was not said, unless the reader has gone: head, once it has enough. */
static int end_output(int code)
{
    struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return code;
    }
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0) {
        return code;
    }
    (void)fprintf(stderr, "error: standard output could not be written\n");
    return code != EXIT_SUCCESS ? code : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    int code;

    put_options_last(argc, argv);
    const char *first = argc > 1 ? argv[1] : "help";
    const char *second = argc > 2 ? argv[2] : NULL;
    const struct verb *verb = verb_find(first, second);

    (void)signal(SIGPIPE, SIG_IGN); /* of a peer; when standard output breaks, we end soon anyway */
    if (verb != NULL) {
        int skip = verb->area != NULL ? 3 : 2;
        code = run(arena, verb, argc - skip, argv + skip);
    } else if (same(first, "help") || same(first, "--help") || same(first, "-h")) {
        code =
            second == NULL ? help_all(arena) : help_about(arena, second, argc > 3 ? argv[3] : NULL);
    } else if (same(second, "--help") || same(second, "-h") || same(second, "help")) {
        code = help_about(arena, first, NULL);
    } else if (same(first, "version") || same(first, "--version")) {
        (void)puts(WEFT_VERSION);
        code = EXIT_SUCCESS;
    } else {
        code = help_no_such_verb(arena, first, second);
    }
    code = end_output(code);
    arena_free(arena);
    return code;
}
