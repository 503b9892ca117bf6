/* test_log - a small log on disk, as somebody else's writer would have made it.
 *
 * Entry i is "entry i" and then i % 5 times "!".  The log is full of tiles from 256 entries on; a
 * checkpoint was published, and so partial tiles were written, at each of the given sizes.
 */

#ifndef LIBS_TLOG_TEST_LOG_H_
#define LIBS_TLOG_TEST_LOG_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/files.h"
#include "libs/tlog/note.h"

#include <stddef.h>
#include <stdint.h>

struct test_log {
    struct note_signer signer; /* "log.example/test" */
    struct note_verifier verifier;
    bytes *checkpoints; /* of each size */
};

/* sizes rise.  Everything is in arena or in files. */
void test_log_write(struct test_log *self, struct arena *arena, struct files *files,
                    const uint64_t *sizes, size_t n_sizes) NONNULL;

bytes test_log_entry(struct arena *arena, uint64_t i) NONNULL;

#endif
