#include "cli/prepare.h"

#include "cli/programs.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/crypto/sha256.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PROGRAM_BYTES = 512 * 1024 * 1024 }; /* one with a sanitizer and its symbols has 30 MB */

/* The client is a member of the mesh too, and is attested like the others. */
static const char client[] = "weft";

/* ---- Programs ---- */

static status copy_program(struct arena *arena, struct files *from, struct files *to,
                           const char *name, const char **ret_hash)
{
    struct file *file = NULL;
    struct sha256 hash;
    bytes data;

    /* Removed first, since a program that runs cannot be written. */
    TRY(files_read(from, arena, name, MAX_PROGRAM_BYTES, &data));
    TRY(files_remove(to, arena, name));
    TRY(files_open(to, arena, name, FILES_WRITE, &file));
    status s = file_write_at(file, arena, 0, data);
    file_close(file);
    hash = sha256_of(data);
    *ret_hash = hex_encode(arena, sha256_bytes(&hash));
    return s;
}

/* Of the programs and, last, of the client; hex, in arena. */
struct hashes {
    const char *of[N_PROGRAMS + 1];
};

static status copy_all(struct arena *arena, struct files *from, struct files *to,
                       const char *folder, struct hashes *ret)
{
    for (size_t i = 0; i <= N_PROGRAMS; i++) {
        const char *name = i < N_PROGRAMS ? program_entries[i].name : client;
        const char *path = arena_printf(arena, "%s/%s", folder, name);
        struct arena *scratch = arena_new();
        const char *hash = NULL;

        status s = copy_program(scratch, from, to, name, &hash);
        if (status_is_ok(s)) {
            ret->of[i] = arena_strdup(arena, hash);
        } else {
            s = status_error(arena, s.code, "copy '%s': %s", name, s.message);
        }
        arena_free(scratch);
        TRY(s);
        /* Others may run it: as root each is run by a user of its own. */
        if (chmod(path, 0755) != 0) {
            return status_error(arena, STATUS_UNAVAILABLE, "chmod '%s': %s", path, strerror(errno));
        }
    }
    return status_ok();
}

static status copy_programs(struct arena *arena, const struct home *home, const char *programs,
                            struct hashes *ret)
{
    struct disk_files from;
    struct disk_files to;
    const char *folder = home_path(arena, home, "bin");

    TRY(disk_files_init(&from, arena, programs));
    status s = disk_files_init(&to, arena, folder);
    if (status_is_ok(s)) {
        s = copy_all(arena, &from.files, &to.files, folder, ret);
        disk_files_reset(&to);
    }
    disk_files_reset(&from);
    return s;
}

bool prepare_is_outdated(struct arena *arena, const struct home *home, const char *programs)
{
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const char *name = program_entries[i].name;
        struct stat built;
        struct stat running;
        if (stat(arena_printf(arena, "%s/%s", programs, name), &built) == 0 &&
            stat(arena_printf(arena, "%s/bin/%s", home->root, name), &running) == 0 &&
            built.st_mtime > running.st_mtime) {
            return true;
        }
    }
    return false;
}

/* ---- Folders ---- */

static unsigned uid_of(const struct home *home, const struct program_entry *program)
{
    return home->is_root ? program->uid : 0;
}

/* A folder that is its program's already is not ours, so make_folder() would refuse it. */
static status make_program_folder(struct arena *arena, const struct home *home,
                                  const struct program_entry *program)
{
    const char *path = home_path(arena, home, program->name);
    unsigned uid = uid_of(home, program);
    struct stat info;

    if (uid != 0 && lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == uid) {
        return status_ok();
    }
    TRY(make_folder(arena, path, 0700));
    if (uid != 0 && chown(path, uid, uid) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "chown '%s': %s", path, strerror(errno));
    }
    return status_ok();
}

/* ---- Who is whom ---- */

/* path and hash are of the program, and only asked when the uid tells nothing. */
struct entry {
    const char *name; /* "tenant" */
    const char *path;
    const char *hash;
    unsigned uid;
};

static void add_entry(json_t *entries, struct arena *arena, const struct home *home,
                      const struct entry *who)
{
    const char *spiffe_id = arena_printf(arena, "spiffe://%s/%s", PROGRAMS_TRUST_DOMAIN, who->name);
    json_t *entry =
        json_pack("{s:s, s:[s, s]}", "spiffe_id", spiffe_id, "dns", who->name, "localhost");

    if (home->is_root) {
        json_object_set_new(entry, "uid", json_integer(who->uid));
    } else {
        json_object_set_new(entry, "path", json_string(who->path));
        json_object_set_new(entry, "sha256", json_string(who->hash));
    }
    json_array_append_new(entries, entry);
}

static json_t *entries_of(struct arena *arena, const struct home *home, const char *programs,
                          const struct hashes *hashes)
{
    json_t *entries = json_array();

    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const struct program_entry *program = &program_entries[i];
        /* The agent is not attested by itself but joins with the registry's token. */
        if (strcmp(program->name, "agent") != 0) {
            add_entry(entries, arena, home,
                      &(struct entry){
                          .name = program->name,
                          .path = arena_printf(arena, "%s/bin/%s", home->root, program->name),
                          .hash = hashes->of[i],
                          .uid = program->uid,
                      });
        }
    }
    /* The client is run where it was built. */
    add_entry(entries, arena, home,
              &(struct entry){
                  .name = "cli",
                  .path = arena_printf(arena, "%s/%s", programs, client),
                  .hash = hashes->of[N_PROGRAMS],
              });
    return entries;
}

/* ---- What runs ---- */

static void set(json_t *environment, const char *name, const char *value)
{
    json_object_set_new(environment, name, json_string(value));
}

static void set_for_registry(json_t *environment, struct arena *arena, const struct home *home)
{
    set(environment, "WEFT_LISTEN", arena_printf(arena, "127.0.0.1:%d", home->registry_port));
    set(environment, "WEFT_BOOTSTRAP_LISTEN",
        arena_printf(arena, "127.0.0.1:%d", home->bootstrap_port));
    set(environment, "WEFT_ENTRIES", "entries.json");
}

static void set_for_agent(json_t *environment, struct arena *arena, const struct home *home)
{
    set(environment, "WEFT_REGISTRY", arena_printf(arena, "127.0.0.1:%d", home->registry_port));
    set(environment, "WEFT_BOOTSTRAP", arena_printf(arena, "127.0.0.1:%d", home->bootstrap_port));
    set(environment, "WEFT_TRUST_BUNDLE", home_path(arena, home, "registry/bundle.pem"));
    set(environment, "WEFT_JOIN_TOKEN_FILE", home_path(arena, home, "registry/join_token"));
}

/* What whoever runs `weft up` may set for all programs, as docs/runbooks say. */
static void pass_on(json_t *environment)
{
    static const char *const names[] = { "WEFT_LOG_LEVEL", "WEFT_STALE_READS",
                                         "WEFT_BOOTSTRAP_AGAIN", "WEFT_AUDIT_REBUILD_INDEX" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL) {
            set(environment, names[i], value);
        }
    }
}

static json_t *environment_of(struct arena *arena, const struct home *home,
                              const struct program_entry *program)
{
    json_t *environment = json_object();

    set(environment, "PATH", "/usr/bin:/bin");
    set(environment, "LANG", "C.UTF-8");
    set(environment, "NOTIFY_SOCKET", home_socket(arena, home, "notify.sock"));
    set(environment, "WEFT_SERVICE", program->name);
    set(environment, "WEFT_AGENT", home_socket(arena, home, "agent.sock"));
    set(environment, "WEFT_LISTEN", "127.0.0.1:0");
    set(environment, "WEFT_HTTP", "127.0.0.1:0");
    set(environment, "WEFT_TRUST_DOMAIN", PROGRAMS_TRUST_DOMAIN);
    pass_on(environment);
    if (program->database) {
        set(environment, "WEFT_DATABASE", arena_printf(arena, "sqlite:%s.db", program->name));
    }
    if (strcmp(program->name, "registry") == 0) {
        set_for_registry(environment, arena, home);
    }
    if (strcmp(program->name, "agent") == 0) {
        set_for_agent(environment, arena, home);
    }
    return environment;
}

static json_t *plan_of(struct arena *arena, const struct home *home)
{
    json_t *programs = json_array();

    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const struct program_entry *program = &program_entries[i];
        const char *path = arena_printf(arena, "%s/bin/%s", home->root, program->name);
        json_t *json = json_pack(
            "{s:s, s:i, s:s, s:s, s:i, s:o}", "name", program->name, "stage", program->stage,
            "program", path, "folder", home_path(arena, home, program->name), "uid",
            (int)uid_of(home, program), "environment", environment_of(arena, home, program));
        if (strcmp(program->name, "agent") == 0) {
            json_object_set_new(json, "opens", json_string(home_socket(arena, home, "agent.sock")));
        }
        json_array_append_new(programs, json);
    }
    return json_pack("{s:s, s:o}", "runtime", home->runtime, "programs", programs);
}

/* Takes over json. */
static status write_json(struct arena *arena, const struct home *home, const char *name,
                         json_t *json)
{
    struct disk_files files;
    char *text = json_dumps(json, JSON_INDENT(2));

    json_decref(json);
    if (text == NULL) {
        abort(); /* out of memory: all of it is text of our own */
    }
    status s = disk_files_init(&files, arena, home->root);
    if (status_is_ok(s)) {
        s = files_replace(&files.files, arena, name, bytes_of(text));
        disk_files_reset(&files);
    }
    free(text);
    return s;
}

static status write_entries(struct arena *arena, const struct home *home, const char *programs,
                            const struct hashes *hashes)
{
    const char *path = home_path(arena, home, "registry/entries.json");
    unsigned uid = uid_of(home, &program_entries[0]);

    TRY(write_json(arena, home, "registry/entries.json",
                   entries_of(arena, home, programs, hashes)));
    if (uid != 0 && chown(path, uid, uid) != 0) {
        return status_error(arena, STATUS_UNAVAILABLE, "chown '%s': %s", path, strerror(errno));
    }
    return status_ok();
}

status prepare(struct arena *arena, const struct home *home, const char *programs)
{
    struct hashes hashes = { 0 };
    char resolved[PATH_MAX];

    if (realpath(programs, resolved) == NULL) {
        return status_error(arena, STATUS_UNAVAILABLE, "resolve '%s': %s", programs,
                            strerror(errno));
    }
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        TRY(make_program_folder(arena, home, &program_entries[i]));
    }
    TRY(copy_programs(arena, home, programs, &hashes));
    TRY(write_entries(arena, home, resolved, &hashes));
    return write_json(arena, home, "plan.json", plan_of(arena, home));
}
