/* log_file - what a program writes to standard error, kept in files that do not grow for ever.
 *
 *     tenant.log      the newest, at most 8 MiB
 *     tenant.log.1    the one before
 *     tenant.log.2    ...
 *     tenant.log.3    the oldest; the next rotation takes its place
 *
 * Rotation falls between lines, so each file is whole lines.  Nothing is synced: a log line is
 * not a promise.  On a full disk what does not fit is dropped and counted, and the count is
 * written as soon as there is room, so that a gap is seen; a service never waits for its log.
 */

#ifndef CLI_SUPERVISOR_LOG_FILE_H_
#define CLI_SUPERVISOR_LOG_FILE_H_

#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/files.h"

struct log_file;

struct log_file_options {
    struct files *files; /* required; borrowed, and must outlive the log */
    const char *name;    /* required; copied */
    uint64_t max_bytes;  /* of one file; 0 means 8 MiB */
    int n_files;         /* in all; 0 means 4 */
};

/* The caller owns it: log_file_free().  The file is opened by the first write. */
struct log_file *log_file_new(const struct log_file_options *options) NONNULL RETURNS_NONNULL;
void log_file_free(struct log_file *self);

/* Any piece of a stream of lines. */
void log_file_write(struct log_file *self, bytes data) NONNULL;

#endif
