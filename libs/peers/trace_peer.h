/* trace_peer - weft.trace.v1.TraceService, as others call it. Every service has it. */

#ifndef LIBS_PEERS_TRACE_PEER_H_
#define LIBS_PEERS_TRACE_PEER_H_

#include "libs/rpc/peer.h"
#include "weft/trace/v1/trace_service.pb-c.h"

#define TRACE_PEER_METHODS(X) X(Weft__Trace__V1__, ListSpans, trace_peer_list_spans)
PEER_DECLARE(TRACE_PEER_METHODS);

#endif
