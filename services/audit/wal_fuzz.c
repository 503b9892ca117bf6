/* Whatever lies in a write-ahead file: it is replayed in order, and no further than it says. */

#include "libs/testing/crash_files.h"
#include "services/audit/wal.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct counting_sink {
    struct wal_sink sink;
    size_t bytes;
};

static void count(struct wal_sink *sink, bytes leaf)
{
    ((struct counting_sink *)sink)->bytes += leaf.size + 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct counting_sink sink = { .sink = { .leaf = count } };
    struct crash_files files;

    crash_files_init(&files);
    status s = files_make_folder(&files.files, arena, WAL_FOLDER);
    assert(status_is_ok(s));
    s = files_replace(&files.files, arena, WAL_FOLDER "/wal.00000000000000000000",
                      (bytes){ data, size });
    assert(status_is_ok(s));
    s = wal_replay(&files.files, arena, 0, &sink.sink);
    assert(status_is_ok(s));
    assert(sink.bytes <= size);
    crash_files_reset(&files);
    arena_free(arena);
    return 0;
}
