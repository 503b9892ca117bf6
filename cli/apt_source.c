#include "cli/apt_source.h"

#include "cli/home.h"
#include "libs/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_LIST_BYTES = 256 * 1024 * 1024, /* Debian 12's largest has 56 MB */
    CHUNK_BYTES = 1024 * 1024,
};

static const char machine_lists[] = "/var/lib/apt/lists";

/* ---- Running apt ---- */

struct child_output {
    pid_t pid;
    int fd;
};

static status run(struct arena *arena, const char *const *arguments, bool with_errors,
                  struct child_output *ret)
{
    int pipe[2];

    if (pipe2(pipe, O_CLOEXEC) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(pipe[1], STDOUT_FILENO);
        (void)dup2(with_errors ? pipe[1] : null, STDERR_FILENO);
        (void)execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    (void)close(pipe[1]);
    if (pid < 0) {
        (void)close(pipe[0]);
        return status_error(arena, STATUS_UNAVAILABLE, "fork: %s", strerror(errno));
    }
    *ret = (struct child_output){ .pid = pid, .fd = pipe[0] };
    return status_ok();
}

/* Everything it says, and whether it ended well. */
static bool finish(struct arena *arena, struct child_output *child, struct text *into)
{
    uint8_t *chunk = arena_alloc(arena, CHUNK_BYTES);
    int wait_status = 0;
    ssize_t n;

    while ((n = read(child->fd, chunk, CHUNK_BYTES)) != 0) {
        if (n < 0 && errno != EINTR) {
            break;
        }
        if (n > 0 && into->size < MAX_LIST_BYTES) {
            text_add_bytes(into, (bytes){ .data = chunk, .size = (size_t)n });
        }
    }
    (void)close(child->fd);
    (void)waitpid(child->pid, &wait_status, 0);
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
}

static const char *last_line(struct arena *arena, const struct text *said)
{
    char *text = arena_strdup(arena, text_string(said));
    size_t size = strlen(text);

    while (size > 0 && text[size - 1] == '\n') {
        text[--size] = '\0';
    }
    const char *newline = strrchr(text, '\n');
    return newline != NULL ? newline + 1 : text;
}

static const char *option(struct arena *arena, const char *name, const char *folder,
                          const char *below)
{
    return arena_printf(arena, "%s=%s/%s", name, folder, below);
}

/* apt makes none of them where it is not at home. */
static status make_folders(struct arena *arena, const char *folder)
{
    static const char *const below[] = { "",
                                         "/state",
                                         "/lists",
                                         "/lists/partial",
                                         "/cache",
                                         "/cache/archives",
                                         "/cache/archives/partial" };

    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        TRY(make_folder(arena, arena_printf(arena, "%s%s", folder, below[i]), 0700));
    }
    return status_ok();
}

status apt_source_update(struct arena *arena, const char *folder)
{
    struct text said = text_new(arena);
    struct child_output child = { .fd = -1 };
    const char *const arguments[] = {
        "apt-get", "update", "-q", "-o", option(arena, "Dir::State", folder, "state"), "-o",
        option(arena, "Dir::State::Lists", folder, "lists"), "-o",
        option(arena, "Dir::Cache", folder, "cache"), "-o", "Acquire::Languages=en", "-o",
        /* Names of catalogues for software centres: not ours, and large. */
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false", "-o", "Acquire::Retries=1",
        "-o", "Acquire::http::Timeout=20", "-o",
        /* As root apt would become a user who may not enter our folder. */
        "APT::Sandbox::User=root", NULL
    };

    TRY(make_folders(arena, folder));
    TRY(run(arena, arguments, true, &child));
    if (!finish(arena, &child, &said)) {
        return status_error(arena, STATUS_UNAVAILABLE, "apt-get update: %s",
                            said.size > 0 ? last_line(arena, &said) : "apt-get is not here");
    }
    return status_ok();
}

/* ---- Reading lists ---- */

static bool is_translation(const char *name)
{
    return strstr(name, "_i18n_Translation-en") != NULL;
}

static bool is_packages(const char *name)
{
    const char *end = strstr(name, "_Packages");

    return end != NULL && (end[9] == '\0' || end[9] == '.');
}

/* apt-helper knows every compression that apt uses. */
static status read_list(struct arena *arena, const char *path, struct text *into)
{
    const char *const arguments[] = { "/usr/lib/apt/apt-helper", "cat-file", path, NULL };
    struct child_output child = { .fd = -1 };

    TRY(run(arena, arguments, false, &child));
    if (!finish(arena, &child, into)) {
        return status_error(arena, STATUS_UNAVAILABLE, "apt-helper cannot read '%s'", path);
    }
    return status_ok();
}

/* All lists of one kind; each in memory only while it is read. */
static status read_kind(struct arena *arena, const char *lists, struct apt_reader *reader,
                        bool translations)
{
    struct dirent **entries = NULL;
    status s = status_ok();
    int n = scandir(lists, &entries, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        bool wanted = translations ? is_translation(name) : is_packages(name);
        if (wanted && status_is_ok(s)) {
            struct arena *scratch = arena_new();
            struct text list = text_new(scratch);
            status read = read_list(scratch, arena_printf(scratch, "%s/%s", lists, name), &list);
            if (!status_is_ok(read)) {
                s = status_error(arena, read.code, "%s", read.message);
            } else if (translations) {
                apt_reader_add_translations(reader, text_bytes(&list));
            } else {
                apt_reader_add_packages(reader, text_bytes(&list));
            }
            arena_free(scratch);
        }
        free(entries[i]);
    }
    free(entries);
    return s;
}

status apt_source_read(struct arena *arena, const char *lists, struct apt_reader *reader)
{
    TRY(read_kind(arena, lists, reader, true));
    TRY(read_kind(arena, lists, reader, false));
    if (apt_reader_count(reader) == 0) {
        return status_error(arena, STATUS_NOT_FOUND, "there are no package lists in '%s'", lists);
    }
    return status_ok();
}

/* The first of the folders that has lists. */
static status read_first(struct arena *arena, const char *const *folders, struct apt_reader *reader,
                         const char **ret_where)
{
    status s = status_ok();

    for (size_t i = 0; folders[i] != NULL; i++) {
        s = apt_source_read(arena, folders[i], reader);
        if (status_is_ok(s)) {
            *ret_where = folders[i];
            return s;
        }
    }
    return s;
}

status apt_source_open(struct arena *arena, const char *folder, struct apt_reader **ret_reader,
                       const char **ret_where)
{
    const char *given = getenv("WEFT_APT_LISTS");
    const char *own = arena_printf(arena, "%s/lists", folder);
    /* Lists of an earlier time do as well, when there is no network now. */
    const char *const folders[] = { given != NULL ? given : own,
                                    given != NULL ? NULL : machine_lists, NULL };
    status updated = given != NULL ? status_ok() : apt_source_update(arena, folder);
    struct apt_reader *reader = apt_reader_new();

    status s = read_first(arena, folders, reader, ret_where);
    if (!status_is_ok(s)) {
        apt_reader_free(reader);
        return status_is_ok(updated) ? s : updated;
    }
    *ret_reader = reader;
    return status_ok();
}
