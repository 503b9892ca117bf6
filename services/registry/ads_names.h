/* ads_names - the names that a client subscribes to, and which version of each it has.
 *
 * A sorted set, in one block of memory, that is replaced as a whole.
 */

#ifndef SERVICES_REGISTRY_ADS_NAMES_H_
#define SERVICES_REGISTRY_ADS_NAMES_H_

#include "libs/base/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ads_name {
    const char *text;
    uint64_t sent;     /* version; 0 for none */
    uint64_t accepted; /* version; 0 for none */
};

/* Begins as all zero. */
struct ads_names {
    struct ads_name *at; /* in order of their text */
    size_t n;
};

/* Makes it the set of these names, which are copied; versions of those that stay are kept.  Names
 * that are empty, longer than max_bytes, or there twice are left out.  False when it was that set
 * already. */
bool ads_names_replace(struct ads_names *names, char *const *texts, size_t n, size_t max_bytes)
    NONNULL_ARGS(1);

/* NULL when it is not in there. */
struct ads_name *ads_names_find(const struct ads_names *names, const char *text) NONNULL;

void ads_names_reset(struct ads_names *names) NONNULL;

#endif
