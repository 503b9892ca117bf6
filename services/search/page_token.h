/* page_token - where a page of hits ended, for the next one to go on.
 *
 * A place in the order of hits, score and id, so it does not matter how many were on the page or
 * how many the next one asks for.  It says which query it belongs to, as a fingerprint, and at
 * which revision of the collection it was given.  Base64 of about 40 bytes, with a checksum
 * against what got mangled; it holds no secret, and who forges one only begins elsewhere in
 * what they may see.
 */

#ifndef SERVICES_SEARCH_PAGE_TOKEN_H_
#define SERVICES_SEARCH_PAGE_TOKEN_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct page_token {
    uint32_t query; /* its fingerprint */
    uint64_t revision;
    double score;
    bytes id;
};

const char *page_token_encode(const struct page_token *token, struct arena *arena)
    NONNULL RETURNS_NONNULL;
/* In arena.  False when text is no token. */
bool page_token_decode(const char *text, struct arena *arena, struct page_token *ret_token) NONNULL;

#endif
