/* engine_bench - how fast the engine writes and searches Debian's package lists, in how much
 * memory, and what it answers.
 *
 *     /usr/lib/apt/apt-helper cat-file .../..._Packages.lz4 > packages   (and Translation-en)
 *     bazel run -c opt //services/search:engine_bench -- FOLDER PACKAGES TRANSLATION [QUERY...]
 */

#include "libs/base/random.h"
#include "services/search/debian_records.h"
#include "services/search/search_engine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH = 500, QUERIES = 5000, SHOWN = 5 };

static const struct collection_name debian = { "bench", "bench", "debian" };

static void must(status s, const char *what)
{
    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "engine_bench: %s: %s\n", what, s.message);
        exit(EXIT_FAILURE);
    }
}

static bytes map_file(const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct stat info = { 0 };

    if (fd < 0 || fstat(fd, &info) != 0) {
        (void)fprintf(stderr, "engine_bench: cannot read '%s'\n", name);
        exit(EXIT_FAILURE);
    }
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    return (bytes){ .data = data, .size = (size_t)info.st_size };
}

static double seconds(void)
{
    return (double)clock_monotonic_us(&system_clock) / 1e6;
}

static long private_kb(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kb = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Pss: %ld kB", &kb) == 1) {
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kb;
}

static void ingest(struct search_engine *engine, const struct debian_records *records)
{
    struct arena *arena = arena_new();
    struct search_write writes[BATCH];
    double start = seconds();

    for (size_t i = 0; i < records->n_documents; i += BATCH) {
        size_t n = 0;
        for (; n < BATCH && i + n < records->n_documents; n++) {
            writes[n] = (struct search_write){ .document = &records->documents[i + n] };
        }
        must(search_engine_write(engine, arena, &debian, writes, n), "write");
        for (size_t k = 0; k < n; k++) {
            must(writes[k].result, "document");
        }
        arena_reset(arena);
    }
    double took = seconds() - start;
    printf("ingest    %9.0f records/s (%zu in %.2f s)\n", (double)records->n_documents / took,
           records->n_documents, took);
    arena_free(arena);
}

/* Two to six words in a row, from somewhere in a description. */
static const char *random_query(struct arena *arena, const struct debian_records *records)
{
    const struct search_document *document =
        &records->documents[random_below(&system_random, records->n_documents)];
    const struct document_field *field = search_document_field(document, 2);
    bytes text = field == NULL ? document->id : field->text;
    size_t start = random_below(&system_random, text.size);
    size_t end = start;

    for (uint64_t words = 2 + random_below(&system_random, 5); words > 0 && end < text.size;
         end++) {
        words -= text.data[end] == ' ';
    }
    char *query = arena_alloc(arena, end - start + 1);
    for (size_t i = start; i < end; i++) {
        char c = (char)text.data[i];
        query[i - start] = ' ';
        if (c > ' ' && c != '"') { /* which no byte beyond ASCII is */
            query[i - start] = c;
        }
    }
    return strlen(query) > 200 ? "package" : query;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure_queries(struct search_engine *engine, const struct debian_records *records)
{
    struct arena *arena = arena_new();
    double *took = calloc(QUERIES, sizeof *took);
    double sum = 0;

    if (took == NULL) {
        abort();
    }
    for (int i = 0; i < QUERIES; i++) {
        struct search_request request = {
            .query = random_query(arena, records),
            .limit = 10,
            .page_token = "",
            .highlight = true,
        };
        struct search_page page;
        double start = seconds();
        must(search_engine_search(engine, arena, &debian, &request, &page), "search");
        took[i] = (seconds() - start) * 1000;
        sum += took[i];
        arena_reset(arena);
    }
    qsort(took, QUERIES, sizeof *took, by_value);
    printf("queries   mean %.3f ms, p50 %.3f ms, p99 %.3f ms, max %.3f ms\n", sum / QUERIES,
           took[QUERIES / 2], took[QUERIES * 99 / 100], took[QUERIES - 1]);
    free(took);
    arena_free(arena);
}

static void show(struct search_engine *engine, const char *query)
{
    struct arena *arena = arena_new();
    struct search_request request = {
        .query = query,
        .limit = SHOWN,
        .page_token = "",
        .highlight = true,
    };
    struct search_page page;
    double start = seconds();

    must(search_engine_search(engine, arena, &debian, &request, &page), "search");
    printf("\n%s (%.2f ms)\n", query, (seconds() - start) * 1000);
    for (size_t i = 0; i < page.n_hits; i++) {
        const struct search_hit *hit = &page.hits[i];
        printf("  %7.3f %-28.*s ", hit->score, (int)hit->document.id.size,
               (const char *)hit->document.id.data);
        for (size_t k = 0; k < hit->snippet.text.size && k < 100; k++) {
            char c = (char)hit->snippet.text.data[k];
            (void)putchar(c == '\n' ? ' ' : c);
        }
        (void)putchar('\n');
    }
    arena_free(arena);
}

int main(int argc, char **argv)
{
    static const char *const questions[] = {
        "convert video files on the command line",
        "find duplicate photos",
        "play chess against the computer",
    };
    struct arena *arena = arena_new();
    struct disk_files files;
    struct search_engine *engine = NULL;
    struct debian_records records;

    if (argc < 4) {
        (void)fprintf(stderr, "usage: engine_bench FOLDER PACKAGES TRANSLATION [QUERY...]\n");
        return EXIT_FAILURE;
    }
    debian_records_read(arena, map_file(argv[2]), map_file(argv[3]), &records);
    must(disk_files_init(&files, arena, argv[1]), "folder");
    long before = private_kb();
    const struct search_engine_options options = { .files = &files.files, .clock = &system_clock };
    must(search_engine_open(&options, arena, &engine), "open");
    must(search_engine_create(engine, arena, &debian, &debian_schema), "create");
    ingest(engine, &records);
    double start = seconds();
    must(search_engine_flush(engine, arena), "flush");
    for (bool more = true; more;) {
        must(search_engine_step(engine, arena, &more), "merge");
    }
    printf("settle    %9.2f s\n", seconds() - start);
    printf("memory    %9ld KB more after ingest\n", private_kb() - before);
    measure_queries(engine, &records);
    printf("memory    %9ld KB more after queries\n", private_kb() - before);
    search_engine_close(engine);
    start = seconds();
    must(search_engine_open(&options, arena, &engine), "open again");
    printf("start     %9.2f ms\n", (seconds() - start) * 1000);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        show(engine, questions[i]);
    }
    for (int i = 4; i < argc; i++) {
        show(engine, argv[i]);
    }
    search_engine_close(engine);
    disk_files_reset(&files);
    arena_free(arena);
    return EXIT_SUCCESS;
}
