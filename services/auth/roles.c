#include "services/auth/roles.h"

#include <string.h>

static const char *const admin[] = { "**" };

static const char *const publisher[] = {
    "project:*:collections:create", "project:*:collections:read", "project:*:data:publish",
    "project:*:data:read",          "project:*:jobs:**",          "tenant-jobs:work",
};

static const char *const consumer[] = {
    "project:*:collections:read",
    "project:*:data:read",
    "project:*:jobs:read",
};

static const char *const readonly[] = {
    "project:*:*:read",       "tenant:*:read",         "tenant:*:*:read", "audit:*:read",
    "platform:tenants:check", "platform:tenants:list", "platform:*:read",
};

#define ROLE(name)                                                                       \
    {                                                                                    \
        .id = #name, .patterns = (name), .n_patterns = sizeof(name) / sizeof((name)[0]), \
    }

const struct role roles[] = { ROLE(admin), ROLE(publisher), ROLE(consumer), ROLE(readonly) };
const size_t n_roles = sizeof roles / sizeof roles[0];

const struct role *role_find(const char *id)
{
    for (size_t i = 0; i < n_roles; i++) {
        if (strcmp(roles[i].id, id) == 0) {
            return &roles[i];
        }
    }
    return NULL;
}
