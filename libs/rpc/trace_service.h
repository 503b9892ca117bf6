/* trace_service - weft.trace.v1.TraceService: the spans that this process remembers. */

#ifndef LIBS_RPC_TRACE_SERVICE_H_
#define LIBS_RPC_TRACE_SERVICE_H_

#include "libs/rpc/service.h"

/* For server_register(), with a struct tracer as the object. */
extern const struct service trace_service_methods;

#endif
