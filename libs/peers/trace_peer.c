#include "libs/peers/trace_peer.h"

#include "weft/trace/v1/trace_service_descriptors.h"

PEER_DEFINE(weft__trace__v1__trace_service__descriptor, trace_service_descriptors,
            TRACE_PEER_METHODS);
