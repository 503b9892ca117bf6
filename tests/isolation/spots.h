/* spots - every place in a request where something may be wrong, and what may be wrong there.
 *
 *     n = spots_find(arena, request, spots, SPOTS_MAX);
 *     spot_spoil(arena, &spots[i], SPOILT_MISSING)     request now lacks that field
 *
 * A spot is one field of the request or of a message below it; of a repeated field, the field as a
 * whole and its first element.
 */

#ifndef TESTS_ISOLATION_SPOTS_H_
#define TESTS_ISOLATION_SPOTS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, what the field holds then) */
#define SPOILS(X)                                                                    \
    X(MISSING, "nothing")                                                            \
    X(ILL_FORMED, "a text of signs that no identifier has; bytes that mean nothing") \
    X(OVERSIZED, "1 MiB of text or bytes")                                           \
    X(NEGATIVE, "-1, or a value that the enum has not; of a time all its numbers")   \
    X(HUGE, "the largest number; of a time all its numbers")                         \
    X(LEAST, "the smallest number; of a time all its numbers")                       \
    X(NO_NUMBER, "of a floating point number: that it is none")                      \
    X(EMPTY, "one message or element with nothing in it")                            \
    X(MANY, "2,000 elements with nothing in them, which can be decoded")             \
    X(FLOOD, "500,000 of them, which cannot")

enum spoil {
#define X(name, what) SPOILT_##name,
    SPOILS(X) SPOIL_COUNT
#undef X
};

enum { SPOTS_MAX = 128 };

struct spot {
    const ProtobufCMessage *message;
    const ProtobufCFieldDescriptor *field;
};

/* Also those of an answer, to look at. */
size_t spots_find(const ProtobufCMessage *request, struct spot *ret_spots, size_t max) NONNULL;

/* What stands in a field that is an int32. */
int32_t spot_number(const struct spot *spot) NONNULL;

/* False: a field of that type cannot be wrong in that way, and nothing was changed. */
bool spot_spoil(struct arena *arena, const struct spot *spot, enum spoil spoil) NONNULL;

const char *spoil_name(enum spoil spoil) RETURNS_NONNULL;

#endif
