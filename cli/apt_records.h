/* apt_records - the packages that a Debian knows, read from apt's lists.
 *
 * apt keeps two kinds of files of stanzas, "Name: value" lines with blank lines between:
 *
 *     ..._Packages          Package: gnuchess              one stanza for each package of a suite
 *                           Section: games
 *                           Description: plays a game of chess, ...
 *                           Description-md5: 9ea2...
 *     ..._i18n_Translation-en
 *                           Description-md5: 9ea2...       the long text, where the first has it
 * not Description-en: plays a game of chess, ... GNU Chess is ...
 *
 * joined by Description-md5.  Texts of many lines have a space before each and a dot for an empty
 * one (Debian policy 5.6.13).  A package that stands in several lists is taken once, from the
 * first.
 *
 * What is no stanza is skipped and counted, for a list may be cut while apt writes it.
 */

#ifndef CLI_APT_RECORDS_H_
#define CLI_APT_RECORDS_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* All texts are UTF-8, in the reader's arena, "" when the stanza has none. */
struct apt_record {
    const char *name;
    const char *section;
    const char *priority;
    const char *maintainer;
    const char *version;
    const char *homepage;
    const char *tag;     /* "game::board, interface::x11" */
    const char *summary; /* the first line of the description */
    const char *text;    /* the others, with paragraphs, or "" */
};

struct apt_reader;

/* The caller owns the reader: apt_reader_free(). */
struct apt_reader *apt_reader_new(void) RETURNS_NONNULL;
void apt_reader_free(struct apt_reader *self);

/* The whole of a Translation file; all of them before the first list. */
void apt_reader_add_translations(struct apt_reader *self, bytes file) NONNULL;
/* The whole of a Packages file. */
void apt_reader_add_packages(struct apt_reader *self, bytes file) NONNULL;

size_t apt_reader_count(const struct apt_reader *self) NONNULL;
const struct apt_record *apt_reader_record(const struct apt_reader *self, size_t n) NONNULL;

#endif
