#include "cli/home.h"

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/crypto/sha256.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_STATE_BYTES = 4096,
    /* Below the range from which the kernel takes ports for connections (32768 up), where one
     * could be in use by chance at the next start. */
    FIRST_PORT = 21000,
    LAST_PORT = 31999,
};

const char *home_path(struct arena *arena, const struct home *home, const char *name)
{
    return arena_printf(arena, "%s/%s", home->root, name);
}

const char *home_socket(struct arena *arena, const struct home *home, const char *name)
{
    return arena_printf(arena, "%s/%s", home->runtime != NULL ? home->runtime : home->root, name);
}

/* ---- What is remembered ---- */

static status parse_state(struct arena *arena, bytes data, struct home *home)
{
    json_t *json = json_loadb((const char *)data.data, data.size, 0, NULL);
    const char *runtime = NULL;
    int format = 0;

    int failed =
        json_unpack(json, "{s:i, s:s, s:i, s:i}", "format", &format, "runtime", &runtime,
                    "registry_port", &home->registry_port, "bootstrap_port", &home->bootstrap_port);
    home->runtime = runtime != NULL ? arena_strdup(arena, runtime) : NULL;
    json_decref(json);
    if (format > HOME_FORMAT) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "'%s' is of format %d, and this program knows formats up to %d: it was "
                            "made by a newer Weft",
                            home->root, format, HOME_FORMAT);
    }
    if (failed) {
        return status_error(arena, STATUS_DATA_LOSS, "'%s/weft.json' is damaged", home->root);
    }
    home->exists = true;
    return status_ok();
}

status home_find(struct arena *arena, const char *root, struct home *ret)
{
    char resolved[PATH_MAX];
    struct disk_files files;
    struct stat info;
    bytes data;

    *ret = (struct home){ .root = arena_strdup(arena, root), .is_root = geteuid() == 0 };
    if (realpath(root, resolved) == NULL || stat(resolved, &info) != 0) {
        return status_ok(); /* there is none yet */
    }
    ret->root = arena_strdup(arena, resolved);
    if (info.st_uid != geteuid()) {
        return status_error(arena, STATUS_FAILED_PRECONDITION, "'%s' belongs to uid %u, not to %u",
                            resolved, (unsigned)info.st_uid, (unsigned)geteuid());
    }
    TRY(disk_files_init(&files, arena, resolved));
    status s = files_read(&files.files, arena, "weft.json", MAX_STATE_BYTES, &data);
    disk_files_reset(&files);
    if (s.code == STATUS_NOT_FOUND) {
        return status_ok();
    }
    TRY(s);
    return parse_state(arena, data, ret);
}

static status remember(struct arena *arena, const struct home *home)
{
    struct disk_files files;
    struct text json = text_new(arena);

    text_add(&json, "{\"format\":%d,\"runtime\":", HOME_FORMAT);
    text_add_json(&json, bytes_of(home->runtime));
    text_add(&json, ",\"registry_port\":%d,\"bootstrap_port\":%d}\n", home->registry_port,
             home->bootstrap_port);
    TRY(disk_files_init(&files, arena, home->root));
    status s = files_replace(&files.files, arena, "weft.json", text_bytes(&json));
    disk_files_reset(&files);
    return s;
}

/* ---- Making it ---- */

status make_folder(struct arena *arena, const char *path, unsigned mode)
{
    struct stat info;

    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        return status_error(arena, STATUS_UNAVAILABLE, "make '%s': %s", path, strerror(errno));
    }
    if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "'%s' is not a folder of ours; move it out of the way", path);
    }
    if ((info.st_mode & 07777) != mode && chmod(path, mode) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "chmod '%s': %s", path, strerror(errno));
    }
    return status_ok();
}

/* What the first of all that makes a home leaves in it at once. */
static bool is_mark(const char *name)
{
    return strcmp(name, "weft.json") == 0 || strcmp(name, "up.lock") == 0 ||
           strcmp(name, "bench.lock") == 0;
}

static bool holds_other_things(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    bool is_marked = false;
    bool is_empty = true;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        bool is_itself = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        is_empty = is_empty && is_itself;
        is_marked = is_marked || is_mark(entry->d_name);
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return !is_empty && !is_marked;
}

status home_claim(struct arena *arena, const char *root)
{
    if (holds_other_things(root)) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "'%s' holds other things: a mesh needs a folder of its own, which "
                            "`down --purge` removes",
                            root);
    }
    return make_folder(arena, root, 0700);
}

static const char *choose_runtime(struct arena *arena, const struct home *home)
{
    struct sha256 hash = sha256_of(bytes_of(home->root));
    const char *digits = hex_encode(arena, (bytes){ .data = hash.data, .size = 4 });
    const char *wanted = home->is_root ? "/run" : getenv("XDG_RUNTIME_DIR");
    bool fits = wanted != NULL && wanted[0] == '/' && access(wanted, W_OK) == 0;
    const char *base = fits ? wanted : "/tmp";

    return arena_printf(arena, "%s/weft-%s", base, digits);
}

bool port_is_free(int port)
{
    const int yes = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return false;
    }
    /* Connections of before that linger are no reason against it. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    bool ok = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return ok;
}

/* The first free one, beginning at a place that differs from home to home. */
static int choose_port(const struct home *home, int not_this)
{
    struct sha256 hash = sha256_of(bytes_of(home->root));
    int count = LAST_PORT - FIRST_PORT + 1;
    int start = (hash.data[4] << 8 | hash.data[5]) % count;

    for (int i = 0; i < count; i++) {
        int port = FIRST_PORT + (start + i) % count;
        if (port != not_this && port_is_free(port)) {
            return port;
        }
    }
    return 0;
}

static status choose_ports(struct arena *arena, struct home *home)
{
    if (home->registry_port == 0 || !port_is_free(home->registry_port)) {
        home->registry_port = choose_port(home, home->bootstrap_port);
    }
    if (home->bootstrap_port == 0 || !port_is_free(home->bootstrap_port)) {
        home->bootstrap_port = choose_port(home, home->registry_port);
    }
    if (home->registry_port == 0 || home->bootstrap_port == 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "no port from %d to %d of 127.0.0.1 is free",
                            FIRST_PORT, LAST_PORT);
    }
    return status_ok();
}

status home_make(struct arena *arena, struct home *home)
{
    char resolved[PATH_MAX];

    TRY(home_claim(arena, home->root));
    if (realpath(home->root, resolved) == NULL) {
        return status_error(arena, STATUS_UNAVAILABLE, "resolve '%s': %s", home->root,
                            strerror(errno));
    }
    home->root = arena_strdup(arena, resolved);
    TRY(make_folder(arena, home_path(arena, home, "bin"), 0700));
    TRY(make_folder(arena, home_path(arena, home, "logs"), 0700));
    /* Chosen anew each time: /run and $XDG_RUNTIME_DIR do not outlive a boot. */
    home->runtime = choose_runtime(arena, home);
    TRY(make_folder(arena, home->runtime, home->is_root ? 0711 : 0700));
    TRY(choose_ports(arena, home));
    TRY(remember(arena, home));
    home->exists = true;
    return status_ok();
}

/* ---- Forgetting it ---- */

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static status remove_tree(struct arena *arena, const char *path)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        return status_error(arena, STATUS_UNAVAILABLE, "remove '%s': %s", path, strerror(errno));
    }
    return status_ok();
}

status home_forget(struct arena *arena, const struct home *home)
{
    if (!home->exists) {
        return status_error(arena, STATUS_FAILED_PRECONDITION, "'%s' is no home of a mesh",
                            home->root);
    }
    TRY(remove_tree(arena, home->runtime));
    return remove_tree(arena, home->root);
}
