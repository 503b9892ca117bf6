#include "libs/peers/ca_peer.h"

PEER_DEFINE(weft__registry__v1__ca_service__descriptor, CA_PEER_METHODS);
