/* files_contract - what every struct files must do, as a test. */

#ifndef LIBS_BASE_FILES_CONTRACT_H_
#define LIBS_BASE_FILES_CONTRACT_H_

#include "libs/base/attributes.h"
#include "libs/base/files.h"

/* Call from a cmocka test, with a folder that is empty. */
void files_contract(struct files *files) NONNULL;

#endif
