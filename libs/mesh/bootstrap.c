#include "libs/mesh/bootstrap.h"

#include "libs/base/text.h"

static void add_member(struct text *json, const char *name, const char *value, const char *after)
{
    text_add(json, "\"%s\":", name);
    text_add_json(json, bytes_of(value));
    text_add(json, "%s", after);
}

const char *bootstrap_json(struct arena *arena, const struct bootstrap *bootstrap)
{
    struct text json = text_new(arena);

    text_add(&json, "{\"xds_servers\":[{");
    add_member(&json, "server_uri", arena_printf(arena, "unix:%s", bootstrap->agent_socket), ",");
    /* C core 1.51 has no TLS to the control plane; the agent's socket is on this host. */
    text_add(&json, "\"channel_creds\":[{\"type\":\"insecure\"}],"
                    "\"server_features\":[\"xds_v3\",\"ignore_resource_deletion\"]}],\"node\":{");
    add_member(&json, "id", bootstrap->node_id, ",");
    add_member(&json, "cluster", bootstrap->cluster, "");
    text_add(&json, "},\"certificate_providers\":{\"default\":{\"plugin_name\":\"file_watcher\","
                    "\"config\":{");
    add_member(&json, "certificate_file", bootstrap->svid_file, ",");
    add_member(&json, "private_key_file", bootstrap->svid_file, ",");
    add_member(&json, "ca_certificate_file", bootstrap->bundle_file, ",");
    /* Without it 600 s in C core, an hour in Go, and every call fails in Node. */
    text_add(&json, "\"refresh_interval\":\"1s\"}}},"
                    "\"server_listener_resource_name_template\":"
                    "\"grpc/server?xds.resource.listening_address=%%s\"}");
    return text_string(&json);
}
