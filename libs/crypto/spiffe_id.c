#include "libs/crypto/spiffe_id.h"

#include "libs/base/text.h"

#include <string.h>

static const char scheme[] = "spiffe://";
static const char domain_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
static const char segment_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* How many bytes at the start of text are among the allowed; a NUL never is. */
static size_t span(bytes text, const char *allowed)
{
    size_t n = 0;

    while (n < text.size && text.data[n] != '\0' && strchr(allowed, text.data[n]) != NULL) {
        n++;
    }
    return n;
}

static bytes after(bytes text, size_t n)
{
    return (bytes){ .data = text.data + n, .size = text.size - n };
}

/* Of the domain alone.  What is wrong with it, or NULL. */
static const char *domain_mistake(size_t size)
{
    return size == 0                              ? "the trust domain is missing"
           : size > SPIFFE_TRUST_DOMAIN_MAX_BYTES ? "the trust domain is longer than 255 bytes"
                                                  : NULL;
}

static bool is_dots(bytes segment)
{
    return (segment.size == 1 || segment.size == 2) && span(segment, ".") == segment.size;
}

/* Goes over "/segment/segment"; the first thing that is wrong, or NULL. */
static const char *path_mistake(bytes path)
{
    while (path.size > 0) {
        if (path.data[0] != '/') {
            return "a character is not allowed";
        }
        path = after(path, 1);
        bytes segment = { .data = path.data, .size = span(path, segment_characters) };
        path = after(path, segment.size);
        if (segment.size == 0 && path.size == 0) {
            return "it ends with a slash";
        }
        if (segment.size == 0 && path.data[0] == '/') {
            return "a segment of the path is empty";
        }
        if (is_dots(segment) && (path.size == 0 || path.data[0] == '/')) {
            return "a segment of the path is '.' or '..'";
        }
    }
    return NULL;
}

static status mistake(struct arena *arena, const char *what)
{
    return status_error(arena, STATUS_INVALID_ARGUMENT, "no SPIFFE ID: %s", what);
}

status spiffe_id_parse(struct arena *arena, bytes text, struct spiffe_id *ret_id)
{
    const size_t start = sizeof scheme - 1;

    if (text.size > SPIFFE_ID_MAX_BYTES) {
        return mistake(arena, "longer than 2048 bytes");
    }
    if (text.size < start || memcmp(text.data, scheme, start) != 0) {
        return mistake(arena, "it does not begin with 'spiffe://'");
    }
    bytes rest = after(text, start);
    size_t domain_size = span(rest, domain_characters);
    bytes path = after(rest, domain_size);
    const char *wrong = domain_mistake(domain_size);
    wrong = wrong != NULL ? wrong : path_mistake(path);
    if (wrong != NULL) {
        return mistake(arena, wrong);
    }
    const char *whole = arena_printf(arena, "%.*s", (int)text.size, (const char *)text.data);
    *ret_id = (struct spiffe_id){
        .text = whole,
        .trust_domain = arena_printf(arena, "%.*s", (int)domain_size, whole + start),
        .path = whole + start + domain_size,
    };
    return status_ok();
}

status spiffe_id_make(struct arena *arena, const char *trust_domain, const char *path,
                      struct spiffe_id *ret_id)
{
    const char *text = arena_printf(arena, "%s%s%s", scheme, trust_domain, path);
    struct spiffe_id id;

    if (strpbrk(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL) {
        return mistake(arena, "the path is not lower case");
    }
    TRY(spiffe_id_parse(arena, bytes_of(text), &id));
    /* "weft/service" and "/search", or "weft" and "search", would make another ID than meant. */
    if (strcmp(id.trust_domain, trust_domain) != 0) {
        return mistake(arena, "the path does not begin where the trust domain ends");
    }
    *ret_id = id;
    return status_ok();
}
