/* search_peer - weft.search.v1.SearchService, as others call it. UpsertDocuments is a stream:
 * pipe.h. */

#ifndef LIBS_PEERS_SEARCH_PEER_H_
#define LIBS_PEERS_SEARCH_PEER_H_

#include "libs/rpc/peer.h"
#include "weft/search/v1/search_service.pb-c.h"

#define SEARCH_PEER_METHODS(X)                                               \
    X(Weft__Search__V1__, CreateCollection, search_peer_create_collection)   \
    X(Weft__Search__V1__, GetCollection, search_peer_get_collection)         \
    X(Weft__Search__V1__, ListCollections, search_peer_list_collections)     \
    X(Weft__Search__V1__, DeleteCollection, search_peer_delete_collection)   \
    X(Weft__Search__V1__, RebuildCollection, search_peer_rebuild_collection) \
    X(Weft__Search__V1__, GetDocument, search_peer_get_document)             \
    X(Weft__Search__V1__, DeleteDocuments, search_peer_delete_documents)     \
    X(Weft__Search__V1__, Search, search_peer_search)
PEER_DECLARE(SEARCH_PEER_METHODS);

#endif
