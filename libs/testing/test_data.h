/* test_data - public vectors and corpora, which are too large for the tree.
 *
 * They are below $WEFT_TEST_DATA; tools/test.sh sets that to ../shared/data beside the checkout.  A
 * test whose data is absent counts as skipped, by its name:
 *
 *     const char *folder = test_data(arena, "merkle_proofs");
 *     if (folder == NULL) {
 *         skip();
 *     }
 */

#ifndef LIBS_TESTING_TEST_DATA_H_
#define LIBS_TESTING_TEST_DATA_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

/* The path of a file or folder there; NULL when it is absent. */
const char *test_data(struct arena *arena, const char *name) NONNULL;

#endif
