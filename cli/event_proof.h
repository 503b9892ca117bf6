/* event_proof - asks audit for all that proves one event, for who keeps it (offline_proof.h). */

#ifndef CLI_EVENT_PROOF_H_
#define CLI_EVENT_PROOF_H_

#include "cli/offline_proof.h"
#include "libs/base/attributes.h"
#include "libs/rpc/peer.h"
#include "weft/audit/v1/audit_service.pb-c.h"

/* The key that checkpoints are verified with, and the newest checkpoint; in the call's arena. */
status event_proof_checkpoint(struct peer *audit, struct call *call,
                              const Weft__Audit__V1__GetCheckpointResponse **ret_response) NONNULL;

/* Leaf, bundle and key of an event that was got; and, when older is not empty, that the log only
 * grew from that checkpoint to the bundle's. */
status event_proof_get(struct peer *audit, struct call *call,
                       const Weft__Audit__V1__GetEventResponse *event, bytes older,
                       struct offline_proof *ret) NONNULL;

#endif
