#include "services/registry/instance_message.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"

#include <string.h>

typedef Weft__Registry__V1__Instance Instance;

status instance_health_from_message(struct arena *arena, const char *field,
                                    Weft__Registry__V1__InstanceState state,
                                    enum instance_health *ret_health)
{
    switch (state) {
    case WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_HEALTHY:
        *ret_health = INSTANCE_HEALTHY;
        return status_ok();
    case WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_UNHEALTHY:
        *ret_health = INSTANCE_UNHEALTHY;
        return status_ok();
    case WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_DRAINING:
        *ret_health = INSTANCE_DRAINING;
        return status_ok();
    default: /* the enum has a member that forces its size, and strangers send any number */
        return status_bad_field(arena, field, "%d is no state", (int)state);
    }
}

static Weft__Registry__V1__InstanceState state_of(const struct instance *instance)
{
    switch (instance->health) {
    case INSTANCE_HEALTHY:
        return WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_HEALTHY;
    case INSTANCE_DRAINING:
        return WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_DRAINING;
    case INSTANCE_UNHEALTHY:
        break;
    }
    return WEFT__REGISTRY__V1__INSTANCE_STATE__INSTANCE_STATE_UNHEALTHY;
}

/* protobuf-c's lists of texts, seen as ours: neither is written to. */
static const char *const *texts(char *const *list)
{
    return (const char *const *)list;
}

/* timestamp.proto: to the year 9999, and nanoseconds that count forward. */
static status start_time_from_message(struct arena *arena, const Google__Protobuf__Timestamp *time,
                                      int64_t *ret_ms)
{
    static const int64_t max_seconds = 253402300799;

    if (time == NULL) {
        *ret_ms = 0;
        return status_ok();
    }
    if (time->seconds < 0 || time->seconds > max_seconds || time->nanos < 0 ||
        time->nanos > 999999999) {
        return status_bad_field(arena, "start_time", "is not a time from 1970 to 9999");
    }
    *ret_ms = time->seconds * 1000 + time->nanos / 1000000;
    return status_ok();
}

status instance_from_message(struct arena *arena, const Instance *message, const char *spiffe_id,
                             struct instance *ret_instance)
{
    struct instance instance = {
        .service = message->service,
        .id = message->instance_id,
        .locality = { "", "" },
        .spiffe_id = spiffe_id,
        .version = message->version,
        .capabilities = texts(message->capabilities),
        .n_capabilities = message->n_capabilities,
        .http_address = message->http_address,
    };

    if (message->locality != NULL) {
        instance.locality = (struct locality){ message->locality->region, message->locality->zone };
    }
    TRY(start_time_from_message(arena, message->start_time, &instance.start_time_ms));
    TRY(instance_health_from_message(arena, "register_instance.state", message->state,
                                     &instance.health));
    TRY(endpoint_parse(arena, "address", message->address, &instance.endpoint));
    TRY(instance_check(arena, &instance));
    *ret_instance = instance;
    return status_ok();
}

static Google__Protobuf__Timestamp *timestamp_message(struct arena *arena, int64_t ms)
{
    Google__Protobuf__Timestamp *timestamp = ARENA_NEW(arena, Google__Protobuf__Timestamp);

    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = ms / 1000;
    timestamp->nanos = (int32_t)(ms % 1000) * 1000000;
    return timestamp;
}

Instance *instance_to_message(struct arena *arena, const struct instance *instance)
{
    Instance *message = ARENA_NEW(arena, Instance);
    bool is_v6 = strchr(instance->endpoint.address, ':') != NULL;

    weft__registry__v1__instance__init(message);
    message->service = message_text(instance->service);
    message->instance_id = message_text(instance->id);
    message->address = arena_printf(arena, is_v6 ? "[%s]:%u" : "%s:%u", instance->endpoint.address,
                                    instance->endpoint.port);
    message->locality = ARENA_NEW(arena, Weft__Registry__V1__Locality);
    weft__registry__v1__locality__init(message->locality);
    message->locality->region = message_text(instance->locality.region);
    message->locality->zone = message_text(instance->locality.zone);
    message->state = state_of(instance);
    message->spiffe_id = message_text(instance->spiffe_id);
    message->version = message_text(instance->version);
    message->capabilities = ARENA_NEW_ARRAY(arena, char *, instance->n_capabilities + 1);
    for (size_t i = 0; i < instance->n_capabilities; i++) {
        message->capabilities[i] = message_text(instance->capabilities[i]);
    }
    message->n_capabilities = instance->n_capabilities;
    message->start_time = timestamp_message(arena, instance->start_time_ms);
    message->http_address = message_text(instance->http_address);
    message->fencing_token = instance->fencing_token;
    message->policy_revision = instance->policy_revision;
    return message;
}
