/* logs: what the services wrote. */

#include "cli/log_lines.h"
#include "cli/programs.h"
#include "cli/verbs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_LOGS = N_PROGRAMS + 1, /* and the supervisor's */
    DEFAULT_LINES = 40,
    LOOK_EVERY_MS = 100,
};

struct line {
    const char *time;
    const char *text;
};

static int by_time(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->time, ((const struct line *)b)->time);
}

static void print(struct invocation *invocation, struct arena *arena, const char *line)
{
    if (output_is_json(invocation->output)) {
        if (line[0] == '{') {
            (void)puts(line);
        } else { /* the last words of a program that died, which are not its log's */
            output_row(invocation->output, FIELDS(field_text("msg", line)));
        }
    } else {
        output_say(invocation->output,
                   strstr(line, "\"level\":\"error\"") != NULL  ? TONE_BAD
                   : strstr(line, "\"level\":\"warn\"") != NULL ? TONE_WARN
                                                                : TONE_PLAIN,
                   "%s", log_line_for_people(arena, line));
    }
}

/* Of all logs, in the order of their times. */
static void print_last(struct invocation *invocation, struct log_reader *readers, size_t n_readers,
                       size_t n_lines)
{
    struct arena *arena = arena_new();
    struct line *lines = ARENA_NEW_ARRAY(arena, struct line, n_readers * n_lines + 1);
    size_t n = 0;

    for (size_t i = 0; i < n_readers; i++) {
        struct log_lines last = log_reader_last(&readers[i], arena, n_lines);
        for (size_t j = 0; j < last.n_lines; j++) {
            lines[n++] = (struct line){ log_line_time(arena, last.lines[j]), last.lines[j] };
        }
    }
    qsort(lines, n, sizeof *lines, by_time);
    for (size_t i = n > n_lines ? n - n_lines : 0; i < n; i++) {
        print(invocation, arena, lines[i].text);
    }
    (void)fflush(stdout);
    arena_free(arena);
}

/* Until it is interrupted, or nobody reads it any more. */
static void follow(struct invocation *invocation, struct log_reader *readers, size_t n_readers)
{
    const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };

    (void)signal(SIGPIPE, SIG_DFL);
    for (;;) {
        struct arena *arena = arena_new();
        for (size_t i = 0; i < n_readers; i++) {
            struct log_lines next = log_reader_next(&readers[i], arena);
            for (size_t j = 0; j < next.n_lines; j++) {
                print(invocation, arena, next.lines[j]);
            }
        }
        (void)fflush(stdout);
        arena_free(arena);
        (void)nanosleep(&pause, NULL);
    }
}

/* One log, or all. */
static size_t open_readers(struct invocation *invocation, const struct home *home, const char *name,
                           struct log_reader *readers)
{
    size_t n = 0;

    for (size_t i = 0; i < MAX_LOGS; i++) {
        const char *each = i < N_PROGRAMS ? program_entries[i].name : "supervisor";
        if (name == NULL || strcmp(name, each) == 0) {
            log_reader_init(&readers[n++],
                            home_path(invocation->arena, home,
                                      arena_printf(invocation->arena, "logs/%s.log", each)));
        }
    }
    return n;
}

static status logs(struct invocation *invocation)
{
    bool follows = arguments_flag(invocation->arguments, "-f");
    int64_t n_lines = arguments_number(invocation->arguments, "-n", DEFAULT_LINES, 0, 100000);
    const char *name = arguments_next_or(invocation->arguments, NULL);
    struct log_reader readers[MAX_LOGS];
    struct home home;

    TRY(arguments_end(invocation->arguments));
    TRY(home_find(invocation->arena, invocation->root, &home));
    if (!home.exists) {
        return advise(invocation,
                      status_error(invocation->arena, STATUS_NOT_FOUND, "there is no mesh in '%s'",
                                   home.root),
                      "./weft up");
    }
    size_t n = open_readers(invocation, &home, name, readers);
    if (n == 0) {
        return advise(
            invocation,
            status_error(invocation->arena, STATUS_NOT_FOUND, "there is no service '%s'", name),
            "./weft status");
    }
    print_last(invocation, readers, n, (size_t)n_lines);
    if (follows) {
        follow(invocation, readers, n);
    }
    for (size_t i = 0; i < n; i++) {
        log_reader_reset(&readers[i]);
    }
    return status_ok();
}

const struct verb log_verbs[] = {
    { NULL, "logs", "[SERVICE|supervisor] [-f] [-n LINES]",
      "show the last log lines of one service or of all; -f goes on", logs },
    { 0 },
};
