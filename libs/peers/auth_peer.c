#include "libs/peers/auth_peer.h"

#include "weft/auth/v1/auth_service_descriptors.h"

PEER_DEFINE(weft__auth__v1__auth_service__descriptor, auth_service_descriptors, AUTH_PEER_METHODS);
