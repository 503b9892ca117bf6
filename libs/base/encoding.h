/* encoding - bytes as text and back: hex, base64 (RFC 4648, section 4) and base64url (section 5).
 *
 * Decoding is strict: another alphabet, padding where there is none or none where it belongs,
 * a length that cannot be, or bits set that carry nothing, is an error.  So each value has one
 * text, and a signature over the text is one over the value.
 */

#ifndef LIBS_BASE_ENCODING_H_
#define LIBS_BASE_ENCODING_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>

enum base64_alphabet {
    BASE64_STANDARD, /* "+/", padded with "=" */
    BASE64_URL,      /* "-_", not padded */
};

/* Lower case. */
const char *hex_encode(struct arena *arena, bytes data) NONNULL RETURNS_NONNULL;
/* Takes lower case alone. */
bool hex_decode(struct arena *arena, bytes text, bytes *ret_data) NONNULL;

const char *base64_encode(struct arena *arena, bytes data, enum base64_alphabet alphabet)
    NONNULL RETURNS_NONNULL;
bool base64_decode(struct arena *arena, bytes text, enum base64_alphabet alphabet, bytes *ret_data)
    NONNULL;

#endif
