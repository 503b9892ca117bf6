/* spool_record - one record of a spool's file, and how to find the next one that is whole.
 *
 *     "wsp1"   size, 4 bytes   CRC-32C of size and data, 4 bytes   data
 *
 * Numbers are little-endian.
 */

#ifndef LIBS_AUDIT_SPOOL_RECORD_H_
#define LIBS_AUDIT_SPOOL_RECORD_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>

/* An event at its longest has 11 KiB. */
enum { SPOOL_RECORD_HEADER = 12, SPOOL_RECORD_MAX = 65536 };

bytes spool_record_encode(struct arena *arena, bytes data) NONNULL;

/* The first whole record at or behind *at.  *at goes behind it, and *n_skipped grows by what was
 * there before it and is no record.  False: there is none; *at is the end. */
bool spool_record_next(bytes file, size_t *at, size_t *n_skipped, bytes *ret_data) NONNULL;

#endif
