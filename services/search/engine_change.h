/* engine_change - what one step of upkeep makes of the collections: new parts in place of a frozen
 * memtable or of old parts, and new lists of the dead.
 *
 *     begin      a segment file, and a change for each collection, empty
 *     replace    names the sources that go; their dead are copied
 *     build      writes parts into the segment
 *     commit     syncs the segment, writes the manifest, and puts the new in place of the old
 *     end
 *
 * Until commit has written the manifest nothing is changed.  Documents that die meanwhile die in
 * the new parts too.  Under the engine's upkeep lock throughout, which alone changes what parts
 * a collection has.
 */

#ifndef SERVICES_SEARCH_ENGINE_CHANGE_H_
#define SERVICES_SEARCH_ENGINE_CHANGE_H_

#include "services/search/engine.h"
#include "services/search/part_build.h"

struct change {
    struct collection *collection; /* referenced */
    bool takes_memtable;           /* the frozen one goes */
    bool *replaced;                /* which parts go; NULL: none */
    struct bitmap *dead;           /* of each input, as they were copied */
    struct build_input *inputs;    /* the sources that go */
    size_t n_inputs;
    struct collection_part *made; /* arena */
    size_t n_made;
    struct extent *new_dead; /* for each part whose dead were written; NULL: none */
    uint32_t *n_new_dead;
};

struct upkeep {
    struct search_engine *engine;
    struct arena *arena;
    uint64_t segment; /* its number */
    struct segment_writer writer;
    struct change *changes; /* of all collections */
    size_t n_changes;
    bool in_doubt; /* the manifest was begun */
    bool committed;
};

/* upkeep_end() when it was OK. */
status upkeep_begin(struct upkeep *self, struct search_engine *engine, struct arena *arena) NONNULL;
/* Removes what was written, when it was not committed. */
void upkeep_end(struct upkeep *self) NONNULL;

/* The frozen memtable goes, when there is one. */
status change_replace_memtable(struct upkeep *self, struct change *change) NONNULL;
/* The parts that are set in which go. */
status change_replace_parts(struct upkeep *self, struct change *change, const bool *which) NONNULL;
/* Adds a part of these inputs, unless nothing in them is alive. */
status change_build(struct upkeep *self, struct change *change, const struct build_input *inputs,
                    size_t n_inputs) NONNULL;
/* Writes the dead of the parts that have new ones. */
status change_write_dead(struct upkeep *self, struct change *change) NONNULL;

/* flushed: the last frame of the log that is in segments now. */
status upkeep_commit(struct upkeep *self, uint64_t flushed) NONNULL;

#endif
