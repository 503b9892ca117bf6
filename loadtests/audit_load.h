/* audit_load - events appended durably by StreamEvents, as a busy mesh's relays send them, beside
 * what the disk takes of the same bytes (disk_limit.h). */

#ifndef LOADTESTS_AUDIT_LOAD_H_
#define LOADTESTS_AUDIT_LOAD_H_

#include "loadtests/load.h"

status audit_load_run(const struct load *load) NONNULL;

#endif
