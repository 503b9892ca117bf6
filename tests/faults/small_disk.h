/* small_disk - a real file system that this process can fill: a tmpfs, which nobody else sees.
 *
 * It is mounted in a user and mount namespace of our own, where we are user 1000: so no rights are
 * needed, and a mesh takes us for an ordinary user, since no other exists there.
 */

#ifndef TESTS_FAULTS_SMALL_DISK_H_
#define TESTS_FAULTS_SMALL_DISK_H_

#include "libs/base/attributes.h"

#include <stdbool.h>

/* Makes folder and mounts it; the process must have one thread.  False when the kernel does not
 * permit that; why is then printed, and the test is to be skipped. */
bool small_disk_mount(const char *folder) NONNULL;
void small_disk_unmount(const char *folder) NONNULL;

/* Leaves it no byte, by a file of its own, and gives all of them back. */
void small_disk_fill(const char *folder) NONNULL;
void small_disk_clear(const char *folder) NONNULL;

#endif
