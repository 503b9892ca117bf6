#include "libs/peers/auth_peer.h"

PEER_DEFINE(weft__auth__v1__auth_service__descriptor, AUTH_PEER_METHODS);
