#include "libs/peers/search_peer.h"

PEER_DEFINE(weft__search__v1__search_service__descriptor, SEARCH_PEER_METHODS);
