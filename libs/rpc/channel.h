/* channel - a peer at the other end of a gRPC channel.
 *
 *     struct runtime *runtime = runtime_start(&(struct runtime_options){ ... });
 *     struct channel *search = channel_new(runtime, &(struct channel_options){
 *         .target = "xds:///search" });
 *     struct peer *peer = channel_peer(search);
 *     ...
 *     channel_free(search);
 *     runtime_stop(runtime);
 *
 * The runtime is gRPC in this process: it is started once, before every server and channel, and
 * stopped after them.  It brings one completion queue with a thread, on which answers arrive, and
 * a few workers for WORKER events of client streams.  That thread is also what keeps xDS updates
 * prompt: without one inside gRPC they come seconds late.
 */

#ifndef LIBS_RPC_CHANNEL_H_
#define LIBS_RPC_CHANNEL_H_

#include "libs/base/attributes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/obs/trace.h"
#include "libs/rpc/peer.h"

#include <stddef.h>
#include <stdint.h>

struct runtime;
struct channel;

struct runtime_options {
    const struct clock *clock;          /* borrowed; NULL means &system_clock */
    const struct random_source *random; /* borrowed; NULL means &system_random */
    struct tracer *tracer;              /* borrowed; NULL traces nothing */
    size_t n_workers;                   /* 0 means 4 */
};

/* The caller owns the runtime: runtime_stop(), after all servers and channels are freed. */
struct runtime *runtime_start(const struct runtime_options *options) NONNULL RETURNS_NONNULL;
/* Waits for the streams, which their owners have ended or cancelled. */
void runtime_stop(struct runtime *runtime) NONNULL;

struct channel_options {
    const char *target;     /* "xds:///search", "127.0.0.1:7443", "unix:/path"; required */
    const char *svid_file;  /* PEM, as server.h has it.  NULL for both: no TLS, for Unix sockets */
    const char *trust_file; /* PEM */
    /* Whose certificate the other end must show, "spiffe://weft.local/registry"; NULL with
     * "xds:///", where the control plane says it.  Copied. */
    const char *server_id;
    bool show_no_certificate; /* TLS with nothing of our own: to the bootstrap listener alone */
    int64_t keepalive_ms;     /* 0 means 20,000: a stream must not hang on a dead peer */
    /* Sent with every call, for interfaces that ask for it; constants, or NULL. */
    const char *header_name, *header_value;
};

/* The caller owns the channel: channel_free(), when no call uses it.  Does not connect yet. */
struct channel *channel_new(struct runtime *runtime, const struct channel_options *options)
    NONNULL RETURNS_NONNULL;
void channel_free(struct channel *channel);

/* Lives as long as the channel. */
struct peer *channel_peer(struct channel *channel) NONNULL RETURNS_NONNULL;

#endif
