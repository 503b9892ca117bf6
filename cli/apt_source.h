/* apt_source - where the records of this Debian's packages come from.
 *
 * Many images keep apt's lists without the long texts, or none at all, so we keep lists of our own,
 * below the home: `apt-get update` into them, in English, needs no root and changes nothing of the
 * machine's.  Off line, or where apt cannot, what the machine has is read instead.  With
 * WEFT_APT_LISTS in the environment, the lists of that folder are read, and apt is not asked.
 */

#ifndef CLI_APT_SOURCE_H_
#define CLI_APT_SOURCE_H_

#include "cli/apt_records.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"

/* Brings the lists in folder, an absolute path, up to date.  UNAVAILABLE: apt is not here, or could
 * not; with what it said last. */
status apt_source_update(struct arena *arena, const char *folder) NONNULL;

/* Reads all lists of folder, which apt may have compressed.  NOT_FOUND: there are none. */
status apt_source_read(struct arena *arena, const char *lists, struct apt_reader *reader) NONNULL;

/* The lists of folder, brought up to date when they can be, or else the machine's own; *ret_where
 * says which. */
status apt_source_open(struct arena *arena, const char *folder, struct apt_reader **ret_reader,
                       const char **ret_where) NONNULL;

#endif
