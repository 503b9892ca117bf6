/* accept - connections to a Unix socket whose caller the kernel names.
 *
 * gRPC says of a connection over a Unix socket that it is one.  So a thread of ours accepts,
 * asks SO_PEERCRED who connected, notes when that process was started (pids come back), and gives
 * the descriptor to gRPC, which then names the peer "fd:N".
 */

#ifndef LIBS_RPC_ACCEPT_H_
#define LIBS_RPC_ACCEPT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "libs/rpc/call.h"

#include <grpc/grpc.h>

struct accept;

/* Descriptors from here on are refused: a process of 4,096 connections is one too many here. */
enum { ACCEPT_MAX_FD = 4096 };

/* Listens at path, which it removes first when a socket is there; mode 0666, since who may do what
 * is decided by who calls.  The caller owns it: accept_stop(), before the server is destroyed, and
 * accept_free(), when nobody asks for a peer any more. */
status accept_new(struct arena *arena, const char *path, grpc_server *server,
                  struct accept **ret_accept) NONNULL;
/* Takes connections from now on; the server must have been started.  After this calls may come, so
 * accept_new()'s result must be where their handlers look for it. */
void accept_start(struct accept *accept) NONNULL;
/* Takes no connections from now on; those that are there are still known.  NULL is allowed. */
void accept_stop(struct accept *accept);
/* NULL is allowed. */
void accept_free(struct accept *accept);

/* Who is at the other end; peer_name is grpc_call_get_peer()'s.  NULL when nobody knows. */
const struct peer_process *accept_peer(struct accept *accept, struct arena *arena,
                                       const char *peer_name) NONNULL;

/* Whether the process still is the one that connected. */
bool peer_process_is_alive(const struct peer_process *process) NONNULL;

#endif
