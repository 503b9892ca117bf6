/* sqlite_vfs - SQLite's files, with names left as they are.
 *
 * SQLite makes each name absolute before it opens it.  A service runs in its own folder, below one
 * of mode 0700 that its user cannot pass: there only relative names lead to anything.  So the
 * store's way to files is the machine's own (SQLite's default VFS) in all but two things: a name
 * is what it was given as, and a database that is made is its owner's alone (0600; its log and its
 * index take the same).
 */

#ifndef LIBS_STORE_SQLITE_VFS_H_
#define LIBS_STORE_SQLITE_VFS_H_

#include "libs/base/attributes.h"

/* Makes it known to SQLite, once in a process, and returns its name, "weft". */
const char *sqlite_vfs_weft(void) RETURNS_NONNULL;

#endif
