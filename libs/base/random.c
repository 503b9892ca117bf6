#include "libs/base/random.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void system_fill(const struct random_source *source, uint8_t *data, size_t size)
{
    (void)source;
    while (size > 0) {
        ssize_t n = getrandom(data, size, 0);
        if (n < 0) {
            abort(); /* a kernel without randomness must not make keys */
        }
        data += n;
        size -= (size_t)n;
    }
}

static const struct random_ops system_ops = { .fill = system_fill };

const struct random_source system_random = { .ops = &system_ops };

void random_fill(const struct random_source *source, uint8_t *data, size_t size)
{
    source->ops->fill(source, data, size);
}

uint64_t random_below(const struct random_source *source, uint64_t limit)
{
    /* Numbers past the last multiple of limit would make the small ones likelier. */
    uint64_t end = UINT64_MAX - UINT64_MAX % limit;
    uint64_t value;

    do {
        random_fill(source, (uint8_t *)&value, sizeof value);
    } while (value >= end);
    return value % limit;
}

const char *random_ulid(const struct random_source *source, struct arena *arena, int64_t wall_ms)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    char *text = arena_alloc(arena, 27);
    uint8_t noise[16];

    random_fill(source, noise, sizeof noise);
    for (int i = 9; i >= 0; i--, wall_ms /= 32) {
        text[i] = digits[wall_ms % 32];
    }
    for (size_t i = 0; i < sizeof noise; i++) {
        text[10 + i] = digits[noise[i] % 32];
    }
    return text;
}
