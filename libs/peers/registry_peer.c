#include "libs/peers/registry_peer.h"

#include "weft/registry/v1/registry_service_descriptors.h"

PEER_DEFINE(weft__registry__v1__registry_service__descriptor, registry_service_descriptors,
            REGISTRY_PEER_METHODS);
