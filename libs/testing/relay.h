/* relay - a Unix socket in front of another, which a test can cut.
 *
 *     struct relay *relay = relay_new(path, target);       what connects to path speaks to target
 *     relay_cut(relay);                                    both sides lose every connection
 *     relay_free(relay);
 *
 * To target it looks as if the process that called had died: its connection ends in the middle of
 * whatever it was saying.  Who connects after the cut is carried again.
 */

#ifndef LIBS_TESTING_RELAY_H_
#define LIBS_TESTING_RELAY_H_

#include "libs/base/attributes.h"

struct relay;

/* Paths of at most 107 bytes.  Aborts when it cannot listen.  The caller owns it: relay_free(). */
struct relay *relay_new(const char *path, const char *target) NONNULL RETURNS_NONNULL;
void relay_free(struct relay *relay) NONNULL;

/* When it returns, the connections that were there are closed. */
void relay_cut(struct relay *relay) NONNULL;

#endif
