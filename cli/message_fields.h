/* message_fields - a protobuf message as a row of output, by its descriptor.
 *
 *     message_row(output, arena, &job->base, "job_id state attempt progress.done create_time");
 *
 * JSON gets every field of the message, under the names of the .proto, in proto3's JSON manner:
 * enums by their names without the enum's prefix, in lower case, timestamps as RFC 3339, bytes as
 * base64, and what is not set left out.  The table gets the columns that are named, in their order;
 * a dot leads into a message.
 */

#ifndef CLI_MESSAGE_FIELDS_H_
#define CLI_MESSAGE_FIELDS_H_

#include "cli/output.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/text.h"

#include <protobuf-c/protobuf-c.h>

void message_row(struct output *output, struct arena *arena, const ProtobufCMessage *message,
                 const char *columns) NONNULL;

/* The message as one JSON object. */
void message_add_json(struct text *into, const ProtobufCMessage *message) NONNULL;

#endif
