/* utf8 - UTF-8 as RFC 3629 has it: nothing overlong, no surrogates, nothing past U+10FFFF. */

#ifndef LIBS_BASE_UTF8_H_
#define LIBS_BASE_UTF8_H_

#include "libs/base/bytes.h"

#include <stdbool.h>

/* The length of the character that data begins with, 1 to 4; 0 where there is none.  A NUL is
 * none: it would end the text early for every C function. */
size_t utf8_character_length(bytes data);

/* The same, and which character it is. */
size_t utf8_decode(bytes data, uint32_t *ret_character);

/* Whether all of data is text. */
bool utf8_is_valid(bytes data);

#endif
