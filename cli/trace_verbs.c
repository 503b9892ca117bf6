/* trace: one call across the services. */

#include "cli/api.h"
#include "cli/traces.h"
#include "cli/verbs.h"
#include "libs/base/text.h"
#include "libs/obs/traceparent.h"

#include <string.h>

static status check_id(struct invocation *invocation, const char *trace_id)
{
    uint8_t id[TRACE_ID_BYTES];

    if (trace_id_parse(bytes_of(trace_id), id)) {
        return status_ok();
    }
    return status_error(invocation->arena, STATUS_INVALID_ARGUMENT,
                        "TRACE_ID is '%s', not 32 hex digits in lower case", trace_id);
}

static status trace(struct invocation *invocation)
{
    const char *trace_id = arguments_next(invocation->arguments, "TRACE_ID");
    struct trace_spans found;
    struct call call;

    TRY(arguments_end(invocation->arguments));
    TRY(check_id(invocation, trace_id));
    TRY(api_begin_without_token(invocation, &call));
    traces_collect(invocation->session, invocation->arena, trace_id, &found);
    if (found.silent[0] != '\0') {
        output_say(invocation->output, TONE_WARN, "no answer from: %s", found.silent);
    }
    if (found.n_spans == 0) {
        return advise(invocation,
                      status_error(invocation->arena, STATUS_NOT_FOUND,
                                   "no service remembers a trace '%s'", trace_id),
                      "each service keeps its last 2048 spans until it restarts; ./weft logs and "
                      "./weft audit list -o json show trace ids");
    }
    trace_tree_show(invocation->output, invocation->arena, found.spans, found.n_spans);
    return status_ok();
}

const struct verb trace_verbs[] = {
    { NULL, "trace", "TRACE_ID", "show one call across the services, with times", trace },
    { 0 },
};
