/* requests - a request for any rpc, made from its descriptor alone.
 *
 * Every field whose name is that of an id takes the id of one of two tenants; all others take
 * something that the rpc accepts.  With n ids in a request there are 2^n ways to mix the two: to
 * name the other's document in one's own collection is another attack than to name both.
 */

#ifndef TESTS_ISOLATION_REQUESTS_H_
#define TESTS_ISOLATION_REQUESTS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/* What stands in a field of that name, when it names a thing of acme's, or of bravo's. */
struct request_id {
    const char *field;
    const char *acme;
    const char *bravo;
};

struct request_ids {
    struct request_id ids[32];
    size_t n;
};

enum { REQUEST_MAX_IDS = 6 }; /* in one request; 64 mixtures */

/* The names of the ids in such a message, those below it too; at most REQUEST_MAX_IDS. */
size_t request_id_fields(const ProtobufCMessageDescriptor *type, const struct request_ids *ids,
                         const char **ret_fields) NONNULL;

/* Bit i of mixture takes bravo's id for the ith of request_id_fields(), else acme's.  Of a message
 * that is one of several things, the nth; NULL when there is no nth. */
ProtobufCMessage *request_make(struct arena *arena, const ProtobufCMessageDescriptor *type,
                               const struct request_ids *ids, unsigned mixture, size_t nth) NONNULL;

#endif
