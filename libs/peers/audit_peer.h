/* audit_peer - weft.audit.v1.AuditService, as others call it. StreamEvents is a stream: pipe.h. */

#ifndef LIBS_PEERS_AUDIT_PEER_H_
#define LIBS_PEERS_AUDIT_PEER_H_

#include "libs/rpc/peer.h"
#include "weft/audit/v1/audit_service.pb-c.h"

#define AUDIT_PEER_METHODS(X)                                                   \
    X(Weft__Audit__V1__, AppendEvent, audit_peer_append_event)                  \
    X(Weft__Audit__V1__, AppendEvents, audit_peer_append_events)                \
    X(Weft__Audit__V1__, GetEvent, audit_peer_get_event)                        \
    X(Weft__Audit__V1__, ListEvents, audit_peer_list_events)                    \
    X(Weft__Audit__V1__, GetCheckpoint, audit_peer_get_checkpoint)              \
    X(Weft__Audit__V1__, GetConsistencyProof, audit_peer_get_consistency_proof) \
    X(Weft__Audit__V1__, EraseSubject, audit_peer_erase_subject)
PEER_DECLARE(AUDIT_PEER_METHODS);

#endif
