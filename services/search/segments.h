/* segments - the files that parts lie in, open and mapped.
 *
 * One for each file, shared by the parts in it; a file that no part is in any more is closed and
 * removed.  Mapped bytes cost memory where they are touched alone.  Locked inside.
 */

#ifndef SERVICES_SEARCH_SEGMENTS_H_
#define SERVICES_SEARCH_SEGMENTS_H_

#include "libs/base/files.h"
#include "services/search/part_writer.h"

#include <pthread.h>
#include <stdatomic.h>

#define SEGMENT_FOLDER "segments"

struct segment {
    struct segment *next;
    uint64_t number;
    char *name; /* owned */
    struct file *file;
    bytes data;
    size_t n_uses;
    uint64_t live_bytes; /* of the extents in use, each with what aligns the next */
};

struct segments {
    struct files *files;
    atomic_size_t n_dropped; /* collections that were dropped and are still in somebody's hands */
    pthread_mutex_t lock;
    struct segment *first;
};

void segments_init(struct segments *self, struct files *files) NONNULL;
void segments_reset(struct segments *self) NONNULL;

const char *segment_name(struct arena *arena, uint64_t number) NONNULL RETURNS_NONNULL;

/* Uses an extent, opening its file where that is not open.  The view is good as long as it is used.
 *
 * DATA_LOSS: the file is gone, or ends before the extent. */
status segments_use(struct segments *self, struct arena *arena, const struct extent *extent,
                    struct extent_view *ret_view) NONNULL;
/* Ends the use.  With the last, the file is closed, and removed as well; where that fails it is
 * removed by the next start. */
void segments_release(struct segments *self, const struct extent *extent) NONNULL;

/* Closes a file that is to be forgotten, whatever uses it has; OK when it is not open. */
void segments_close(struct segments *self, uint64_t number) NONNULL;

/* Whether most of the file that the extent is in is in no use. */
bool segments_is_wasteful(struct segments *self, const struct extent *extent) NONNULL;

/* Whether all of the file that the extent is in is in use. */
bool segments_is_whole(struct segments *self, const struct extent *extent) NONNULL;

/* Removes the files of segments that are not in use: a crash left them. */
status segments_sweep(struct segments *self, struct arena *arena) NONNULL;

#endif
