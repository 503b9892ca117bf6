#include "libs/peers/registry_peer.h"

PEER_DEFINE(weft__registry__v1__registry_service__descriptor, REGISTRY_PEER_METHODS);
