/* probe - asks a program on this host how it is, over HTTP, with little patience. */

#ifndef CLI_PROBE_H_
#define CLI_PROBE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

/* What GET path says: 200 and the like in *ret_code, and up to 4 KiB of the body, in arena.  NULL
 * when address ("127.0.0.1:8080") does not answer within 500 ms. */
const char *probe(struct arena *arena, const char *address, const char *path, int *ret_code)
    NONNULL;

/* The proportional set size of a process in KiB (each shared page counts by its share), or -1. */
long probe_memory_kb(struct arena *arena, int pid) NONNULL;

#endif
