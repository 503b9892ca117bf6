#include "libs/peers/scheduler_peer.h"

PEER_DEFINE(weft__scheduler__v1__scheduler_service__descriptor, SCHEDULER_PEER_METHODS);
