/* revocation_load - how long a revoked key goes on working anywhere: the receipts of many. */

#ifndef LOADTESTS_REVOCATION_LOAD_H_
#define LOADTESTS_REVOCATION_LOAD_H_

#include "loadtests/load.h"

status revocation_load_run(const struct load *load) NONNULL;

#endif
