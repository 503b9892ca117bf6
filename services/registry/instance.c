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

bool instance_id_is_valid(const char *id)
{
    size_t size = strnlen(id, INSTANCE_MAX_NAME_BYTES + 1);

    return size > 0 && size <= INSTANCE_MAX_NAME_BYTES && id[0] != '-' && id[size - 1] != '-' &&
           is_of(id, LOWER DIGITS "-");
}

bool service_name_is_valid(const char *name)
{
    return instance_id_is_valid(name) && name[0] >= 'a' && name[0] <= 'z';
}

/* ---- Endpoints ---- */

/* Where the address of "address:port" or "[address]:port" is, and the port; false for others. */
static bool split(const char *text, const char **ret_address, size_t *ret_size,
                  const char **ret_port, int *ret_family)
{
    const char *end = strrchr(text, ':');

    if (end == NULL) {
        return false;
    }
    *ret_port = end + 1;
    *ret_family = text[0] == '[' ? AF_INET6 : AF_INET;
    if (text[0] != '[') {
        *ret_address = text;
        *ret_size = (size_t)(end - text);
        return true;
    }
    *ret_address = text + 1;
    *ret_size = (size_t)(end - text - 1);
    if (end[-1] != ']') {
        return false;
    }
    (*ret_size)--;
    return true;
}

/* Digits alone, no leading zero, at most 65535; 0 for anything else. */
static uint16_t parse_port(const char *text)
{
    uint32_t port = 0;

    if (strlen(text) > 5 || !is_of(text, DIGITS) || text[0] == '0') {
        return 0;
    }
    for (; *text != '\0'; text++) {
        port = port * 10 + (uint32_t)(*text - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool is_unspecified(const unsigned char *raw, int family)
{
    static const unsigned char nowhere[sizeof(struct in6_addr)];

    return memcmp(raw, nowhere, family == AF_INET ? sizeof(struct in_addr) : sizeof nowhere) == 0;
}

status endpoint_parse(struct arena *arena, const char *field, const char *text,
                      struct endpoint *ret_endpoint)
{
    unsigned char raw[sizeof(struct in6_addr)];
    char canonical[INET6_ADDRSTRLEN];
    const char *address;
    size_t size;
    const char *port;
    int family;

    if (!split(text, &address, &size, &port, &family) || size >= INET6_ADDRSTRLEN ||
        parse_port(port) == 0 ||
        inet_pton(family, arena_printf(arena, "%.*s", (int)size, address), raw) != 1) {
        return status_bad_field(arena, field, "'%.80s' is not an IP address and a port", text);
    }
    if (is_unspecified(raw, family)) {
        return status_bad_field(arena, field, "'%s' is nowhere: name the address to connect to",
                                text);
    }
    /* One spelling for each address: clients refuse an EDS that has one twice. */
    (void)inet_ntop(family, raw, canonical, sizeof canonical);
    *ret_endpoint = (struct endpoint){
        .address = arena_strdup(arena, canonical),
        .port = parse_port(port),
    };
    return status_ok();
}

/* ---- Instances ---- */

static status check_word(struct arena *arena, const char *field, const char *word)
{
    if (strnlen(word, INSTANCE_MAX_WORD_BYTES + 1) > INSTANCE_MAX_WORD_BYTES) {
        return status_bad_field(arena, field, "is longer than %d bytes", INSTANCE_MAX_WORD_BYTES);
    }
    if (!is_of(word, LOWER UPPER DIGITS "._:+~-")) {
        return status_bad_field(arena, field, "'%s' has more than letters, digits and ._:+~-",
                                word);
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
        TRY(check_word(arena, "capabilities", instance->capabilities[i]));
        if (instance->capabilities[i][0] == '\0') {
            return status_bad_field(arena, "capabilities", "have an empty one");
        }
    }
    return status_ok();
}

status instance_check(struct arena *arena, const struct instance *instance)
{
    struct endpoint unused;

    if (!service_name_is_valid(instance->service)) {
        return status_bad_field(arena, "service",
                                "'%.80s' is no lower-case DNS label that begins with a letter",
                                instance->service);
    }
    if (!instance_id_is_valid(instance->id)) {
        return status_bad_field(arena, "instance_id", "'%.80s' is no lower-case DNS label",
                                instance->id);
    }
    TRY(check_word(arena, "version", instance->version));
    TRY(check_word(arena, "locality.region", instance->locality.region));
    TRY(check_word(arena, "locality.zone", instance->locality.zone));
    if (strnlen(instance->spiffe_id, INSTANCE_MAX_SPIFFE_ID_BYTES + 1) >
        INSTANCE_MAX_SPIFFE_ID_BYTES) {
        return status_bad_field(arena, "spiffe_id", "is longer than %d bytes",
                                INSTANCE_MAX_SPIFFE_ID_BYTES);
    }
    if (instance->http_address[0] != '\0') {
        TRY(endpoint_parse(arena, "http_address", instance->http_address, &unused));
    }
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
    copy.endpoint.address = arena_strdup(arena, instance->endpoint.address);
    copy.locality = (struct locality){
        .region = arena_strdup(arena, instance->locality.region),
        .zone = arena_strdup(arena, instance->locality.zone),
    };
    copy.spiffe_id = arena_strdup(arena, instance->spiffe_id);
    copy.version = arena_strdup(arena, instance->version);
    copy.http_address = arena_strdup(arena, instance->http_address);
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
    static const bool usable_by_health[] = {
#define X(name, usable) [INSTANCE_##name] = (usable),
        INSTANCE_HEALTHS(X)
#undef X
    };

    return usable_by_health[instance->health];
}

bool locality_equal(const struct locality *a, const struct locality *b)
{
    return strcmp(a->region, b->region) == 0 && strcmp(a->zone, b->zone) == 0;
}
