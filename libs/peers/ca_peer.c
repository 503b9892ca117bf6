#include "libs/peers/ca_peer.h"

#include "weft/registry/v1/ca_service_descriptors.h"

PEER_DEFINE(weft__registry__v1__ca_service__descriptor, ca_service_descriptors, CA_PEER_METHODS);
