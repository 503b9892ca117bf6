/* echo_service - weft.testing.v1.EchoService, for tests of the runtime and for its benchmark. */

#ifndef LIBS_TESTING_ECHO_SERVICE_H_
#define LIBS_TESTING_ECHO_SERVICE_H_

#include "libs/rpc/service.h"

#include <stdbool.h>

struct echo_service {
    const char *says;       /* Echo answers this; NULL: what it is sent */
    _Atomic bool is_let_go; /* set by tests: EchoSlowly does not sleep on */
    /* What happened there; tests read it. */
    _Atomic int asleep;      /* handlers that sleep */
    _Atomic int cancelled;   /* handlers that saw their caller go */
    _Atomic int half_closed; /* streams whose caller has said its last */
    _Atomic int closed;      /* streams that are over */
};

extern const struct service echo_service_methods;

#endif
