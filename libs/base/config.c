#include "libs/base/config.h"

#include "libs/base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct config {
    struct arena *arena;
    struct text mistakes;
};

struct config *config_new(struct arena *arena)
{
    struct config *config = ARENA_NEW(arena, struct config);

    config->arena = arena;
    config->mistakes = text_new(arena);
    return config;
}

const char *config_text(struct config *config, const char *name, const char *standard)
{
    const char *value = getenv(name);

    if (value != NULL && value[0] != '\0') {
        return arena_strdup(config->arena, value);
    }
    if (standard == NULL) {
        text_add(&config->mistakes, "%s is not set\n", name);
        return "";
    }
    return standard;
}

int64_t config_number(struct config *config, const char *name, int64_t standard, int64_t min,
                      int64_t max)
{
    const char *text = config_text(config, name, "");
    char *end = NULL;

    if (text[0] == '\0') {
        return standard;
    }
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max) {
        text_add(&config->mistakes, "%s is '%s', not a number from %" PRId64 " to %" PRId64 "\n",
                 name, text, min, max);
        return standard;
    }
    return value;
}

const char *config_mistakes(const struct config *config)
{
    return config->mistakes.size == 0 ? NULL : text_string(&config->mistakes);
}

void config_check_or_exit(const struct config *config)
{
    const char *mistakes = config_mistakes(config);

    if (mistakes != NULL) {
        (void)fputs(mistakes, stderr);
        exit(EX_CONFIG);
    }
}
