/* log_lines - reads the services' logs: their last lines, and what is added to them. */

#ifndef CLI_LOG_LINES_H_
#define CLI_LOG_LINES_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A log that is followed over its rotations. */
struct log_reader {
    const char *path; /* borrowed */
    int fd;           /* -1 when the file is not there yet */
    ino_t inode;
    char *partial; /* of a line whose end is not written yet; owned */
    size_t partial_size;
};

void log_reader_init(struct log_reader *self, const char *path) NONNULL;
void log_reader_reset(struct log_reader *self) NONNULL;

struct log_lines {
    const char **lines; /* without their ends; arena */
    size_t n_lines;
};

/* The last lines that are there, at most n; what comes later is for log_reader_next(). */
struct log_lines log_reader_last(struct log_reader *self, struct arena *arena, size_t n) NONNULL;
/* The lines that were added since, also over a rotation. */
struct log_lines log_reader_next(struct log_reader *self, struct arena *arena) NONNULL;

/* A JSON line as people read it: "12:59:01.204 warn  tenant   peer is slow  peer=audit ms=812".
 * What is no JSON is returned as it is. */
const char *log_line_for_people(struct arena *arena, const char *line) NONNULL RETURNS_NONNULL;
/* Of a JSON line, "" when it says none: for sorting. */
const char *log_line_time(struct arena *arena, const char *line) NONNULL RETURNS_NONNULL;

#endif
