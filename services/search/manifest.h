/* manifest - which parts, in which segments, are what the index consists of.
 *
 * One file, MANIFEST, replaced as a whole: what it does not name does not exist.  It says up to
 * which frame of the write log everything is in segments, and for each collection its schema and
 * its parts.  About 100 bytes a collection and 50 a part.
 */

#ifndef SERVICES_SEARCH_MANIFEST_H_
#define SERVICES_SEARCH_MANIFEST_H_

#include "libs/base/files.h"
#include "services/search/part_writer.h"
#include "services/search/search_schema.h"

#define MANIFEST_NAME "MANIFEST"

struct manifest_part {
    struct extent part;
    struct extent dead; /* segment is 0: no document is dead */
    uint32_t n_docs;
    uint32_t n_dead;
};

struct manifest_collection {
    bytes key;
    struct search_schema schema;
    int64_t create_time_ms;
    uint64_t revision;
    struct manifest_part *parts;
    size_t n_parts;
};

struct manifest {
    uint64_t flushed; /* the last frame of the log that is in segments */
    uint64_t next_segment;
    struct manifest_collection *collections;
    size_t n_collections;
};

bytes manifest_encode(const struct manifest *manifest, struct arena *arena) NONNULL;
/* In arena; keys stand in data.  DATA_LOSS, FAILED_PRECONDITION: as part_open(). */
status manifest_decode(bytes data, struct arena *arena, struct manifest *ret_manifest) NONNULL;

/* An empty one where there is no file. */
status manifest_read(struct files *files, struct arena *arena, struct manifest *ret_manifest)
    NONNULL;
/* Durable on return. */
status manifest_write(struct files *files, struct arena *arena, const struct manifest *manifest)
    NONNULL;

#endif
