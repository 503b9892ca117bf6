#include "cli/bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A figure as a load test prints it; what is no JSON is for people, and left out. */
static void show_line(struct invocation *invocation, const char *line)
{
    json_t *json = json_loads(line, 0, NULL);
    const char *name = NULL;
    const char *unit = NULL;
    const char *command = "";
    const char *verdict = "";
    double value = 0;
    double reference = 0;
    double ratio = 0;
    double bar = 0;

    if (json_unpack(json, "{s:s, s:F, s:s, s?F, s?F, s?F, s?s, s?s}", "name", &name, "value",
                    &value, "unit", &unit, "reference", &reference, "ratio", &ratio, "bar", &bar,
                    "verdict", &verdict, "command", &command) == 0) {
        bool missed = strcmp(verdict, "missed") == 0;
        if (missed) {
            invocation->exit_code = EXIT_FAILURE;
        }
        output_row(
            invocation->output,
            FIELDS(field_text("name", arena_strdup(invocation->arena, name)),
                   field_real("value", value),
                   field_text("unit", arena_strdup(invocation->arena, unit)),
                   field_only(FIELD_TABLE_ONLY,
                              field_text("bar", bar > 0 ? arena_printf(invocation->arena, "%g", bar)
                                                        : "")),
                   field_real("reference", reference), field_real("ratio", ratio),
                   field_tone(missed ? TONE_BAD : TONE_GOOD,
                              field_text("verdict", verdict[0] != '\0'
                                                        ? arena_strdup(invocation->arena, verdict)
                                                        : NULL)),
                   field_only(FIELD_JSON_ONLY,
                              field_text("command", arena_strdup(invocation->arena, command)))));
    }
    json_decref(json);
}

/* Shows its lines as they come; returns whether it ended well. */
static bool run(struct invocation *invocation, const char *path, const char *scratch)
{
    char *line = NULL;
    size_t capacity = 0;
    int wait_status = 0;
    int pipe[2];

    if (pipe2(pipe, O_CLOEXEC) != 0) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("WEFT_OUTPUT", "json", 1);
        (void)dup2(pipe[1], STDOUT_FILENO);
        (void)execl(path, path, scratch, (char *)NULL);
        _exit(127);
    }
    (void)close(pipe[1]);
    FILE *lines = fdopen(pipe[0], "r");
    while (lines != NULL && getline(&line, &capacity, lines) > 0) {
        show_line(invocation, line);
    }
    free(line);
    if (lines != NULL) {
        (void)fclose(lines);
    }
    (void)waitpid(pid, &wait_status, 0);
    return pid > 0 && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
}

status bench_programs(struct invocation *invocation, const char *folder, const char *scratch,
                      const char *only)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort);
    status s = status_ok();

    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (name[0] != '.' && strstr(name, only) != NULL) {
            output_progress(invocation->output, "weft: %s\n", name);
            const char *path = arena_printf(invocation->arena, "%s/%s", folder, name);
            if (!run(invocation, path, scratch)) {
                s = status_error(invocation->arena, STATUS_ABORTED, "'%s' did not end well", name);
            }
        }
        free(entries[i]);
    }
    free(entries);
    return s;
}
