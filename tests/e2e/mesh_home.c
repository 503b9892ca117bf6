#include "tests/e2e/mesh_home.h"

#include "cli/programs.h"
#include "libs/base/clock.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Commands ---- */

const char *mesh_home_shell(struct mesh_home *self, const char *command)
{
    struct text all = text_new(self->arena);
    char data[4096];
    size_t n;

    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    while ((n = fread(data, 1, sizeof data, pipe)) > 0) {
        text_add_bytes(&all, (bytes){ (const uint8_t *)data, n });
    }
    int code = pclose(pipe);
    self->code = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    return text_string(&all);
}

const char *mesh_home_weft(struct mesh_home *self, const char *words)
{
    return mesh_home_shell(
        self, arena_printf(self->arena, "%s \"$WEFT_PROGRAMS\"/weft %s", self->preload, words));
}

const char *mesh_home_must(struct mesh_home *self, const char *words)
{
    const char *said = mesh_home_weft(self, words);

    if (self->code != 0) {
        fail_msg("'weft %s' ended with code %d: %s", words, self->code, said);
    }
    return said;
}

static const char *must(struct mesh_home *self, const char *command)
{
    const char *said = mesh_home_shell(self, command);

    if (self->code != 0) {
        fail_msg("'%s' ended with code %d", command, self->code);
    }
    return said;
}

/* ---- Objects that the client prints ---- */

json_t *mesh_home_object(struct mesh_home *self, const char *words)
{
    const char *line =
        mesh_home_weft(self, arena_printf(self->arena, "%s -o json 2>/dev/null", words));

    return json_loadb(line, strcspn(line, "\n"), 0, NULL);
}

const char *mesh_home_text(struct mesh_home *self, const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return arena_strdup(self->arena, value != NULL ? value : "");
}

size_t count_lines(const char *text, const char *with)
{
    size_t n = 0;

    for (const char *line = text; *line != '\0'; line += *line != '\0') {
        const char *found = strstr(line, with);
        size_t size = strcspn(line, "\n");
        n += found != NULL && found < line + size;
        line += size;
    }
    return n;
}

pid_t mesh_home_pid(struct mesh_home *self, const char *program)
{
    const char *wanted = arena_printf(self->arena, "\"name\":\"%s\"", program);
    const char *line;

    if (strcmp(program, "supervisor") == 0) {
        line = must(self, arena_printf(self->arena, "cat %s/supervisor.lock", self->home));
        return (pid_t)strtol(line, NULL, 10);
    }
    line = strstr(mesh_home_weft(self, "status -o json"), wanted);
    const char *pid = line != NULL ? strstr(line, "\"pid\":") : NULL;
    return pid != NULL ? (pid_t)strtol(pid + strlen("\"pid\":"), NULL, 10) : 0;
}

void mesh_home_verify_log(struct mesh_home *self)
{
    (void)mesh_home_must(self, arena_printf(self->arena,
                                            "audit verify %s/audit/log --vkey \"$(%s "
                                            "\"$WEFT_PROGRAMS\"/weft audit vkey)\"",
                                            self->home, self->preload));
}

/* ---- Sanitizers ---- */

#if defined(__SANITIZE_ADDRESS__)

#define GOOD_CODES "0|1|69|75"

static void expect_sanitized(struct mesh_home *self, const char *program)
{
    pid_t pid = mesh_home_pid(self, program);

    (void)mesh_home_shell(self,
                          arena_printf(self->arena, "grep -q libasan /proc/%d/maps", (int)pid));
    if (self->code != 0) {
        fail_msg("'%s' runs without the sanitizer", program);
    }
}

static void expect_all_sanitized(struct mesh_home *self)
{
    expect_sanitized(self, "supervisor");
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        expect_sanitized(self, program_entries[i].name);
    }
}

#else

#define GOOD_CODES "0|69|75"

static void expect_all_sanitized(struct mesh_home *self)
{
    (void)self;
}

#endif

/* What is started without a log, as the client and the supervisor are, reports into files.
 *
 * Leaks are for the tests of each part: libgrpc has threads of its own that may still be there when
 * a process ends, and with them what OpenSSL keeps for each thread. */
static void send_reports_to(struct mesh_home *self)
{
    const char *options = getenv("ASAN_OPTIONS");

    (void)setenv("ASAN_OPTIONS",
                 arena_printf(self->arena, "%s:detect_leaks=0:log_path=%s/report",
                              options != NULL ? options : "", self->temp),
                 1);
}

static void expect_no_reports(struct mesh_home *self)
{
    const char *found = mesh_home_shell(
        self,
        arena_printf(
            self->arena,
            "cat %s/report.* 2>/dev/null; grep -hE -A 60 "
            "'ERROR: AddressSanitizer: |: runtime error: ' %s/logs/*.log* %s/*.log 2>/dev/null",
            self->temp, self->home, self->temp));

    if (found[0] != '\0') {
        fail_msg("a sanitizer has something to say:\n%s", found);
    }
}

/* 69 and 75 say that what a program needs is not there, so that it is to be tried again.  With 1
 * the address sanitizer ends what leaks; it does so after any other report, too, which was looked
 * for. */
static void expect_no_faults(struct mesh_home *self)
{
    const char *found = mesh_home_shell(
        self, arena_printf(self->arena,
                           "cat %s/logs/supervisor.log* | grep '\"how\":' | "
                           "grep -vE '\"how\":\"(killed by signal 9 |ended with code (" GOOD_CODES
                           ")\")'",
                           self->home));

    if (found[0] != '\0') {
        fail_msg("ended by a fault of its own:\n%s", found);
    }
}

void mesh_home_end(struct mesh_home *self)
{
    (void)mesh_home_must(self, "down");
    expect_no_reports(self);
    expect_no_faults(self);
}

/* ---- The home ---- */

static void copy_program(struct mesh_home *self, const char *path)
{
    (void)must(self, arena_printf(self->arena, "cp %s/%s %s/", self->start, path, self->programs));
}

void mesh_home_init(struct mesh_home *self)
{
    struct arena *arena = arena_new();
    char folder[PATH_MAX];

    assert_non_null(getcwd(folder, sizeof folder));
    *self = (struct mesh_home){ .arena = arena, .preload = "" };
    self->start = arena_strdup(arena, folder);
    self->temp = temp_folder(arena);
    self->programs = arena_printf(arena, "%s/programs", self->temp);
    self->home = arena_printf(arena, "%s/home", self->temp);
    assert_int_equal(mkdir(self->programs, 0755), 0);
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const char *name = program_entries[i].name;
        copy_program(self, arena_printf(arena, "services/%s/%s", name, name));
    }
    copy_program(self, "cli/weft");
    copy_program(self, "cli/supervisor/weft_supervisor");
    (void)setenv("WEFT_HOME", self->home, 1);
    (void)setenv("WEFT_PROGRAMS", self->programs, 1);
    (void)setenv("WEFT_APT_LISTS", self->temp, 1);
    send_reports_to(self);
}

void mesh_home_up(struct mesh_home *self)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + MESH_HOME_PATIENCE_MS;

    do { /* it waits for a minute, and then goes on with what runs */
        (void)mesh_home_weft(self, "up");
    } while (self->code != 0 && clock_monotonic_ms(&system_clock) < end_ms);
    assert_int_equal(self->code, 0);
    expect_all_sanitized(self);
}

/* The services' environment is the plan's alone, so what stands before the supervisor adds to it.
 * Their users must get at the library.  The address sanitizer wants to be the first one, and works
 * as well as the second. */
void mesh_home_preload(struct mesh_home *self, const char *library, const char *variable,
                       const char *value)
{
    const char *path = arena_printf(self->arena, "%s/preload.so", self->programs);
    const char *supervisor = arena_printf(self->arena, "%s/weft_supervisor", self->programs);

    (void)must(self, arena_printf(self->arena, "install -m 0755 %s/%s %s && chmod 0711 %s",
                                  self->start, library, path, self->temp));
    assert_int_equal(rename(supervisor, arena_printf(self->arena, "%s.real", supervisor)), 0);
    FILE *script = fopen(supervisor, "we");
    assert_non_null(script);
    (void)fprintf(script,
                  "#!/bin/sh\n"
                  "sed -i 's|\"environment\": {|&\"LD_PRELOAD\": \"%s\", \"%s\": \"%s\", "
                  "\"ASAN_OPTIONS\": \"verify_asan_link_order=0\",|' \"$1/plan.json\"\n"
                  "exec %s.real \"$1\"\n",
                  path, variable, value, supervisor);
    assert_int_equal(fclose(script), 0);
    assert_int_equal(chmod(supervisor, 0755), 0);
    self->preload = arena_printf(self->arena, "LD_PRELOAD=%s %s=%s ASAN_OPTIONS=$ASAN_OPTIONS:%s",
                                 path, variable, value, "verify_asan_link_order=0");
}

void mesh_home_reset(struct mesh_home *self)
{
    (void)mesh_home_shell(
        self, arena_printf(self->arena, "tail -n 20 %s/logs/*.log 2>/dev/null >&2", self->home));
    (void)mesh_home_weft(self, "down --purge");
    arena_free(self->arena);
}
