/* write_log - what was written and is not yet in a segment, in order and durable.
 *
 * Frames in files.  A frame is written and synced as one; it has the next number, or it was
 * never acknowledged:
 *
 *     log/<follows>   "WLOG" version  follows  crc     follows: the last frame before this file
 *                     "WFRM" crc  sequence  size  payload
 *                     ...
 *
 * No file is ever opened to append: after a start, a rotation, or a write that failed, the next
 * frame begins a file of its own.  So a tail that was torn by a crash, or that a failed sync
 * left in doubt, needs no cutting: the next file says where the one before it ends, by follows,
 * and what lies beyond is not read.  What is missing before that point was acknowledged and is
 * lost: DATA_LOSS, with the file's name.  At the end of the last file a broken frame is a torn
 * write, unless a whole frame comes after it: then it is rot, and DATA_LOSS too.
 *
 * Not locked: one thread at a time.
 */

#ifndef SERVICES_SEARCH_WRITE_LOG_H_
#define SERVICES_SEARCH_WRITE_LOG_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/files.h"
#include "libs/base/status.h"

#include <stdint.h>

/* A frame is made of one group of writes; each write is at most 8 MiB. */
enum { MAX_FRAME_BYTES = 32 * 1024 * 1024 };

struct write_log;

/* A folder of its own, so that syncing it says nothing of the manifest, nor the other way. */
#define LOG_FOLDER "log"

/* One frame of a file: payload is where it stands in data. */
struct log_frame {
    uint64_t sequence;
    bytes payload;
};

/* Called for each frame in order; payload is valid during the call. */
typedef status write_log_apply(void *data, struct arena *arena, struct log_frame frame);

/* Reads what follows the frame `after`.  files is borrowed.  The caller owns the log:
 * write_log_close().
 *
 * DATA_LOSS: a frame that was acknowledged is broken or missing; the message names the file.
 * FAILED_PRECONDITION: a newer program wrote a file. */
status write_log_open(struct files *files, struct arena *arena, uint64_t after,
                      write_log_apply *apply, void *data, struct write_log **ret_log)
    NONNULL_ARGS(1, 2, 4, 6);
/* NULL is allowed. */
void write_log_close(struct write_log *log);

/* Durable on return.  RESOURCE_EXHAUSTED: the disk is full; the log is good for another try. */
status write_log_append(struct write_log *log, struct arena *arena, bytes payload) NONNULL;

/* The number of the last frame that was acknowledged. */
uint64_t write_log_last(const struct write_log *log) NONNULL;
/* How much a start would read now, at most. */
uint64_t write_log_bytes(const struct write_log *log) NONNULL;
/* The next frame begins a file. */
void write_log_rotate(struct write_log *log) NONNULL;
/* Removes the files that hold no frame after sequence. */
status write_log_forget(struct write_log *log, struct arena *arena, uint64_t sequence) NONNULL;

/* Finds the frame at *offset of a file's bytes and moves past it.  False: there is none, or it
 * is broken. */
bool log_frame_next(bytes data, size_t *offset, struct log_frame *ret_frame) NONNULL;
/* Whether a whole frame with a number beyond `after` begins anywhere at or behind offset. */
bool log_frame_anywhere(bytes data, size_t offset, uint64_t after);

#endif
