#include "services/auth/prime.h"

#include "libs/rpc/decode.h"

#include <string.h>

static status take(struct snapshot *snapshot, struct arena *arena, bytes encoded)
{
    static const uint8_t field_1 = 1 << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    uint8_t *data = arena_alloc(arena, encoded.size + 1);
    const ProtobufCMessage *message;

    data[0] = field_1;
    memcpy(data + 1, encoded.data, encoded.size);
    TRY(message_decode(arena, &weft__auth__v1__subscribe_response__descriptor,
                       (bytes){ .data = data, .size = encoded.size + 1 }, &message));
    return snapshot_apply(snapshot, arena,
                          ((const Weft__Auth__V1__SubscribeResponse *)message)->snapshot);
}

status prime_snapshot(struct feed *feed, struct arena *arena, struct snapshot *snapshot)
{
    struct feed_cursor cursor = { 0 };
    struct feed_message *message;
    status s = status_ok();

    while (status_is_ok(s) && (message = feed_next(feed, &cursor)) != NULL) {
        s = take(snapshot, arena, feed_message_data(message));
        feed_message_unref(message);
    }
    feed_cursor_reset(&cursor);
    return s;
}
