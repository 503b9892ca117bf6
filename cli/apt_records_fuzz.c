/* Whatever the lists hold, what comes out of them is text. */

#include "cli/apt_records.h"

#include "libs/base/text.h"
#include "libs/base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text)
{
    if (!utf8_is_valid(bytes_of(text))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const bytes file = { .data = data, .size = size };
    struct apt_reader *reader = apt_reader_new();

    apt_reader_add_translations(reader, file);
    apt_reader_add_packages(reader, file);
    for (size_t i = 0; i < apt_reader_count(reader); i++) {
        const struct apt_record *record = apt_reader_record(reader, i);
        check(record->name);
        check(record->section);
        check(record->tag);
        check(record->summary);
        check(record->text);
    }
    apt_reader_free(reader);
    return 0;
}
