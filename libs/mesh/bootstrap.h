/* bootstrap - what an xDS client in this process reads first (gRFC A27). */

#ifndef LIBS_MESH_BOOTSTRAP_H_
#define LIBS_MESH_BOOTSTRAP_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

struct bootstrap {
    const char *agent_socket; /* "/run/weft/agent.sock" */
    const char *node_id;      /* "tenant/tenant-1" */
    const char *cluster;      /* "tenant" */
    const char *svid_file, *bundle_file;
};

/* The JSON, for GRPC_XDS_BOOTSTRAP_CONFIG or a file. */
const char *bootstrap_json(struct arena *arena, const struct bootstrap *bootstrap)
    NONNULL RETURNS_NONNULL;

#endif
