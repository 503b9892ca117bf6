#include "libs/peers/audit_peer.h"

PEER_DEFINE(weft__audit__v1__audit_service__descriptor, AUDIT_PEER_METHODS);
