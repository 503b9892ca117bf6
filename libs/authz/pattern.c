#include "libs/authz/pattern.h"

#include <string.h>

static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@";

/* The length of the part that text begins with. */
static size_t part(const char *text)
{
    return strcspn(text, ":");
}

static bool is(const char *text, size_t length, const char *what)
{
    return length == strlen(what) && strncmp(text, what, length) == 0;
}

bool pattern_is_valid(const char *text)
{
    int parts = 0;

    if (strlen(text) > PATTERN_MAX_BYTES) {
        return false;
    }
    for (;; text++) {
        size_t length = part(text);
        bool last = text[length] == '\0';
        bool star = is(text, length, "*") || (last && is(text, length, "**"));
        if (length == 0 || ++parts > PATTERN_MAX_PARTS ||
            (!star && strspn(text, allowed) < length)) {
            return false;
        }
        if (last) {
            return true;
        }
        text += length;
    }
}

/* Part by part, from left to right, since no star but the last takes more than one. */
static bool covers(const char *outer, const char *inner)
{
    for (;;) {
        size_t outer_length = part(outer);
        size_t inner_length = part(inner);
        bool outer_last = outer[outer_length] == '\0';
        bool inner_last = inner[inner_length] == '\0';
        if (outer_last && is(outer, outer_length, "**")) {
            return inner_length > 0;
        }
        if (is(inner, inner_length, "**")) {
            return false; /* more than outer's one part */
        }
        bool same = outer_length == inner_length && strncmp(outer, inner, outer_length) == 0;
        if (!same && !is(outer, outer_length, "*")) {
            return false;
        }
        if (outer_last || inner_last) {
            return outer_last && inner_last && inner_length > 0;
        }
        outer += outer_length + 1;
        inner += inner_length + 1;
    }
}

bool pattern_grants(const char *pattern, const char *permission)
{
    return covers(pattern, permission);
}

bool pattern_covers(const char *outer, const char *inner)
{
    return covers(outer, inner);
}

bool peer_pattern_matches(const char *pattern, const char *path)
{
    size_t length = strlen(pattern);

    if (strcmp(pattern, "*") == 0) {
        return path[0] != '\0';
    }
    if (length > 2 && strcmp(pattern + length - 2, "/*") == 0) {
        return strncmp(pattern, path, length - 1) == 0 && path[length - 1] != '\0';
    }
    return strcmp(pattern, path) == 0;
}
