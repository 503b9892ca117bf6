#include "cli/supervisor/plan.h"

#include <jansson.h>
#include <stdbool.h>

static void decref(void *json)
{
    json_decref(json);
}

static status bad(struct arena *arena, size_t program, const char *what)
{
    return status_error(arena, STATUS_INVALID_ARGUMENT, "plan: programs[%zu]: %s", program, what);
}

static const char *const *environment_of(struct arena *arena, json_t *object)
{
    const char **lines = ARENA_NEW_ARRAY(arena, const char *, json_object_size(object) + 1);
    size_t n = 0;
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        if (json_string_value(value) == NULL) {
            return NULL;
        }
        lines[n++] = arena_printf(arena, "%s=%s", name, json_string_value(value));
    }
    return lines;
}

/* A name becomes a file's: logs/NAME.log. */
static bool is_name(const char *name)
{
    size_t size = 0;

    for (; name[size] != '\0'; size++) {
        bool plain = (name[size] >= 'a' && name[size] <= 'z') ||
                     (name[size] >= '0' && name[size] <= '9') || name[size] == '_' ||
                     name[size] == '-';
        if (!plain) {
            return false;
        }
    }
    return size > 0 && size <= 63;
}

static status program_of(struct arena *arena, json_t *json, size_t n, struct program *ret)
{
    const char *name = NULL;
    const char *path = NULL;
    const char *folder = NULL;
    const char *opens = NULL;
    json_t *environment = NULL;
    int stage = 0;
    int uid = 0;

    if (json_unpack(json, "{s:s, s:i, s:s, s:s, s:i, s:o, s?s}", "name", &name, "stage", &stage,
                    "program", &path, "folder", &folder, "uid", &uid, "environment", &environment,
                    "opens", &opens) != 0) {
        return bad(arena, n, "a field is missing, or of another type");
    }
    if (!is_name(name)) {
        return bad(arena, n, "its name is not well formed");
    }
    if (path[0] != '/' || folder[0] != '/') {
        return bad(arena, n, "program and folder are absolute paths");
    }
    if (stage < 0 || uid < 0) {
        return bad(arena, n, "stage and uid are not negative");
    }
    const char *const *lines = environment_of(arena, environment);
    if (lines == NULL) {
        return bad(arena, n, "environment has texts alone");
    }
    *ret = (struct program){
        .name = arena_strdup(arena, name),
        .path = arena_strdup(arena, path),
        .folder = arena_strdup(arena, folder),
        .opens = opens != NULL ? arena_strdup(arena, opens) : NULL,
        .uid = (uid_t)uid,
        .stage = stage,
        .environment = lines,
    };
    return status_ok();
}

status plan_parse(struct arena *arena, bytes json, struct plan *ret)
{
    json_error_t error;
    const char *runtime = NULL;
    json_t *programs = NULL;

    json_t *root = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "plan: line %d: %s", error.line,
                            error.text);
    }
    arena_defer(arena, decref, root);
    if (json_unpack(root, "{s:s, s:o}", "runtime", &runtime, "programs", &programs) != 0 ||
        !json_is_array(programs) || runtime[0] != '/') {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "plan: it needs runtime, an absolute path, and programs, an array");
    }
    size_t n = json_array_size(programs);
    if (n > PLAN_MAX_PROGRAMS) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "plan: %zu programs, more than %d", n,
                            PLAN_MAX_PROGRAMS);
    }
    struct program *all = ARENA_NEW_ARRAY(arena, struct program, n);
    for (size_t i = 0; i < n; i++) {
        TRY(program_of(arena, json_array_get(programs, i), i, &all[i]));
    }
    *ret = (struct plan){
        .runtime = arena_strdup(arena, runtime),
        .programs = all,
        .n_programs = n,
    };
    return status_ok();
}
