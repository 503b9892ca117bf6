/* credentials - TLS for gRPC from the agent's files.
 *
 * The files are watched: what replaces them serves the next handshake, with nobody restarted.
 * svid holds key, certificate and chain in one, since gRPC 1.51 reads a key and a certificate one
 * after the other and would see half of a rotation.
 */

#ifndef LIBS_RPC_CREDENTIALS_H_
#define LIBS_RPC_CREDENTIALS_H_

#include "libs/base/attributes.h"

#include <grpc/grpc_security.h>
#include <stdbool.h>

/* Asks for a certificate of an authority in trust_file; with ask_none, asks for none. */
grpc_server_credentials *credentials_for_server(const char *svid_file, const char *trust_file,
                                                bool ask_none) NONNULL RETURNS_NONNULL;

/* server_id: the only SPIFFE ID that may answer; NULL: whoever has a certificate for the host's
 * name.  svid_file NULL: shows no certificate. */
grpc_channel_credentials *credentials_for_channel(const char *svid_file, const char *trust_file,
                                                  const char *server_id) NONNULL_ARGS(2)
    RETURNS_NONNULL;

#endif
