/* audit: what happened, provably. */

#include "cli/api.h"
#include "cli/event_proof.h"
#include "cli/verbs.h"
#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/peers/audit_peer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char columns[] =
    "index event.time event.action event.outcome event.actor event.target event.service "
    "event.event_id";

/* A path as it is before session_open() changes the working folder. */
static const char *absolute(struct invocation *invocation, const char *path)
{
    char folder[PATH_MAX];

    if (path == NULL || path[0] == '/' || getcwd(folder, sizeof folder) == NULL) {
        return path;
    }
    return arena_printf(invocation->arena, "%s/%s", folder, path);
}

static status read_file(struct invocation *invocation, const char *path, bytes *ret_data)
{
    const char *slash = strrchr(path, '/');
    const char *folder =
        slash == NULL ? "."
                      : arena_printf(invocation->arena, "%.*s", (int)(slash - path + 1), path);
    struct disk_files files;

    TRY(disk_files_init(&files, invocation->arena, folder));
    status s = files_read(&files.files, invocation->arena, slash != NULL ? slash + 1 : path,
                          1 << 20, ret_data);
    disk_files_reset(&files);
    return s;
}

/* "15m", "2h", "3d" ago, or RFC 3339 in UTC: "2026-11-21", "2026-11-21T16:00:00Z". */
static status parse_time(struct invocation *invocation, const char *option,
                         Google__Protobuf__Timestamp **ret_time)
{
    static const struct {
        char unit;
        int seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    const char *text = arguments_text(invocation->arguments, option, NULL);
    Google__Protobuf__Timestamp *time = ARENA_NEW(invocation->arena, Google__Protobuf__Timestamp);
    struct tm parts = { 0 };
    char *end = NULL;

    if (text == NULL) {
        return status_ok();
    }
    google__protobuf__timestamp__init(time);
    *ret_time = time;
    const char *rest = strptime(text, "%Y-%m-%d", &parts);
    if (rest != NULL && (*rest == '\0' || ((rest = strptime(rest, "T%H:%M:%SZ", &parts)) != NULL &&
                                           *rest == '\0'))) {
        time->seconds = timegm(&parts);
        return status_ok();
    }
    int64_t number = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        bool is_it = end != text && end[0] == units[i].unit && end[1] == '\0';
        if (is_it && number >= 0 && number <= 1000000) {
            time->seconds = clock_wall_ms(&system_clock) / 1000 - number * units[i].seconds;
            return status_ok();
        }
    }
    return status_error(invocation->arena, STATUS_INVALID_ARGUMENT,
                        "%s is '%s', not such as 15m, 2h, 3d, 2026-11-21 or 2026-11-21T16:00:00Z",
                        option, text);
}

static status list(struct invocation *invocation)
{
    const Weft__Audit__V1__ListEventsResponse *page;
    Weft__Audit__V1__ListEventsRequest request;
    struct arguments *arguments = invocation->arguments;
    int64_t left = arguments_number(arguments, "--limit", 50, 1, 1000000);
    struct call call;

    weft__audit__v1__list_events_request__init(&request);
    request.tenant_id = message_text(arguments_text(arguments, "--tenant", ""));
    request.actor = message_text(arguments_text(arguments, "--actor", ""));
    request.action = message_text(arguments_text(arguments, "--action", ""));
    request.target = message_text(arguments_text(arguments, "--target", ""));
    TRY(parse_time(invocation, "--since", &request.start_time));
    TRY(parse_time(invocation, "--until", &request.end_time));
    TRY(api_begin(invocation, &call));
    do {
        request.page_size = api_page_size(left);
        TRY(audit_peer_list_events(api_peer(invocation, "audit"), &call, &request, &page));
        for (size_t i = 0; i < page->n_entries; i++, left--) {
            api_show(invocation, &page->entries[i]->base, columns);
        }
        request.page_token = page->next_page_token;
    } while (left > 0 && page->next_page_token[0] != '\0');
    api_end_list(invocation, page->next_page_token);
    return status_ok();
}

/* ---- One event, with all that proves it ---- */

static status save(struct invocation *invocation, struct call *call,
                   const Weft__Audit__V1__GetEventResponse *event, const char *folder, bytes older)
{
    struct offline_proof proof;

    TRY(event_proof_get(api_peer(invocation, "audit"), call, event, older, &proof));
    TRY(offline_proof_save(invocation->arena, folder, &proof));
    output_say(invocation->output, TONE_DIM, "next: ./weft audit verify %s", folder);
    return status_ok();
}

static status get(struct invocation *invocation)
{
    const char *folder =
        absolute(invocation, arguments_text(invocation->arguments, "--save", NULL));
    const char *older_file =
        absolute(invocation, arguments_text(invocation->arguments, "--older", NULL));
    const Weft__Audit__V1__GetEventResponse *response;
    Weft__Audit__V1__GetEventRequest request;
    struct call call;
    bytes older = { 0 };

    weft__audit__v1__get_event_request__init(&request);
    request.event_id = api_next(invocation, "EVENT_ID");
    TRY(api_begin(invocation, &call));
    if (older_file != NULL) {
        TRY(read_file(invocation, older_file, &older));
    }
    TRY(audit_peer_get_event(api_peer(invocation, "audit"), &call, &request, &response));
    api_show(invocation, &response->entry->base, columns);
    output_end(invocation->output);
    return folder == NULL ? status_ok() : save(invocation, &call, response, folder, older);
}

static status show_key(struct invocation *invocation)
{
    const Weft__Audit__V1__GetCheckpointResponse *newest = NULL;
    struct call call;

    TRY(api_begin_without_token(invocation, &call));
    TRY(event_proof_checkpoint(api_peer(invocation, "audit"), &call, &newest));
    if (output_is_json(invocation->output)) {
        output_row(invocation->output, FIELDS(field_text("verifier_key", newest->verifier_key)));
    } else {
        output_say(invocation->output, TONE_PLAIN, "%s", newest->verifier_key);
    }
    return status_ok();
}

static status show_checkpoint(struct invocation *invocation)
{
    const Weft__Audit__V1__GetCheckpointResponse *newest = NULL;
    struct call call;

    TRY(api_begin_without_token(invocation, &call));
    TRY(event_proof_checkpoint(api_peer(invocation, "audit"), &call, &newest));
    if (output_is_json(invocation->output)) {
        api_show(invocation, &newest->base, "checkpoint");
    } else {
        (void)fputs(newest->checkpoint, stdout);
    }
    return status_ok();
}

/* ---- From files alone ---- */

static status verify(struct invocation *invocation)
{
    const char *key = arguments_text(invocation->arguments, "--vkey", NULL);
    const char *older_file = arguments_text(invocation->arguments, "--older", NULL);
    const char *folder = arguments_next(invocation->arguments, "FOLDER");
    bytes older = { 0 };

    TRY(arguments_end(invocation->arguments));
    if (key == NULL) {
        status s = offline_proof_verify(invocation->arena, folder, invocation->output);
        return s.code != STATUS_NOT_FOUND
                   ? s
                   : advise(invocation, s,
                            "./weft audit get EVENT_ID --save FOLDER makes one; for a whole log "
                            "say its --vkey");
    }
    if (older_file != NULL) {
        TRY(read_file(invocation, older_file, &older));
    }
    status s =
        offline_log_verify(invocation->arena, folder, bytes_of(key), older, invocation->output);
    return s.code == STATUS_INVALID_ARGUMENT
               ? advise(invocation, s, "./weft audit vkey shows it, or keys/verifier_key of audit")
               : advise(invocation, s, "keep this folder as it is, and compare it with a copy");
}

const struct verb audit_verbs[] = {
    { "audit", "list",
      "[--tenant ID] [--actor A] [--action A] [--target T] [--since TIME] [--until TIME] "
      "[--limit N]",
      "show events, newest first; TIME: 15m, 2h, 3d ago, or 2026-11-21T16:00:00Z", list },
    { "audit", "get", "EVENT_ID [--save FOLDER [--older CHECKPOINT_FILE]]",
      "show one event, and keep what proves it", get },
    { "audit", "verify", "FOLDER [--vkey KEY [--older CHECKPOINT_FILE]]",
      "verify a proof that was saved, or with --vkey all files of a log; needs no mesh", verify },
    { "audit", "vkey", "", "show the key that checkpoints are verified with", show_key },
    { "audit", "checkpoint", "", "show the newest signed checkpoint; keep it for --older",
      show_checkpoint },
    { 0 },
};
