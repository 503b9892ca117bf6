/* log_verify - whether a log's files are what its checkpoint says, and if not, which are wrong.
 *
 * Reads the whole log once: hashes every entry, rebuilds every tile from that, compares each file
 * under tile/ (also the partial ones that later tiles replaced) byte by byte, and the root with the
 * signed checkpoint.  An older checkpoint, kept by somebody, may be given: the log must still begin
 * with its tree.
 *
 * What is wrong is named by file and place.  When entries and tiles contradict each other, the
 * signed root says which of them has changed:
 *
 *     tile/entries/000.p/7: entry 3 does not hash to the leaf in tile/0/000.p/7
 *     tile/0/000.p/7: hash 3 is not that of entry 3 in tile/entries/000.p/7
 *
 * Needs 200 KiB and one bundle at a time.  Used by one thread at a time.
 */

#ifndef LIBS_TLOG_LOG_VERIFY_H_
#define LIBS_TLOG_LOG_VERIFY_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/files.h"
#include "libs/base/status.h"
#include "libs/tlog/checkpoint.h"

#include <stddef.h>
#include <stdint.h>

/* More tell a person nothing more, and a log may have millions of entries. */
enum { LOG_VERIFY_MAX_FAULTS = 100 };

struct log_verify_options {
    struct files *files;                  /* required; the folder that has checkpoint and tile/ */
    const struct note_verifier *verifier; /* required; whose signature is asked for */
    bytes older;                          /* a checkpoint to be consistent with; NULL: none */
};

struct log_report {
    struct checkpoint checkpoint; /* zeros when it could not be opened */
    const char *const *faults;    /* arena; none: all is as it was signed */
    size_t n_faults;
    uint64_t n_files; /* that were compared */
};

/* What is wrong with the log is in the report; an error is of the machine: UNAVAILABLE. */
status log_verify(const struct log_verify_options *options, struct arena *arena,
                  struct log_report *ret_report) NONNULL;

#endif
