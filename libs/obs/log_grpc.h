/* log_grpc - what the gRPC library has to say, as lines of our log. */

#ifndef LIBS_OBS_LOG_GRPC_H_
#define LIBS_OBS_LOG_GRPC_H_

#include "libs/obs/log.h"

/* Before grpc_init().  Borrows the log until it is called again; NULL gives the lines back to
 * gRPC's own writer.  Three messages that every TLS start brings and that mean nothing are left
 * out, and what it calls an error is a warning here: mostly a peer is away for a moment, and who
 * minds it says so in a line of ours.  How much gRPC says is GRPC_VERBOSITY's affair (errors alone,
 * when not set), and the log's level applies on top. */
void log_grpc_install(struct log *log);

#endif
