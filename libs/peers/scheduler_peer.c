#include "libs/peers/scheduler_peer.h"

#include "weft/scheduler/v1/scheduler_service_descriptors.h"

PEER_DEFINE(weft__scheduler__v1__scheduler_service__descriptor, scheduler_service_descriptors,
            SCHEDULER_PEER_METHODS);
