/* session - the client as a member of the mesh, and in whose name it asks.
 *
 * The client is attested by the agent like every other program (spiffe://weft.local/cli) and finds
 * its peers by xds:///.  What it may do is up to the token that its API key is exchanged for:
 *
 *     --as NAME         the key kept under HOME/cli/keys/NAME.key by `weft key create --save NAME`
 *     WEFT_API_KEY      the key itself: an environment is not seen by other users, arguments are
 *     otherwise         the platform's administrator, whose key auth left in
 * HOME/auth/administrator.key
 *
 * The key goes to auth alone, and the token lives as long as the command.
 */

#ifndef CLI_SESSION_H_
#define CLI_SESSION_H_

#include "cli/verb.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"
#include "libs/rpc/peer.h"

#include <stdint.h>

struct session;

struct session_options {
    struct peer *(*find)(void *data, const char *service); /* required */
    void *data;                                            /* handed to find */
    const char *token;                                     /* "" for none; copied */
    struct tracer *tracer;                                 /* borrowed; NULL traces nothing */
};

/* Over peers that somebody else made: for tests.  The caller owns it: session_free(). */
struct session *session_new(const struct session_options *options) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void session_free(struct session *self);

/* Joins the mesh that runs in the invocation's home, once; the invocation owns the session.
 * Leaves advice.  UNAVAILABLE: no mesh runs, or the agent does not know us. */
status session_open(struct invocation *invocation) NONNULL;
/* The same, and gets the token for whom the invocation is --as. */
status session_open_with_token(struct invocation *invocation) NONNULL;
/* Another token for the same key, when what takes long has ended with UNAUTHENTICATED. */
status session_renew_token(struct invocation *invocation) NONNULL;

/* A token for a key; the text of the token is in arena. */
status session_exchange(struct session *self, struct arena *arena, const char *key,
                        const char **ret_token) NONNULL;
/* The calls from here on are made with this token; copied. */
void session_use_token(struct session *self, const char *token) NONNULL;

/* service is a constant. */
struct peer *session_peer(struct session *self, const char *service) NONNULL RETURNS_NONNULL;
/* The service that is to blame when a call has no answer; NULL when none was asked. */
const char *session_last_asked(const struct session *self) NONNULL;

/* A call in the session's name and trace, that has timeout_ms; answers are in arena. */
struct call session_call(struct session *self, struct arena *arena, int64_t timeout_ms) NONNULL;

/* The trace of the session's calls, 32 hex digits; "" when nothing is traced. */
const char *session_trace_id(struct session *self, struct arena *arena) NONNULL RETURNS_NONNULL;
/* Begins another trace; the spans of the one before are kept for `weft trace`. */
void session_begin_trace(struct session *self, const char *name) NONNULL;
void session_end_trace(struct session *self) NONNULL;
struct tracer *session_tracer(struct session *self) NONNULL;

/* Keys by name, in HOME/cli/keys. */
status session_save_key(struct invocation *invocation, const char *name, const char *key) NONNULL;
status session_load_key(struct invocation *invocation, const char *name, const char **ret_key)
    NONNULL;

#endif
