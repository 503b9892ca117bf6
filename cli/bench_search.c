#include "cli/apt_source.h"
#include "cli/bench.h"
#include "cli/ingest.h"
#include "cli/package_job.h"
#include "libs/peers/search_peer.h"
#include "loadtests/fts5_peer.h"
#include "loadtests/report.h"
#include "loadtests/search_load.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    PEER_BATCH = 500, /* as our own batches are */
    SETTLE_S = 5,     /* after an ingest, until merges are done */
};

static const char command[] = "./weft bench search";

struct search_bench {
    struct bench *bench;
    struct apt_reader *records;
    struct fts5_peer *peer;
    double per_s[LOAD_ROUNDS];
    double peer_per_s[LOAD_ROUNDS];
};

/* ---- Collections: one a round, of which the last one stays ---- */

static const char *collection_of(struct search_bench *self, size_t round)
{
    return arena_printf(self->bench->load.arena, "packages-%zu", round);
}

static status create_collection(struct search_bench *self, size_t round)
{
    const Weft__Search__V1__CreateCollectionResponse *response;
    Weft__Search__V1__CreateCollectionRequest request;
    struct load *load = &self->bench->load;
    struct call call = load_call(load->arena, load->token);

    package_collection(load->arena, LOAD_PROJECT, collection_of(self, round), &request);
    return search_peer_create_collection(load_peer(load, "search"), &call, &request, &response);
}

static status delete_collection(struct search_bench *self, size_t round)
{
    const Weft__Search__V1__DeleteCollectionResponse *response;
    Weft__Search__V1__DeleteCollectionRequest request;
    struct load *load = &self->bench->load;
    struct call call = load_call(load->arena, load->token);

    weft__search__v1__delete_collection_request__init(&request);
    request.project_id = message_text(LOAD_PROJECT);
    request.collection_id = message_text(collection_of(self, round));
    return search_peer_delete_collection(load_peer(load, "search"), &call, &request, &response);
}

/* ---- Ingest ---- */

static Weft__Search__V1__Document *document(void *data, struct arena *arena, size_t n)
{
    const struct search_bench *self = data;

    return package_document(arena, apt_reader_record(self->records, n));
}

static status ingest_all(struct search_bench *self, size_t round, double *ret_per_s)
{
    struct load *load = &self->bench->load;
    struct call call = load_call(load->arena, load->token);
    struct ingest_result result = { 0 };
    int64_t start_us = clock_monotonic_us(&system_clock);

    call.deadline_us = INT64_MAX;
    TRY(ingest(&call,
               &(struct ingest_options){
                   .search = load_peer(load, "search"),
                   .project_id = LOAD_PROJECT,
                   .collection_id = collection_of(self, round),
                   .n_records = apt_reader_count(self->records),
                   .record = document,
                   .data = self,
               },
               &result));
    if (result.n_refused > 0) {
        return status_error(load->arena, STATUS_INTERNAL, "search refused %zu of %zu records",
                            result.n_refused, result.n_done);
    }
    *ret_per_s = (double)result.n_done / load_seconds_since(start_us);
    return status_ok();
}

static status fill_peer(struct search_bench *self, double *ret_per_s)
{
    struct load *load = &self->bench->load;
    size_t n = apt_reader_count(self->records);
    int64_t start_us = clock_monotonic_us(&system_clock);
    struct fts5_record batch[PEER_BATCH];

    fts5_peer_free(self->peer);
    self->peer = NULL;
    TRY(fts5_peer_new(load->arena, load->folder, &self->peer));
    for (size_t at = 0; at < n;) {
        size_t size = 0;
        for (; size < PEER_BATCH && at < n; at++) {
            const struct apt_record *record = apt_reader_record(self->records, at);
            batch[size++] = (struct fts5_record){ record->name, record->summary, record->text };
        }
        TRY(fts5_peer_add(self->peer, load->arena, batch, size));
    }
    *ret_per_s = (double)n / load_seconds_since(start_us);
    return status_ok();
}

static status run_round(struct search_bench *self, size_t round)
{
    TRY(fill_peer(self, &self->peer_per_s[round]));
    TRY(create_collection(self, round));
    return ingest_all(self, round, &self->per_s[round]);
}

static void report_ingest(struct search_bench *self)
{
    report(&(struct finding){ .name = "ingest.records",
                              .value = median(self->per_s, LOAD_ROUNDS),
                              .unit = "records/s",
                              .reference = median(self->peer_per_s, LOAD_ROUNDS),
                              .reference_name = "SQLite FTS5, in process",
                              .bar = BAR_LEAST,
                              .bar_at = 5000,
                              .command = command });
}

/* The first round, between two looks at the memory of all processes. */
static status measure_memory(struct search_bench *self)
{
    double before_kib = 0;
    double after_kib = 0;

    TRY(bench_mesh_memory(self->bench, &before_kib));
    TRY(run_round(self, 0));
    (void)nanosleep(&(struct timespec){ .tv_sec = SETTLE_S }, NULL);
    TRY(bench_mesh_memory(self->bench, &after_kib));
    report(&(struct finding){
        .name = "memory.per_record",
        .value = (after_kib - before_kib) / (double)apt_reader_count(self->records),
        .unit = "KB PSS",
        .bar = BAR_MOST,
        .bar_at = 1,
        .command = command,
    });
    return status_ok();
}

/* ---- All of it ---- */

static const char *summary(const void *data, size_t n)
{
    const struct search_bench *self = data;

    return apt_reader_record(self->records, n)->summary;
}

static const char *section(const void *data, size_t n)
{
    const struct search_bench *self = data;

    return apt_reader_record(self->records, n)->section;
}

static status measure(struct search_bench *self)
{
    TRY(measure_memory(self));
    for (size_t i = 1; i < LOAD_ROUNDS; i++) {
        TRY(delete_collection(self, i - 1));
        TRY(run_round(self, i));
    }
    report_ingest(self);
    (void)nanosleep(&(struct timespec){ .tv_sec = SETTLE_S }, NULL);
    return search_load_run(&self->bench->load,
                           &(struct search_load_options){
                               .collection_id = collection_of(self, LOAD_ROUNDS - 1),
                               .n_records = apt_reader_count(self->records),
                               .summary = summary,
                               .section = section,
                               .data = self,
                               .peer = self->peer,
                           });
}

/* The lists that the real mesh's worker has brought, or would. */
static status read_records(struct bench *bench, struct apt_reader **ret_records)
{
    struct arena *arena = bench->load.arena;
    const char *client = arena_printf(arena, "%s/cli", bench->real_home);
    const char *where = "";

    TRY(make_folder(arena, client, 0700));
    TRY(apt_source_open(arena, arena_printf(arena, "%s/apt", client), ret_records, &where));
    output_progress(bench->invocation->output, "weft: %zu records from '%s'\n",
                    apt_reader_count(*ret_records), where);
    return status_ok();
}

status bench_search(struct bench *bench)
{
    struct search_bench self = { .bench = bench };

    TRY(read_records(bench, &self.records));
    status s = measure(&self);
    fts5_peer_free(self.peer);
    apt_reader_free(self.records);
    return s;
}
