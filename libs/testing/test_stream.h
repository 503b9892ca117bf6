/* test_stream - a stream whose other end is a test.
 *
 * It drives a row's events as the server does, on the test's thread, one at a time, so that a slow
 * reader needs no sleeping:
 *
 *     struct test_stream stream;
 *     test_stream_init(&stream, &health_service_methods, "Watch", health, &call);
 *     test_stream_message(&stream, &request.base);      open, then message
 *     const ProtobufCMessage *answer = test_stream_take(&stream);      NULL when none waits
 *     test_stream_wake(&stream);                        runs writable when it was woken
 *     test_stream_half_close(&stream);
 *     test_stream_close(&stream);                       closed
 *
 * Messages are encoded and decoded on the way, both ways.  stream.ended and stream.result say how
 * the stream ended.  A wake from another thread is noted; test_stream_wake() acts on it.
 */

#ifndef LIBS_TESTING_TEST_STREAM_H_
#define LIBS_TESTING_TEST_STREAM_H_

#include "libs/rpc/service.h"

#include <stdbool.h>
#include <stddef.h>

enum { TEST_STREAM_QUEUE = STREAM_MAX_QUEUED_MESSAGES };

struct test_stream {
    struct stream stream; /* what the events are given */
    const struct method *row;
    const ProtobufCMethodDescriptor *types;
    struct call call;
    void *object, *state;
    bool opened, closed;
    bool ended;        /* by stream_end() or by an error */
    bool held;         /* by stream_hold() */
    bool is_full;      /* tests set this: stream_has_room() is false */
    bool cancelled;    /* by stream_cancel() */
    _Atomic int woken; /* wakes that were not yet acted on */
    _Atomic int refs;
    status result; /* of the event that failed; OK otherwise */
    const ProtobufCMessage *queue[TEST_STREAM_QUEUE];
    size_t first, n;
};

/* call's arena takes all that the stream needs.  Borrows object. */
void test_stream_init(struct test_stream *self, const struct service *service, const char *method,
                      void *object, const struct call *call) NONNULL_ARGS(1, 2, 3, 5);
/* Runs call.check with the first message, then open, then message. */
status test_stream_message(struct test_stream *self, const ProtobufCMessage *message) NONNULL;
status test_stream_half_close(struct test_stream *self) NONNULL;
/* Runs writable as often as it was woken. */
status test_stream_wake(struct test_stream *self) NONNULL;
/* Runs writable, as after a send that was taken. */
status test_stream_writable(struct test_stream *self) NONNULL;
const ProtobufCMessage *test_stream_take(struct test_stream *self) NONNULL;
/* Once, at the end. */
void test_stream_close(struct test_stream *self) NONNULL;

#endif
