#include "libs/peers/search_peer.h"

#include "weft/search/v1/search_service_descriptors.h"

PEER_DEFINE(weft__search__v1__search_service__descriptor, search_service_descriptors,
            SEARCH_PEER_METHODS);
