#include "libs/audit/event.h"

#include "libs/base/text.h"
#include "libs/base/utf8.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum { VERSION = 1 };

/* ---- Limits ---- */

static const char *fit(struct arena *arena, const char *text, size_t max)
{
    static const char ellipsis[] = "\xe2\x80\xa6"; /* U+2026 */
    bytes rest = bytes_of(text);
    size_t n = 0;

    if (rest.size <= max) {
        return text;
    }
    for (;;) {
        size_t length = utf8_character_length(rest);
        length = length == 0 ? 1 : length;
        if (n + length > max - strlen(ellipsis)) {
            return arena_printf(arena, "%.*s%s", (int)n, text, ellipsis);
        }
        n += length;
        rest.data += length;
        rest.size -= length;
    }
}

struct audit_event audit_event_fit(struct arena *arena, const struct audit_event *event)
{
    struct audit_event fitted = *event;
    size_t n = event->n_details < AUDIT_MAX_DETAILS ? event->n_details : AUDIT_MAX_DETAILS;
    struct audit_detail *details = ARENA_NEW_ARRAY(arena, struct audit_detail, n);

    for (size_t i = 0; i < n; i++) {
        details[i] = (struct audit_detail){
            .key = fit(arena, event->details[i].key, AUDIT_MAX_DETAIL),
            .value = fit(arena, event->details[i].value, AUDIT_MAX_DETAIL),
        };
    }
    fitted.tenant_id = fit(arena, event->tenant_id, AUDIT_MAX_TARGET);
    fitted.subject = fit(arena, event->subject, AUDIT_MAX_SUBJECT);
    fitted.action = fit(arena, event->action, AUDIT_MAX_ACTION);
    fitted.target = fit(arena, event->target, AUDIT_MAX_TARGET);
    fitted.data_subject = fit(arena, event->data_subject, AUDIT_MAX_SUBJECT);
    fitted.details = details;
    fitted.n_details = n;
    return fitted;
}

/* ---- On disk ---- */

static void add_number(struct text *out, uint64_t number, size_t n_bytes)
{
    uint8_t data[8];

    for (size_t i = 0; i < n_bytes; i++) {
        data[i] = (uint8_t)(number >> 8 * i);
    }
    text_add_bytes(out, (bytes){ .data = data, .size = n_bytes });
}

static void add_text(struct text *out, const char *text)
{
    size_t size = strlen(text);

    size = size < UINT16_MAX ? size : UINT16_MAX; /* audit_event_fit() has seen to it */
    add_number(out, size, 2);
    text_add_bytes(out, (bytes){ .data = (const uint8_t *)text, .size = size });
}

bytes audit_event_encode(struct arena *arena, const struct audit_event *event)
{
    struct text out = text_new(arena);

    add_number(&out, VERSION, 1);
    add_number(&out, (uint64_t)event->outcome, 1);
    add_number(&out, (uint64_t)event->time_ms, 8);
    add_text(&out, event->event_id);
    add_text(&out, event->tenant_id);
    add_text(&out, event->subject);
    add_text(&out, event->action);
    add_text(&out, event->target);
    add_text(&out, event->trace_id);
    add_text(&out, event->data_subject);
    add_number(&out, event->n_details, 1);
    for (size_t i = 0; i < event->n_details; i++) {
        add_text(&out, event->details[i].key);
        add_text(&out, event->details[i].value);
    }
    return text_bytes(&out);
}

/* What is left to read.  Once something was missing, everything is. */
struct reader {
    struct arena *arena;
    bytes rest;
    bool is_short;
};

static bool take(struct reader *self, size_t size, const uint8_t **ret_data)
{
    self->is_short = self->is_short || self->rest.size < size;
    if (self->is_short) {
        return false;
    }
    *ret_data = self->rest.data;
    self->rest.data += size;
    self->rest.size -= size;
    return true;
}

static uint64_t take_number(struct reader *self, size_t n_bytes)
{
    const uint8_t *data;
    uint64_t number = 0;

    if (take(self, n_bytes, &data)) {
        for (size_t i = 0; i < n_bytes; i++) {
            number |= (uint64_t)data[i] << 8 * i;
        }
    }
    return number;
}

static const char *take_text(struct reader *self)
{
    size_t size = (size_t)take_number(self, 2);
    const uint8_t *data;

    if (!take(self, size, &data)) {
        return "";
    }
    self->is_short = self->is_short || !utf8_is_valid((bytes){ .data = data, .size = size });
    char *text = arena_alloc(self->arena, size + 1);
    if (size > 0) {
        memcpy(text, data, size);
    }
    return text;
}

static void take_details(struct reader *self, struct audit_event *event)
{
    size_t n = (size_t)take_number(self, 1);
    struct audit_detail *details = ARENA_NEW_ARRAY(self->arena, struct audit_detail, n);

    for (size_t i = 0; i < n; i++) {
        details[i].key = take_text(self);
        details[i].value = take_text(self);
    }
    event->details = details;
    event->n_details = n;
}

status audit_event_decode(struct arena *arena, bytes data, struct audit_event *ret_event)
{
    struct reader in = { .arena = arena, .rest = data };
    struct audit_event event;
    uint64_t version = take_number(&in, 1);

    if (!in.is_short && version != VERSION) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "an audit event of version %" PRIu64 ", this program knows %d", version,
                            VERSION);
    }
    event.outcome = (enum audit_outcome)take_number(&in, 1);
    event.time_ms = (int64_t)take_number(&in, 8);
    event.event_id = take_text(&in);
    event.tenant_id = take_text(&in);
    event.subject = take_text(&in);
    event.action = take_text(&in);
    event.target = take_text(&in);
    event.trace_id = take_text(&in);
    event.data_subject = take_text(&in);
    take_details(&in, &event);
    if (in.is_short) {
        return status_error(arena, STATUS_DATA_LOSS, "an audit event is cut short or no event");
    }
    *ret_event = event;
    return status_ok();
}
