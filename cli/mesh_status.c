#include "cli/mesh_status.h"

#include "cli/probe.h"
#include "cli/supervisor/control_client.h"
#include "libs/base/text.h"

#include <jansson.h>
#include <string.h>

enum { PATIENCE_MS = 5000 };

static const char *text_of(struct arena *arena, const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value != NULL ? arena_strdup(arena, value) : NULL;
}

static int64_t number_of(const json_t *object, const char *name, int64_t standard)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) ? json_integer_value(value) : standard;
}

static struct program_status parse(struct arena *arena, const json_t *object)
{
    const char *name = text_of(arena, object, "name");
    const char *state = text_of(arena, object, "state");

    return (struct program_status){
        .name = name != NULL ? name : "?",
        .state = state != NULL ? state : "?",
        .address = text_of(arena, object, "address"),
        .http = text_of(arena, object, "http"),
        .spiffe_id = text_of(arena, object, "spiffe_id"),
        .version = text_of(arena, object, "version"),
        .says = text_of(arena, object, "status"),
        .last_end = text_of(arena, object, "last_end"),
        .pid = (int)number_of(object, "pid", 0),
        .uid = (int)number_of(object, "uid", 0),
        .restarts = number_of(object, "restarts", 0),
        .ready_ms = number_of(object, "ready_ms", -1),
        .start_time_ms = number_of(object, "start_time_ms", 0),
        .retry_in_ms = number_of(object, "retry_in_ms", 0),
        .memory_kb = -1,
    };
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

status mesh_status_get(struct arena *arena, const struct home *home, struct mesh_status *ret)
{
    const char *answer = "";

    TRY(control_ask(arena, home_socket(arena, home, "control.sock"),
                    &(struct control_request){ .command = "status", .timeout_ms = PATIENCE_MS },
                    &answer));
    struct program_status *all =
        ARENA_NEW_ARRAY(arena, struct program_status, count_lines(answer) + 1);
    *ret = (struct mesh_status){ .programs = all, .all_ready = true };
    for (const char *line = answer; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        json_t *object = json_loadb(line, size, 0, NULL);
        if (object == NULL) {
            return status_error(arena, STATUS_INTERNAL, "the supervisor's answer is cut");
        }
        struct program_status *program = &all[ret->n_programs++];
        *program = parse(arena, object);
        ret->all_ready = ret->all_ready && strcmp(program->state, "ready") == 0;
        json_decref(object);
        line += size + (line[size] == '\n');
    }
    return ret->n_programs > 0 ? status_ok()
                               : status_error(arena, STATUS_NOT_FOUND, "the supervisor is ending");
}

static bool is_up(const struct program_status *program)
{
    return strcmp(program->state, "ready") == 0 || strcmp(program->state, "starting") == 0;
}

/* What it says is missing: "snapshot: no word from auth yet". */
static const char *missing(struct arena *arena, const char *body)
{
    json_t *page = json_loads(body, 0, NULL);
    struct text list = text_new(arena);
    size_t i;
    json_t *each;

    json_array_foreach(json_object_get(page, "dependencies"), i, each)
    {
        const char *name = json_string_value(json_object_get(each, "name"));
        const char *reason = json_string_value(json_object_get(each, "reason"));
        if (name != NULL && json_is_false(json_object_get(each, "ready"))) {
            text_add(&list, "%s%s: %s", list.size > 0 ? "; " : "", name,
                     reason != NULL ? reason : "not ready");
        }
    }
    json_decref(page);
    return list.size > 0 ? text_string(&list) : "not ready";
}

static const char *health_of(struct arena *arena, const struct program_status *program)
{
    int code = 0;
    const char *body = probe(arena, program->http, "/readyz", &code);

    if (body == NULL) {
        return "does not answer";
    }
    return code == 200 ? "healthy" : missing(arena, body);
}

void mesh_status_probe(struct arena *arena, struct mesh_status *mesh)
{
    struct program_status *all =
        ARENA_NEW_ARRAY(arena, struct program_status, mesh->n_programs + 1);

    for (size_t i = 0; i < mesh->n_programs; i++) {
        struct program_status *program = &all[i];

        *program = mesh->programs[i];
        if (program->pid != 0) {
            program->memory_kb = probe_memory_kb(arena, program->pid);
        }
        if (program->http != NULL && is_up(program)) {
            program->health = health_of(arena, program);
        }
    }
    mesh->programs = all;
}

bool mesh_status_is_healthy(const struct mesh_status *mesh)
{
    for (size_t i = 0; i < mesh->n_programs; i++) {
        const char *health = mesh->programs[i].health;
        if (health != NULL && strcmp(health, "healthy") != 0) {
            return false;
        }
    }
    return true;
}

static enum tone tone_of(const struct program_status *program)
{
    if (strcmp(program->state, "ready") != 0) {
        return strcmp(program->state, "restarting") == 0 ? TONE_BAD : TONE_WARN;
    }
    return program->health == NULL || strcmp(program->health, "healthy") == 0 ? TONE_GOOD
                                                                              : TONE_WARN;
}

/* One word on how it is, for people. */
static const char *condition(struct arena *arena, const struct program_status *program)
{
    if (strcmp(program->state, "restarting") == 0) {
        return arena_printf(arena, "restarting in %lld ms: %s", (long long)program->retry_in_ms,
                            program->last_end != NULL ? program->last_end : "");
    }
    if (strcmp(program->state, "ready") == 0) {
        return program->health != NULL ? program->health : "ready";
    }
    const char *why = program->health != NULL ? program->health : program->says;
    return is_up(program) && why != NULL ? arena_printf(arena, "%s: %s", program->state, why)
                                         : program->state;
}

/* A number that may be missing. */
static struct field optional(const char *name, int64_t value)
{
    return value < 0 ? field_text(name, NULL) : field_number(name, value);
}

static void show(struct arena *arena, struct output *output, const struct program_status *program)
{
    const char *version = program->version;

    output_row(
        output,
        FIELDS(field_only(FIELD_JSON_ONLY, field_text("name", program->name)),
               field_only(FIELD_TABLE_ONLY, field_text("service", program->name)),
               field_text("address", program->address), field_text("spiffe_id", program->spiffe_id),
               field_only(FIELD_JSON_ONLY, field_text("state", program->state)),
               field_tone(tone_of(program), field_shown(condition(arena, program),
                                                        field_text("health", program->health))),
               field_text("version", version),
               field_time(arena, "start_time", program->start_time_ms),
               field_only(FIELD_WHERE_ROOM, field_number("pid", program->pid)),
               field_only(FIELD_WHERE_ROOM, field_number("restarts", program->restarts)),
               field_only(FIELD_JSON_ONLY, optional("ready_ms", program->ready_ms)),
               field_only(FIELD_JSON_ONLY, optional("memory_kb", program->memory_kb)),
               field_only(FIELD_JSON_ONLY, field_number("uid", program->uid)),
               field_only(FIELD_JSON_ONLY, field_text("http", program->http)),
               field_only(FIELD_JSON_ONLY, field_text("status", program->says)),
               field_only(FIELD_JSON_ONLY, field_text("last_end", program->last_end))));
}

void mesh_status_show(struct arena *arena, struct output *output, const struct mesh_status *mesh)
{
    for (size_t i = 0; i < mesh->n_programs; i++) {
        show(arena, output, &mesh->programs[i]);
    }
    output_end(output);
}
