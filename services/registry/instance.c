#include "services/registry/instance.h"

#include "libs/base/status_details.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_of(const char *text, const char *allowed)
{
    return text[strspn(text, allowed)] == '\0';
}

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool service_name_is_valid(const char *name)
{
    size_t size = strnlen(name, INSTANCE_MAX_SERVICE_BYTES + 1);

    return size > 0 && size <= INSTANCE_MAX_SERVICE_BYTES && name[0] >= 'a' && name[0] <= 'z' &&
           name[size - 1] != '-' && is_of(name, LOWER DIGITS "-");
}

static status check_word(struct arena *arena, const char *field, const char *word, size_t max)
{
    if (strnlen(word, max + 1) > max) {
        return status_bad_field(arena, field, "is longer than %zu bytes", max);
    }
    if (!is_of(word, LOWER UPPER DIGITS "._:+~-")) {
        return status_bad_field(arena, field, "'%s' has more than letters, digits and ._:+~-",
                                word);
    }
    return status_ok();
}

/* The canonical form of an IP literal: EDS refuses two spellings of one address. */
static const char *canonical_address(struct arena *arena, const char *address)
{
    unsigned char raw[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];

    for (int family = AF_INET;; family = AF_INET6) {
        if (inet_pton(family, address, raw) == 1 &&
            inet_ntop(family, raw, text, sizeof text) != NULL) {
            return arena_strdup(arena, text);
        }
        if (family == AF_INET6) {
            return NULL;
        }
    }
}

static status check_address(struct arena *arena, const struct instance *instance)
{
    const char *canonical = canonical_address(arena, instance->address);

    if (canonical == NULL) {
        return status_bad_field(arena, "address", "'%s' is not an IP address", instance->address);
    }
    if (strcmp(canonical, "0.0.0.0") == 0 || strcmp(canonical, "::") == 0) {
        return status_bad_field(arena, "address", "'%s' is nowhere: name the address to connect to",
                                instance->address);
    }
    if (instance->port == 0) {
        return status_bad_field(arena, "port", "is 0");
    }
    return status_ok();
}

static status check_capabilities(struct arena *arena, const struct instance *instance)
{
    if (instance->n_capabilities > INSTANCE_MAX_CAPABILITIES) {
        return status_bad_field(arena, "capabilities", "are more than %d",
                                INSTANCE_MAX_CAPABILITIES);
    }
    for (size_t i = 0; i < instance->n_capabilities; i++) {
        TRY(check_word(arena, "capabilities", instance->capabilities[i], INSTANCE_MAX_WORD_BYTES));
        if (instance->capabilities[i][0] == '\0') {
            return status_bad_field(arena, "capabilities", "have an empty one");
        }
    }
    return status_ok();
}

status instance_check(struct arena *arena, const struct instance *instance)
{
    if (!service_name_is_valid(instance->service)) {
        return status_bad_field(arena, "service", "'%.64s' is not a lower-case DNS label",
                                instance->service);
    }
    if (instance->id[0] == '\0') {
        return status_bad_field(arena, "instance_id", "is empty");
    }
    TRY(check_word(arena, "instance_id", instance->id, INSTANCE_MAX_ID_BYTES));
    TRY(check_word(arena, "version", instance->version, INSTANCE_MAX_WORD_BYTES));
    TRY(check_word(arena, "locality.region", instance->locality.region, INSTANCE_MAX_WORD_BYTES));
    TRY(check_word(arena, "locality.zone", instance->locality.zone, INSTANCE_MAX_WORD_BYTES));
    TRY(check_word(arena, "locality.sub_zone", instance->locality.sub_zone,
                   INSTANCE_MAX_WORD_BYTES));
    if (strnlen(instance->spiffe_id, INSTANCE_MAX_SPIFFE_ID_BYTES + 1) >
        INSTANCE_MAX_SPIFFE_ID_BYTES) {
        return status_bad_field(arena, "spiffe_id", "is longer than %d bytes",
                                INSTANCE_MAX_SPIFFE_ID_BYTES);
    }
    TRY(check_address(arena, instance));
    return check_capabilities(arena, instance);
}

struct instance instance_copy(struct arena *arena, const struct instance *instance)
{
    struct instance copy = *instance;
    const char **capabilities = ARENA_NEW_ARRAY(arena, const char *, instance->n_capabilities + 1);

    for (size_t i = 0; i < instance->n_capabilities; i++) {
        capabilities[i] = arena_strdup(arena, instance->capabilities[i]);
    }
    copy.capabilities = capabilities;
    copy.service = arena_strdup(arena, instance->service);
    copy.id = arena_strdup(arena, instance->id);
    copy.address = canonical_address(arena, instance->address);
    copy.locality = (struct locality){
        .region = arena_strdup(arena, instance->locality.region),
        .zone = arena_strdup(arena, instance->locality.zone),
        .sub_zone = arena_strdup(arena, instance->locality.sub_zone),
    };
    copy.spiffe_id = arena_strdup(arena, instance->spiffe_id);
    copy.version = arena_strdup(arena, instance->version);
    return copy;
}

const char *instance_health_name(enum instance_health health)
{
    switch (health) {
#define X(name, usable)   \
    case INSTANCE_##name: \
        return #name;
        INSTANCE_HEALTHS(X)
#undef X
    }
    return "UNKNOWN";
}

bool instance_is_usable(const struct instance *instance)
{
    switch (instance->health) {
#define X(name, usable)   \
    case INSTANCE_##name: \
        return usable;
        INSTANCE_HEALTHS(X)
#undef X
    }
    return false;
}

bool locality_equal(const struct locality *a, const struct locality *b)
{
    return strcmp(a->region, b->region) == 0 && strcmp(a->zone, b->zone) == 0 &&
           strcmp(a->sub_zone, b->sub_zone) == 0;
}
