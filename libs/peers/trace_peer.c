#include "libs/peers/trace_peer.h"

PEER_DEFINE(weft__trace__v1__trace_service__descriptor, TRACE_PEER_METHODS);
