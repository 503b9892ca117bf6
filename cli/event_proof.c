#include "cli/event_proof.h"

#include "libs/base/text.h"
#include "libs/peers/audit_peer.h"
#include "libs/tlog/tlog_proof.h"

status event_proof_checkpoint(struct peer *audit, struct call *call,
                              const Weft__Audit__V1__GetCheckpointResponse **ret_response)
{
    Weft__Audit__V1__GetCheckpointRequest request;

    weft__audit__v1__get_checkpoint_request__init(&request);
    return audit_peer_get_checkpoint(audit, call, &request, ret_response);
}

/* The sizes of the two trees, from the signed checkpoints. */
static status sizes_of(struct arena *arena, const struct offline_proof *proof, bytes older,
                       uint64_t *ret_old, uint64_t *ret_new)
{
    struct note_verifier verifier;
    struct tlog_proof parsed;
    struct checkpoint before;
    struct checkpoint after;

    TRY(note_verifier_parse(arena, proof->verifier_key, &verifier));
    TRY(checkpoint_open(arena, older, &verifier, &before));
    TRY(tlog_proof_parse(arena, proof->bundle, &parsed));
    TRY(checkpoint_open(arena, parsed.checkpoint, &verifier, &after));
    *ret_old = before.tree.size;
    *ret_new = after.tree.size;
    return status_ok();
}

static status add_consistency(struct peer *audit, struct call *call, bytes older,
                              struct offline_proof *proof)
{
    const Weft__Audit__V1__GetConsistencyProofResponse *response;
    Weft__Audit__V1__GetConsistencyProofRequest request;
    uint64_t old_size = 0;
    uint64_t new_size = 0;

    TRY(sizes_of(call->arena, proof, older, &old_size, &new_size));
    if (old_size == 0) {
        return status_ok(); /* the log was empty, and every log begins with that */
    }
    weft__audit__v1__get_consistency_proof_request__init(&request);
    request.old_size = (int64_t)old_size;
    request.new_size = (int64_t)new_size;
    TRY(audit_peer_get_consistency_proof(audit, call, &request, &response));
    bytes *hashes = ARENA_NEW_ARRAY(call->arena, bytes, response->n_hashes + 1);
    for (size_t i = 0; i < response->n_hashes; i++) {
        hashes[i] = (bytes){ response->hashes[i].data, response->hashes[i].len };
    }
    proof->older_checkpoint = older;
    proof->consistency = hashes;
    proof->n_consistency = response->n_hashes;
    return status_ok();
}

status event_proof_get(struct peer *audit, struct call *call,
                       const Weft__Audit__V1__GetEventResponse *event, bytes older,
                       struct offline_proof *ret)
{
    const Weft__Audit__V1__GetCheckpointResponse *newest = NULL;

    TRY(event_proof_checkpoint(audit, call, &newest));
    *ret = (struct offline_proof){
        .leaf = { event->leaf.data, event->leaf.len },
        .bundle = bytes_of(event->proof_bundle),
        .verifier_key = bytes_of(newest->verifier_key),
    };
    return older.size == 0 ? status_ok() : add_consistency(audit, call, older, ret);
}
