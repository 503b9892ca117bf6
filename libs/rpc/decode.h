/* decode - bytes from a stranger into a message, at a known price.
 *
 * protobuf_c_message_unpack() trusts its input.  It calls itself for each message
 * inside a message, so 34 KB of nothing but nesting overflow an 8 MiB stack; and
 * it makes a struct of every two bytes that say "an empty message", so 4 MiB
 * become 2.1 million structs and 320 MiB.  It takes any bytes for a string.
 * Here, what came off the wire passes two gates:
 *
 *     bytes --> walk: nesting, text --> unpack: memory bounded --> message
 *               INVALID_ARGUMENT        RESOURCE_EXHAUSTED
 *
 * The walk goes over the bytes once, along the descriptor, and allocates nothing.
 * It refuses more than DECODE_MAX_DEPTH messages inside each other, and strings
 * that are not UTF-8 (proto3 requires it, and other languages refuse to send them
 * on) or hold a NUL (which would end them early for every C function).
 *
 * The memory of one message, what protobuf-c needs while it parses included, may
 * be DECODE_GROWTH times its bytes and DECODE_ALLOWANCE more:
 *
 *   - a packed list of small int64s grows 8 times, one byte to eight, and no other
 *     scalar, string or bytes field grows as much; 16 leaves room beside it;
 *   - messages of a few bytes each grow more, up to a struct of 200 bytes from two:
 *     the allowance is a batch of some thousand of them;
 *   - and a message of 4 MiB, gRPC's own limit, costs no more than 65 MiB.  The
 *     server counts the bytes it is decoding, and admission refuses beyond a total.
 */

#ifndef LIBS_RPC_DECODE_H_
#define LIBS_RPC_DECODE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"

#include <protobuf-c/protobuf-c.h>

enum { DECODE_MAX_DEPTH = 32, DECODE_GROWTH = 16, DECODE_ALLOWANCE = 1024 * 1024 };

/* On success *ret_message is memory of arena and is never freed by hand.
 * INVALID_ARGUMENT: not a message of this type, nested too deeply, or a string is not text; it says
 * in which field, "event.actor".
 * RESOURCE_EXHAUSTED: it would take more memory than its size allows. */
status message_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, bytes data,
                      const ProtobufCMessage **ret_message) NONNULL;

#endif
