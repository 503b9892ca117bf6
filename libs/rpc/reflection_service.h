/* reflection_service - grpc.reflection, v1 and v1alpha: what is served here, to grpcurl and its
 * kind.
 *
 * What it tells comes from the descriptors that the build embeds: the same bytes that the server
 * reads permissions from.
 */

#ifndef LIBS_RPC_REFLECTION_SERVICE_H_
#define LIBS_RPC_REFLECTION_SERVICE_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/rpc/service.h"

struct reflection;

/* The caller owns it: reflection_free(), after the server stopped. */
struct reflection *reflection_new(void) RETURNS_NONNULL;
void reflection_free(struct reflection *reflection);

/* Adds a service and the files that describe it, a FileDescriptorSet with all imports; both are
 * borrowed.  Before the first call. */
void reflection_add(struct reflection *reflection, const char *service, bytes descriptors) NONNULL;

/* Adds files that belong to no service: what details of errors are made of. */
void reflection_add_files(struct reflection *reflection, bytes descriptors) NONNULL_ARGS(1);

/* For server_register(), with a reflection as the object. */
extern const struct service reflection_v1_methods;
extern const struct service reflection_v1alpha_methods;

#endif
