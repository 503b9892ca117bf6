#include "services/audit/audit_record.h"

#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/base/utf8.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#define REDACTED "[redacted]"

static const char *const outcome_names[] = {
    [AUDIT_DONE] = "done", [AUDIT_DENIED] = "denied", [AUDIT_FAILED] = "failed"
};

/* ---- What is well formed ---- */

struct text_limits {
    size_t min;
    size_t max;
    bool lines; /* newlines and tabs may be in it */
};

static bool is_control(char c, bool lines)
{
    return ((unsigned char)c < 0x20 && !(lines && (c == '\n' || c == '\t'))) || c == 0x7f;
}

static bool has_control(const char *text, bool lines)
{
    while (*text != '\0' && !is_control(*text, lines)) {
        text++;
    }
    return *text != '\0';
}

static status check_text(struct arena *arena, const char *field, const char *text,
                         struct text_limits limits)
{
    size_t size = strlen(text);

    if (size < limits.min) {
        return status_bad_field(arena, field, "is empty");
    }
    if (size > limits.max) {
        return status_bad_field(arena, field, "has %zu bytes, more than %zu", size, limits.max);
    }
    if (!utf8_is_valid(bytes_of(text)) || has_control(text, limits.lines)) {
        return status_bad_field(arena, field, "has characters that are no text");
    }
    return status_ok();
}

bool audit_record_id_is_valid(const char *event_id)
{
    static const char allowed[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    size_t size = strspn(event_id, allowed);

    return size > 0 && size <= RECORD_MAX_EVENT_ID_BYTES && event_id[size] == '\0';
}

static status check_event_id(struct arena *arena, const char *id)
{
    if (!audit_record_id_is_valid(id)) {
        return status_bad_field(arena, "event_id", "is not 1 to %d letters, digits, '-' and '_'",
                                RECORD_MAX_EVENT_ID_BYTES);
    }
    return status_ok();
}

static status check_trace_id(struct arena *arena, const char *id)
{
    size_t size = strlen(id);

    if (size != 0 && (size != RECORD_TRACE_ID_BYTES ||
                      strspn(id, "0123456789abcdef") != RECORD_TRACE_ID_BYTES)) {
        return status_bad_field(arena, "trace_id", "is not empty and not 32 hex digits");
    }
    return status_ok();
}

static status check_details(struct arena *arena, const struct audit_record *event)
{
    size_t size = 0;

    if (event->n_details > RECORD_MAX_DETAILS) {
        return status_bad_field(arena, "details", "has %zu pairs, more than %d", event->n_details,
                                RECORD_MAX_DETAILS);
    }
    for (size_t i = 0; i < event->n_details; i++) {
        const struct audit_detail *detail = &event->details[i];
        const char *field = arena_printf(arena, "details[%zu]", i);
        TRY(check_text(arena, field, detail->key,
                       (struct text_limits){ .min = 1, .max = RECORD_MAX_DETAIL_KEY_BYTES }));
        TRY(check_text(arena, field, detail->value,
                       (struct text_limits){ .max = RECORD_MAX_DETAILS_BYTES, .lines = true }));
        for (size_t j = 0; j < i; j++) {
            if (strcmp(event->details[j].key, detail->key) == 0) {
                return status_bad_field(arena, field, "has the key of another");
            }
        }
        size += strlen(detail->key) + strlen(detail->value);
    }
    if (size > RECORD_MAX_DETAILS_BYTES) {
        return status_bad_field(arena, "details", "has %zu bytes, more than %d", size,
                                RECORD_MAX_DETAILS_BYTES);
    }
    return status_ok();
}

status audit_record_check(struct arena *arena, const struct audit_record *event)
{
    const struct {
        const char *field;
        const char *text;
        struct text_limits limits;
    } texts[] = {
        { "tenant_id", event->tenant_id, { .max = RECORD_MAX_TENANT_BYTES } },
        { "actor", event->actor, { .max = RECORD_MAX_ACTOR_BYTES } },
        { "action", event->action, { .min = 1, .max = RECORD_MAX_ACTION_BYTES } },
        { "target", event->target, { .max = RECORD_MAX_TARGET_BYTES } },
        { "service", event->service, { .max = RECORD_MAX_SERVICE_BYTES } },
        { "data_subject", event->data_subject, { .max = RECORD_MAX_ACTOR_BYTES } },
    };

    TRY(check_event_id(arena, event->event_id));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        TRY(check_text(arena, texts[i].field, texts[i].text, texts[i].limits));
    }
    if (event->outcome < AUDIT_DONE || event->outcome > AUDIT_FAILED) {
        return status_bad_field(arena, "outcome", "is not set");
    }
    if (event->time_ms < 0) {
        return status_bad_field(arena, "time", "is before 1970");
    }
    TRY(check_trace_id(arena, event->trace_id));
    return check_details(arena, event);
}

const char *audit_record_subject(const struct audit_record *event)
{
    return event->data_subject[0] != '\0' ? event->data_subject : event->actor;
}

/* ---- What must not be told ---- */

static bool sounds_secret(const char *key)
{
    static const char *const parts[] = { "password", "passwd",     "secret",    "token",
                                         "api_key",  "apikey",     "cookie",    "authorization",
                                         "private",  "credential", "session_id" };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcasestr(key, parts[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* "eyJ" is how the base64 of '{"' begins; a JWT has three parts. */
static bool is_jwt(const char *value)
{
    const char *first = strchr(value, '.');

    return strncmp(value, "eyJ", 3) == 0 && first != NULL && strchr(first + 1, '.') != NULL;
}

static bool looks_secret(const char *value)
{
    return is_jwt(value) || strncasecmp(value, "bearer ", 7) == 0 ||
           strncasecmp(value, "basic ", 6) == 0 || strstr(value, "PRIVATE KEY") != NULL ||
           strstr(value, "PRIVATE+KEY") != NULL;
}

/* ---- What nobody needs ---- */

static const char *without_control(struct arena *arena, const char *text, bool lines)
{
    if (!has_control(text, lines)) {
        return text;
    }
    char *copy = arena_strdup(arena, text);
    for (char *at = copy; *at != '\0'; at++) {
        if (is_control(*at, lines)) {
            *at = '?';
        }
    }
    return copy;
}

static struct audit_detail clean_detail(struct arena *arena, const struct audit_detail *detail)
{
    bool secret = sounds_secret(detail->key) || looks_secret(detail->value);

    return (struct audit_detail){
        .key = without_control(arena, detail->key, false),
        .value = secret ? REDACTED : without_control(arena, detail->value, true),
    };
}

struct audit_record audit_record_clean(struct arena *arena, const struct audit_record *event)
{
    struct audit_record copy = *event;
    struct audit_detail *details = ARENA_NEW_ARRAY(arena, struct audit_detail, event->n_details);
    const char **texts[] = { &copy.tenant_id, &copy.actor,   &copy.action,
                             &copy.target,    &copy.service, &copy.data_subject };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = without_control(arena, *texts[i], false);
    }
    for (size_t i = 0; i < event->n_details; i++) {
        details[i] = clean_detail(arena, &event->details[i]);
    }
    copy.details = details;
    return copy;
}

/* ---- As text ---- */

static void add_member(struct text *text, const char *name, const char *value)
{
    text_add(text, "\"%s\":", name);
    text_add_json(text, bytes_of(value));
    text_add(text, ",");
}

bytes audit_record_encode(struct arena *arena, const struct audit_record *event)
{
    struct text text = text_new(arena);

    text_add(&text, "{");
    add_member(&text, "event_id", event->event_id);
    text_add(&text, "\"time_ms\":%" PRId64 ",", event->time_ms);
    add_member(&text, "tenant_id", event->tenant_id);
    add_member(&text, "actor", event->actor);
    add_member(&text, "action", event->action);
    add_member(&text, "target", event->target);
    add_member(&text, "outcome", outcome_names[event->outcome]);
    add_member(&text, "trace_id", event->trace_id);
    add_member(&text, "service", event->service);
    add_member(&text, "data_subject", audit_record_subject(event));
    text_add(&text, "\"append_time_ms\":%" PRId64 ",\"details\":{", event->append_time_ms);
    for (size_t i = 0; i < event->n_details; i++) {
        text_add(&text, i > 0 ? "," : "");
        text_add_json(&text, bytes_of(event->details[i].key));
        text_add(&text, ":");
        text_add_json(&text, bytes_of(event->details[i].value));
    }
    text_add(&text, "}}");
    return text_bytes(&text);
}

static const char *string_member(struct arena *arena, const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return arena_strdup(arena, value != NULL ? value : "");
}

static int64_t number_member(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static enum audit_outcome outcome_member(const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "outcome"));

    for (int i = AUDIT_DONE; name != NULL && i <= AUDIT_FAILED; i++) {
        if (strcmp(outcome_names[i], name) == 0) {
            return (enum audit_outcome)i;
        }
    }
    return (enum audit_outcome)0;
}

static void read_details(struct arena *arena, json_t *details, struct audit_record *event)
{
    size_t n = json_object_size(details);
    struct audit_detail *copies = ARENA_NEW_ARRAY(arena, struct audit_detail, n);
    const char *key;
    json_t *value;
    size_t i = 0;

    json_object_foreach(details, key, value)
    {
        const char *text = json_string_value(value);
        copies[i++] = (struct audit_detail){ arena_strdup(arena, key),
                                             arena_strdup(arena, text != NULL ? text : "") };
    }
    event->details = copies;
    event->n_details = n;
}

static void free_json(json_t **json)
{
    json_decref(*json);
}

status audit_record_decode(struct arena *arena, bytes text, struct audit_record *ret_event)
{
    json_error_t error;
    CLEANUP(free_json)
    json_t *object = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(object)) {
        return status_error(arena, STATUS_DATA_LOSS, "it is no audit event");
    }
    *ret_event = (struct audit_record){
        .event_id = string_member(arena, object, "event_id"),
        .time_ms = number_member(object, "time_ms"),
        .tenant_id = string_member(arena, object, "tenant_id"),
        .actor = string_member(arena, object, "actor"),
        .action = string_member(arena, object, "action"),
        .target = string_member(arena, object, "target"),
        .outcome = outcome_member(object),
        .trace_id = string_member(arena, object, "trace_id"),
        .service = string_member(arena, object, "service"),
        .data_subject = string_member(arena, object, "data_subject"),
        .append_time_ms = number_member(object, "append_time_ms"),
    };
    read_details(arena, json_object_get(object, "details"), ret_event);
    status s = audit_record_check(arena, ret_event);
    return status_is_ok(s) ? s : status_error(arena, STATUS_DATA_LOSS, "%s", s.message);
}
