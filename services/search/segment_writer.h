/* segment_writer - writes a segment: one file, from its beginning to its end.
 *
 * A segment holds parts of several collections (part_format.h) and their dead documents, each
 * at a multiple of 8 bytes.  It is durable after segment_writer_finish() and, as to its name,
 * after its folder was synced; nothing refers to it before.
 */

#ifndef SERVICES_SEARCH_SEGMENT_WRITER_H_
#define SERVICES_SEARCH_SEGMENT_WRITER_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/files.h"
#include "libs/base/status.h"

#include <stdint.h>

enum { SEGMENT_BUFFER_BYTES = 256 * 1024 };

struct segment_writer {
    struct arena *arena; /* for failure */
    struct file *file;   /* owned */
    uint64_t offset;     /* where the next byte goes */
    uint8_t *buffer;     /* owned */
    size_t n_buffered;
    status failure; /* the first that went wrong; nothing is written after it */
};

/* Makes the file; one that is there, left by a crash, goes first. */
status segment_writer_init(struct segment_writer *self, struct arena *arena, struct files *files,
                           const char *name) NONNULL;
void segment_writer_reset(struct segment_writer *self) NONNULL;

void segment_writer_add(struct segment_writer *self, bytes data) NONNULL;
/* Zeros up to the next multiple of 8. */
void segment_writer_align(struct segment_writer *self) NONNULL;
/* Writes out what is left and syncs; returns the first failure of all. */
status segment_writer_finish(struct segment_writer *self) NONNULL;

#endif
