/* admin - the pages about a service itself, on a loopback port of its own.
 *
 *     /                 this list
 *     /metrics          Prometheus text
 *     /healthz          200 as long as the process answers: restart it when it does not
 *     /readyz           200, or 503 while something that the service needs is missing; JSON that
 *                       names each dependency, its state and the reason
 *     /traces?n=20      the latest calls, as OTLP JSON
 *     /traces/<id>      all that is remembered of one trace, as OTLP JSON
 */

#ifndef LIBS_HTTP_ADMIN_H_
#define LIBS_HTTP_ADMIN_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/obs/readiness.h"
#include "libs/obs/trace.h"

#include <stdint.h>

struct admin_options {
    const char *listen;          /* NULL means "127.0.0.1:0": any port that is free, admin_port() */
    struct readiness *readiness; /* required; borrowed */
    struct tracer *tracer;       /* required; borrowed */
};

struct admin;

/* Answers from now on.  The caller owns it: admin_free(), before what it borrows goes.
 * Errors: those of http_server_new(). */
status admin_new(struct arena *arena, const struct admin_options *options, struct admin **ret_admin)
    NONNULL;
/* NULL is allowed. */
void admin_free(struct admin *admin);

uint16_t admin_port(const struct admin *admin) NONNULL;

#endif
