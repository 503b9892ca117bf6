/* disk_limit - what the disk itself takes, for what must be durable: a program that does nothing
 * but write() and fdatasync(), one after the other, over a file that has its size already. */

#ifndef LOADTESTS_DISK_LIMIT_H_
#define LOADTESTS_DISK_LIMIT_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { DISK_LIMIT_MAX_WRITE = 1024 * 1024 };

/* Durable writes of size bytes a second, over run_ms, in a file of folder that is removed again.
 * size is at most DISK_LIMIT_MAX_WRITE.  UNAVAILABLE: the disk is full, or the folder not there. */
status disk_limit_run(struct arena *arena, const char *folder, size_t size, int64_t run_ms,
                      double *ret_writes_per_s) NONNULL;

#endif
