#include "libs/peers/audit_peer.h"

#include "weft/audit/v1/audit_service_descriptors.h"

PEER_DEFINE(weft__audit__v1__audit_service__descriptor, audit_service_descriptors,
            AUDIT_PEER_METHODS);
