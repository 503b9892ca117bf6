#include "services/audit/audit_service.h"

#include "libs/authz/pattern.h"
#include "libs/base/status_details.h"
#include "libs/obs/trace.h"
#include "libs/obs/traceparent.h"
#include "libs/rpc/message.h"
#include "services/audit/audit_message.h"
#include "services/audit/audit_page_token.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PAGE_SIZE = 50, MAX_PAGE_SIZE = 1000 };

#define READ_EVERYTHING "platform:audit:read"

struct audit_service {
    struct audit_service_options options;
};

struct audit_service *audit_service_new(const struct audit_service_options *options)
{
    struct audit_service *self = malloc(sizeof *self);

    assert(options->engine != NULL && options->clock != NULL && options->random != NULL);
    if (self == NULL) {
        abort();
    }
    *self = (struct audit_service){ .options = *options };
    return self;
}

void audit_service_free(struct audit_service *service)
{
    free(service);
}

/* The engine blocks, so only a WORKER comes by it. */
static struct audit_engine *engine_of(const struct call *call)
{
    const struct audit_service *self = call->service;

    assert(call->thread == HANDLER_WORKER);
    return self->options.engine;
}

static int64_t now_ms(const struct audit_service *self)
{
    return clock_wall_ms(self->options.clock);
}

static bool reads_everything(const struct principal *principal)
{
    for (size_t i = 0; i < principal->n_permissions; i++) {
        if (strcmp(principal->tenant_id, PLATFORM_TENANT) == 0 &&
            pattern_grants(principal->permissions[i], READ_EVERYTHING)) {
            return true;
        }
    }
    return false;
}

static status lacks(struct arena *arena, const struct principal *principal, const char *what)
{
    return status_error_info(
        arena,
        status_error(arena, STATUS_PERMISSION_DENIED,
                     "'%s' of tenant '%s' may not %s another tenant's events", principal->subject,
                     principal->tenant_id, what),
        (struct error_info){ .reason = "OTHER_TENANT", .domain = "audit.weft" });
}

/* ---- What the service does is audited, too ---- */

static const char *trace_id_of(struct arena *arena, const struct call *call)
{
    char *text = arena_alloc(arena, TRACEPARENT_TEXT);

    if (call->span == NULL) {
        return "";
    }
    const struct trace_context context = span_context(call->span);
    traceparent_format(&context, text);
    return arena_printf(arena, "%.*s", RECORD_TRACE_ID_BYTES, text + strlen("00-"));
}

static status audit(const struct call *call, const char *tenant_id, const char *action,
                    const char *target, struct audit_detail detail)
{
    const struct audit_service *self = call->service;
    uint64_t index;
    const struct audit_record event = {
        .event_id = random_ulid(self->options.random, call->arena, now_ms(self)),
        .time_ms = now_ms(self),
        .tenant_id = tenant_id,
        .actor = call->principal->subject,
        .action = action,
        .target = target,
        .outcome = AUDIT_DONE,
        .trace_id = trace_id_of(call->arena, call),
        .service = "audit",
        .data_subject = "",
        .details = &detail,
        .n_details = 1,
    };

    return audit_engine_append(engine_of(call), call->arena, &event, 1, &index);
}

/* ---- Appending ---- */

/* "agent/host-1" of "spiffe://weft.local/agent/host-1". */
static const char *spiffe_path(const char *id)
{
    static const char scheme[] = "spiffe://";
    const char *slash =
        strncmp(id, scheme, strlen(scheme)) == 0 ? strchr(id + strlen(scheme), '/') : NULL;

    return slash != NULL ? slash + 1 : id;
}

/* Who says so is known by his credential; a token speaks for its own tenant alone. */
static status vouch(struct arena *arena, const struct call *call, struct audit_record *event)
{
    const struct principal *principal = call->principal;

    if (principal->credential == CREDENTIAL_SVID) {
        event->service = spiffe_path(principal->subject);
        return status_ok();
    }
    event->service = principal->subject;
    if (event->tenant_id[0] == '\0') {
        event->tenant_id = principal->tenant_id;
    }
    if (strcmp(event->tenant_id, principal->tenant_id) != 0) {
        return lacks(arena, principal, "append");
    }
    return status_ok();
}

/* Who appends, and where what it takes comes from: a call's arena, or that of a stream's event. */
struct appender {
    const struct audit_service *service;
    const struct call *call;
    struct arena *arena;
};

static status append(const struct appender *self, Weft__Audit__V1__Event *const *messages, size_t n,
                     uint64_t *ret_indices)
{
    struct audit_record *events = ARENA_NEW_ARRAY(self->arena, struct audit_record, n);

    if (n > AUDIT_ENGINE_MAX_BATCH) {
        return status_bad_field(self->arena, "events", "has %zu events, more than %d", n,
                                AUDIT_ENGINE_MAX_BATCH);
    }
    for (size_t i = 0; i < n; i++) {
        TRY(audit_event_of_message(self->arena, messages[i], now_ms(self->service), &events[i]));
        TRY(vouch(self->arena, self->call, &events[i]));
    }
    return n == 0 ? status_ok()
                  : audit_engine_append(self->service->options.engine, self->arena, events, n,
                                        ret_indices);
}

/* The indices as the API has them. */
static status append_all(const struct appender *self, Weft__Audit__V1__Event *const *messages,
                         size_t n, int64_t **ret_indices)
{
    uint64_t *indices = ARENA_NEW_ARRAY(self->arena, uint64_t, n);
    int64_t *numbers = ARENA_NEW_ARRAY(self->arena, int64_t, n);

    TRY(append(self, messages, n, indices));
    for (size_t i = 0; i < n; i++) {
        numbers[i] = (int64_t)indices[i];
    }
    *ret_indices = numbers;
    return status_ok();
}

static struct appender appender_of(const struct call *call)
{
    assert(call->thread == HANDLER_WORKER);
    return (struct appender){ .service = call->service, .call = call, .arena = call->arena };
}

static status append_event(struct call *call, const Weft__Audit__V1__AppendEventRequest *request,
                           Weft__Audit__V1__AppendEventResponse *response)
{
    const struct appender appender = appender_of(call);
    uint64_t index;

    TRY(append(&appender, &request->event, 1, &index));
    response->index = (int64_t)index;
    return status_ok();
}

static status append_events(struct call *call, const Weft__Audit__V1__AppendEventsRequest *request,
                            Weft__Audit__V1__AppendEventsResponse *response)
{
    const struct appender appender = appender_of(call);

    response->n_indices = request->n_events;
    return append_all(&appender, request->events, request->n_events, &response->indices);
}

/* ---- Appending as a stream: one answer for each request ---- */

static status stream_events_open(struct stream *stream, void *service, void **ret_state)
{
    (void)stream;
    *ret_state = service; /* requests have nothing to do with each other */
    return status_ok();
}

static status stream_events_message(struct stream *stream, void *state,
                                    const Weft__Audit__V1__StreamEventsRequest *request)
{
    const struct appender appender = { state, stream_call(stream), stream_event_arena(stream) };
    Weft__Audit__V1__StreamEventsResponse response;

    if (request == NULL) {
        stream_end(stream);
        return status_ok();
    }
    weft__audit__v1__stream_events_response__init(&response);
    TRY(append_all(&appender, request->events, request->n_events, &response.indices));
    response.n_indices = request->n_events;
    return stream_send(stream, &response.base);
}

static status stream_events_writable(struct stream *stream, void *state)
{
    (void)stream;
    (void)state; /* answers are sent when they are made */
    return status_ok();
}

static void stream_events_closed(struct stream *stream, void *state, status why)
{
    (void)stream;
    (void)state;
    (void)why;
}

/* ---- Reading ---- */

static status get_event(struct call *call, const Weft__Audit__V1__GetEventRequest *request,
                        Weft__Audit__V1__GetEventResponse *response)
{
    const struct principal *principal = call->principal;
    const char *tenant_id = reads_everything(principal) ? NULL : principal->tenant_id;
    struct audit_proof proof = { 0 };

    if (!audit_record_id_is_valid(request->event_id)) {
        return status_bad_field(call->arena, "event_id", "'%.64s' is not well formed",
                                request->event_id);
    }
    TRY(audit_engine_get(engine_of(call), call->arena, tenant_id, request->event_id, &proof));
    const struct audit_record *event = proof.entry.event;
    TRY(audit(call, event != NULL ? event->tenant_id : principal->tenant_id, "audit.event.read",
              arena_printf(call->arena, "event:%s", request->event_id),
              (struct audit_detail){ "index",
                                     arena_printf(call->arena, "%" PRIu64, proof.entry.index) }));
    response->entry = audit_entry_message(call->arena, &proof.entry);
    response->leaf = message_data(proof.leaf);
    response->proof_bundle =
        message_text(arena_printf(call->arena, "%.*s", (int)proof.bundle.size, proof.bundle.data));
    if (proof.leaf_key != NULL) {
        response->leaf_key = message_data((bytes){ proof.leaf_key->data, AEAD_KEY_SIZE });
    }
    return status_ok();
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* Whose events: those of the tenant that was asked for, or of the caller's; NULL for all. */
static status tenant_to_read(struct call *call, const char *asked, const char **ret_tenant_id)
{
    const struct principal *principal = call->principal;

    if (reads_everything(principal)) {
        *ret_tenant_id = or_null(asked);
        return status_ok();
    }
    if (asked[0] != '\0' && strcmp(asked, principal->tenant_id) != 0) {
        return lacks(call->arena, principal, "read");
    }
    *ret_tenant_id = principal->tenant_id;
    return status_ok();
}

static status check_filter(struct arena *arena, const char *field, const char *text, size_t max)
{
    if (strlen(text) > max) {
        return status_bad_field(arena, field, "has %zu bytes, more than %zu", strlen(text), max);
    }
    return status_ok();
}

/* AIP-158: 0 asks for the default, and too large a page is cut, not refused. */
static size_t page_limit(int32_t page_size)
{
    int32_t wanted = page_size != 0 ? page_size : DEFAULT_PAGE_SIZE;

    return (size_t)(wanted < MAX_PAGE_SIZE ? wanted : MAX_PAGE_SIZE);
}

static status query_of(struct call *call, const Weft__Audit__V1__ListEventsRequest *request,
                       struct audit_query *ret_query)
{
    struct audit_query query = {
        .actor = or_null(request->actor),
        .action = or_null(request->action),
        .target = or_null(request->target),
        .limit = page_limit(request->page_size),
    };

    if (request->page_size < 0) {
        return status_bad_field(call->arena, "page_size", "%d is negative", request->page_size);
    }
    TRY(check_filter(call->arena, "tenant_id", request->tenant_id, RECORD_MAX_TENANT_BYTES));
    TRY(check_filter(call->arena, "actor", request->actor, RECORD_MAX_ACTOR_BYTES));
    TRY(check_filter(call->arena, "action", request->action, RECORD_MAX_ACTION_BYTES));
    TRY(check_filter(call->arena, "target", request->target, RECORD_MAX_TARGET_BYTES));
    TRY(audit_time_of(call->arena, "start_time", request->start_time, 0, &query.start_ms));
    TRY(audit_time_of(call->arena, "end_time", request->end_time, INT64_MAX, &query.end_ms));
    TRY(tenant_to_read(call, request->tenant_id, &query.tenant_id));
    if (!audit_page_token_parse(call->arena, &query, request->page_token, &query.after)) {
        return status_bad_field(call->arena, "page_token",
                                "did not come from ListEvents with the same filters");
    }
    *ret_query = query;
    return status_ok();
}

/* What was found is told before it is shown: an answer that leaves has left its trace. */
static status list_events(struct call *call, const Weft__Audit__V1__ListEventsRequest *request,
                          Weft__Audit__V1__ListEventsResponse *response)
{
    struct audit_query query = { 0 };
    struct audit_list list = { 0 };

    TRY(query_of(call, request, &query));
    TRY(audit_engine_list(engine_of(call), call->arena, &query, &list));
    const char *of = query.tenant_id != NULL ? query.tenant_id : call->principal->tenant_id;
    TRY(audit(
        call, of, "audit.events.list",
        query.tenant_id != NULL ? arena_printf(call->arena, "tenant:%s", query.tenant_id)
                                : "tenant:*",
        (struct audit_detail){ "n_entries", arena_printf(call->arena, "%zu", list.n_entries) }));
    response->entries = ARENA_NEW_ARRAY(call->arena, Weft__Audit__V1__Entry *, list.n_entries);
    for (size_t i = 0; i < list.n_entries; i++) {
        response->entries[i] = audit_entry_message(call->arena, &list.entries[i]);
    }
    response->n_entries = list.n_entries;
    if (list.more) {
        response->next_page_token =
            message_text(audit_page_token(call->arena, &query, &list.places[list.n_entries - 1]));
    }
    return status_ok();
}

/* ---- The log ---- */

static status get_checkpoint(struct call *call,
                             const Weft__Audit__V1__GetCheckpointRequest *request,
                             Weft__Audit__V1__GetCheckpointResponse *response)
{
    struct audit_log_state state;

    (void)request;
    TRY(audit_engine_checkpoint(engine_of(call), call->arena, &state));
    response->checkpoint = message_text(
        arena_printf(call->arena, "%.*s", (int)state.checkpoint.size, state.checkpoint.data));
    response->verifier_key = message_text(audit_engine_verifier_key(engine_of(call)));
    return status_ok();
}

static status get_consistency_proof(struct call *call,
                                    const Weft__Audit__V1__GetConsistencyProofRequest *request,
                                    Weft__Audit__V1__GetConsistencyProofResponse *response)
{
    struct merkle_path path;
    uint64_t new_size = (uint64_t)request->new_size;

    if (request->old_size <= 0 || request->new_size < 0) {
        return status_bad_field(call->arena, request->new_size < 0 ? "new_size" : "old_size",
                                "is not the size of a log");
    }
    status s = audit_engine_prove_consistency(engine_of(call), call->arena,
                                              (uint64_t)request->old_size, &new_size, &path);
    if (s.code == STATUS_OUT_OF_RANGE) {
        return status_bad_field(call->arena, "old_size", "and new_size: %s", s.message);
    }
    TRY(s);
    response->new_size = (int64_t)new_size;
    response->hashes = ARENA_NEW_ARRAY(call->arena, ProtobufCBinaryData, path.n_hashes);
    for (size_t i = 0; i < path.n_hashes; i++) {
        response->hashes[i] = message_data(sha256_bytes(&path.hashes[i]));
    }
    response->n_hashes = path.n_hashes;
    return status_ok();
}

/* ---- Forgetting ---- */

/* Told before and after: a trace stays whatever happens between.  The subject's name would be what
 * is to be forgotten, so the events have its tag. */
static status erase_subject(struct call *call, const Weft__Audit__V1__EraseSubjectRequest *request,
                            Weft__Audit__V1__EraseSubjectResponse *response)
{
    struct arena *arena = call->arena;

    (void)response;
    if (request->data_subject[0] == '\0') {
        return status_bad_field(arena, "data_subject", "is empty");
    }
    TRY(check_filter(arena, "data_subject", request->data_subject, RECORD_MAX_ACTOR_BYTES));
    TRY(check_filter(arena, "tenant_id", request->tenant_id, RECORD_MAX_TENANT_BYTES));
    const char *target =
        arena_printf(arena, "data_subject:%s",
                     audit_engine_subject_tag(engine_of(call), arena, request->tenant_id,
                                              request->data_subject));
    TRY(audit(call, request->tenant_id, "audit.subject.erase", target,
              (struct audit_detail){ "state", "asked" }));
    TRY(audit_engine_erase(engine_of(call), arena, request->tenant_id, request->data_subject));
    return audit(call, request->tenant_id, "audit.subject.erase", target,
                 (struct audit_detail){ "state", "erased" });
}

#define METHODS(X)                                                           \
    X(Weft__Audit__V1__, AppendEvent, WORKER, append_event)                  \
    X(Weft__Audit__V1__, AppendEvents, WORKER, append_events)                \
    X(Weft__Audit__V1__, GetEvent, WORKER, get_event)                        \
    X(Weft__Audit__V1__, ListEvents, WORKER, list_events)                    \
    X(Weft__Audit__V1__, GetCheckpoint, WORKER, get_checkpoint)              \
    X(Weft__Audit__V1__, GetConsistencyProof, WORKER, get_consistency_proof) \
    X(Weft__Audit__V1__, EraseSubject, WORKER, erase_subject)
#define STREAMS(X) X(Weft__Audit__V1__, StreamEvents, WORKER, stream_events)
SERVICE_DEFINE_STREAMS(audit_service_methods, weft__audit__v1__audit_service__descriptor, METHODS,
                       STREAMS);
