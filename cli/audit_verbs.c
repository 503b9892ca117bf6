/* audit: what happened, provably. */

#include "cli/api.h"
#include "cli/offline_proof.h"
#include "cli/verbs.h"
#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/peers/audit_peer.h"
#include "libs/tlog/tlog_proof.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
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

static status get_key(struct invocation *invocation, struct call *call, const char **ret_key)
{
    const Weft__Audit__V1__GetCheckpointResponse *response;
    Weft__Audit__V1__GetCheckpointRequest request;

    weft__audit__v1__get_checkpoint_request__init(&request);
    TRY(audit_peer_get_checkpoint(api_peer(invocation, "audit"), call, &request, &response));
    *ret_key = response->verifier_key;
    return status_ok();
}

/* That the log only grew from the older checkpoint to the proof's. */
static status add_consistency(struct invocation *invocation, struct call *call,
                              struct offline_proof *proof)
{
    const Weft__Audit__V1__GetConsistencyProofResponse *response;
    Weft__Audit__V1__GetConsistencyProofRequest request;
    struct note_verifier verifier;
    struct tlog_proof parsed;
    struct checkpoint older;
    struct checkpoint newer;

    TRY(note_verifier_parse(call->arena, proof->verifier_key, &verifier));
    TRY(checkpoint_open(call->arena, proof->older_checkpoint, &verifier, &older));
    TRY(tlog_proof_parse(call->arena, proof->bundle, &parsed));
    TRY(checkpoint_open(call->arena, parsed.checkpoint, &verifier, &newer));
    weft__audit__v1__get_consistency_proof_request__init(&request);
    request.old_size = (int64_t)older.tree.size;
    request.new_size = (int64_t)newer.tree.size;
    TRY(audit_peer_get_consistency_proof(api_peer(invocation, "audit"), call, &request, &response));
    bytes *hashes = ARENA_NEW_ARRAY(call->arena, bytes, response->n_hashes + 1);
    for (size_t i = 0; i < response->n_hashes; i++) {
        hashes[i] = (bytes){ response->hashes[i].data, response->hashes[i].len };
    }
    proof->consistency = hashes;
    proof->n_consistency = response->n_hashes;
    return status_ok();
}

static status save(struct invocation *invocation, struct call *call,
                   const Weft__Audit__V1__GetEventResponse *event, const char *folder, bytes older)
{
    const char *key = NULL;

    TRY(get_key(invocation, call, &key));
    struct offline_proof proof = {
        .leaf = { event->leaf.data, event->leaf.len },
        .bundle = bytes_of(event->proof_bundle),
        .verifier_key = bytes_of(key),
        .older_checkpoint = older,
    };
    if (older.data != NULL) {
        TRY(add_consistency(invocation, call, &proof));
    }
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
    struct call call;
    const char *key = NULL;

    TRY(api_begin_without_token(invocation, &call));
    TRY(get_key(invocation, &call, &key));
    if (output_is_json(invocation->output)) {
        output_row(invocation->output, FIELDS(field_text("verifier_key", key)));
    } else {
        output_say(invocation->output, TONE_PLAIN, "%s", key);
    }
    return status_ok();
}

static status show_checkpoint(struct invocation *invocation)
{
    const Weft__Audit__V1__GetCheckpointResponse *response;
    Weft__Audit__V1__GetCheckpointRequest request;
    struct call call;

    weft__audit__v1__get_checkpoint_request__init(&request);
    TRY(api_begin_without_token(invocation, &call));
    TRY(audit_peer_get_checkpoint(api_peer(invocation, "audit"), &call, &request, &response));
    if (output_is_json(invocation->output)) {
        api_show(invocation, &response->base, "checkpoint");
    } else {
        (void)fputs(response->checkpoint, stdout);
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
        return advise(invocation,
                      offline_proof_verify(invocation->arena, folder, invocation->output),
                      "a proof is a folder of `weft audit get --save`; for a log say its --vkey");
    }
    if (older_file != NULL) {
        TRY(read_file(invocation, older_file, &older));
    }
    return advise(
        invocation,
        offline_log_verify(invocation->arena, folder, bytes_of(key), older, invocation->output),
        "keep this folder as it is, and compare it with a copy");
}

const struct verb audit_verbs[] = {
    { "audit", "list", "[--tenant ID] [--actor A] [--action A] [--target T] [--limit N]",
      "show events, newest first", list },
    { "audit", "get", "EVENT_ID [--save FOLDER [--older CHECKPOINT_FILE]]",
      "show one event, and keep what proves it", get },
    { "audit", "verify", "FOLDER [--vkey KEY [--older CHECKPOINT_FILE]]",
      "verify a proof that was saved, or with --vkey all files of a log; needs no mesh", verify },
    { "audit", "vkey", "", "show the key that checkpoints are verified with", show_key },
    { "audit", "checkpoint", "", "show the newest signed checkpoint; keep it for --older",
      show_checkpoint },
    { 0 },
};
