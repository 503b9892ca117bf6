#include "loadtests/search_load.h"

#include "libs/base/clock.h"
#include "libs/base/text.h"
#include "libs/peers/search_peer.h"
#include "libs/rpc/message.h"
#include "loadtests/fts5_peer.h"
#include "loadtests/open_loop.h"
#include "loadtests/report.h"

#include <stdatomic.h>
#include <string.h>

enum {
    QUESTIONS_PER_S = 200,
    QUESTIONS = 1000, /* a round: 5 s */
    FILTERED = 4,     /* one in so many */
    PEER_QUESTIONS = 100,
};

struct question {
    const char *words;
    const char *section; /* NULL: not filtered */
};

struct asked {
    const struct load *load;
    const struct search_load_options *options;
    struct question questions[QUESTIONS];
    double took_ms[QUESTIONS]; /* in the server, by its own clock */
    _Atomic size_t n_hits;
};

/* ---- Questions ---- */

/* So many words of text from the nth on; fewer where it ends. */
static const char *words_of(struct arena *arena, const char *text, size_t from, size_t n)
{
    struct text words = text_new(arena);
    char *rest = arena_strdup(arena, text);
    char *word;

    for (size_t at = 0; (word = strtok_r(rest, " ,.()/\"", &rest)) != NULL && at < from + n; at++) {
        if (at >= from) {
            text_add(&words, "%s%s", words.size > 0 ? " " : "", word);
        }
    }
    return text_string(&words);
}

/* Spread over all records by a step that has no common factor with most counts. */
static void make_questions(struct asked *self, struct arena *arena)
{
    const struct search_load_options *options = self->options;

    for (size_t i = 0; i < QUESTIONS; i++) {
        size_t n = i * 7919 % options->n_records;
        const char *summary = options->summary(options->data, n);
        const char *words = words_of(arena, summary, i % 3, 2 + i % 3);
        self->questions[i] = (struct question){
            .words = words[0] != '\0' ? words : "play chess against the computer",
            .section = i % FILTERED == 0 ? options->section(options->data, n) : NULL,
        };
    }
}

/* ---- Asking ---- */

static void filter_by_section(struct arena *arena, const char *section,
                              Weft__Search__V1__SearchRequest *request)
{
    Weft__Search__V1__FilterStep *step = ARENA_NEW(arena, Weft__Search__V1__FilterStep);
    Weft__Search__V1__FilterValue *value = ARENA_NEW(arena, Weft__Search__V1__FilterValue);

    weft__search__v1__filter_value__init(value);
    value->value_case = WEFT__SEARCH__V1__FILTER_VALUE__VALUE_TEXT;
    value->text = message_text(section);
    weft__search__v1__filter_step__init(step);
    step->operator_ = WEFT__SEARCH__V1__FILTER_OPERATOR__FILTER_OPERATOR_EQUAL;
    step->field = message_text("section");
    step->n_values = 1;
    step->values = ARENA_NEW_ARRAY(arena, Weft__Search__V1__FilterValue *, 1);
    step->values[0] = value;
    request->n_filter = 1;
    request->filter = ARENA_NEW_ARRAY(arena, Weft__Search__V1__FilterStep *, 1);
    request->filter[0] = step;
}

static status ask_search(void *data, struct arena *scratch, size_t n)
{
    struct asked *self = data;
    const struct question *question = &self->questions[n];
    const Weft__Search__V1__SearchResponse *response;
    Weft__Search__V1__SearchRequest request;
    struct call call = load_call(scratch, self->load->token);

    weft__search__v1__search_request__init(&request);
    request.project_id = message_text(LOAD_PROJECT);
    request.collection_id = message_text(self->options->collection_id);
    request.query = message_text(question->words);
    request.highlight = true;
    if (question->section != NULL) {
        filter_by_section(scratch, question->section, &request);
    }
    TRY(search_peer_search(load_peer(self->load, "search"), &call, &request, &response));
    self->n_hits += response->n_hits;
    self->took_ms[n] = (double)response->took->seconds * 1e3 + (double)response->took->nanos / 1e6;
    return status_ok();
}

/* The least that the service can be asked: what is left is the way there and back, and the machine.
 */
static status ask_floor(void *data, struct arena *scratch, size_t n)
{
    struct asked *self = data;
    const Weft__Search__V1__GetCollectionResponse *response;
    Weft__Search__V1__GetCollectionRequest request;
    struct call call = load_call(scratch, self->load->token);

    (void)n;
    weft__search__v1__get_collection_request__init(&request);
    request.project_id = message_text(LOAD_PROJECT);
    request.collection_id = message_text(self->options->collection_id);
    return search_peer_get_collection(load_peer(self->load, "search"), &call, &request, &response);
}

static status ask_peer(void *data, struct arena *scratch, size_t n)
{
    struct asked *self = data;
    size_t n_hits = 0;

    TRY(fts5_peer_search(self->options->peer, scratch, self->questions[n].words, &n_hits));
    self->n_hits += n_hits;
    return status_ok();
}

/* ---- Rounds ---- */

struct latency {
    double p50[LOAD_ROUNDS];
    double p99[LOAD_ROUNDS];
};

static status check_hits(struct asked *self, size_t n_questions)
{
    if (self->n_hits < n_questions) {
        return status_error(self->load->arena, STATUS_INTERNAL,
                            "%zu questions found %zu records together", n_questions, self->n_hits);
    }
    self->n_hits = 0;
    return status_ok();
}

static void note(struct latency *latency, size_t round, const double *sorted_ms, size_t n)
{
    latency->p50[round] = quantile(sorted_ms, n, 0.5);
    latency->p99[round] = quantile(sorted_ms, n, 0.99);
}

static status run_loop(struct asked *self,
                       status (*ask)(void *data, struct arena *scratch, size_t n),
                       struct latency *latency, size_t round)
{
    double ms[QUESTIONS];
    const struct open_loop_options options = {
        .ask = ask,
        .data = self,
        .rate = QUESTIONS_PER_S,
        .n = QUESTIONS,
    };

    TRY(open_loop_run(&options, self->load->arena, ms));
    note(latency, round, ms, QUESTIONS);
    return status_ok();
}

/* One after the other: it cannot keep up with the rate, and waiting would be all that is seen. */
static status run_peer(struct asked *self, struct latency *latency, size_t round)
{
    double ms[PEER_QUESTIONS];

    for (size_t i = 0; i < PEER_QUESTIONS; i++) {
        struct arena *scratch = arena_new();
        int64_t start_us = clock_monotonic_us(&system_clock);
        status s = load_keep(self->load->arena, ask_peer(self, scratch, i));
        ms[i] = load_seconds_since(start_us) * 1e3;
        arena_free(scratch);
        TRY(s);
    }
    sort_values(ms, PEER_QUESTIONS);
    note(latency, round, ms, PEER_QUESTIONS);
    return check_hits(self, PEER_QUESTIONS);
}

static void report_latency(const char *name, double *rounds, double *reference,
                           const char *reference_name, double bar)
{
    report(&(struct finding){ .name = name,
                              .value = median(rounds, LOAD_ROUNDS),
                              .unit = "ms",
                              .reference = median(reference, LOAD_ROUNDS),
                              .reference_name = reference_name,
                              .bar = bar > 0 ? BAR_MOST : BAR_NONE,
                              .bar_at = bar,
                              .command = "./weft bench search" });
}

status search_load_run(const struct load *load, const struct search_load_options *options)
{
    static const char floor_name[] = "GetCollection at the same rate";
    static const char peer_name[] = "SQLite FTS5, in process, one at a time";
    struct asked *asked = ARENA_NEW(load->arena, struct asked);
    struct latency search, floor, peer, server;

    asked->load = load;
    asked->options = options;
    make_questions(asked, load->arena);
    for (size_t i = 0; i < LOAD_ROUNDS; i++) {
        TRY(run_peer(asked, &peer, i));
        TRY(run_loop(asked, ask_floor, &floor, i));
        TRY(run_loop(asked, ask_search, &search, i));
        TRY(check_hits(asked, QUESTIONS));
        sort_values(asked->took_ms, QUESTIONS);
        note(&server, i, asked->took_ms, QUESTIONS);
    }
    report_latency("query.p99", search.p99, floor.p99, floor_name, 10);
    report_latency("query.p50", search.p50, floor.p50, floor_name, 0);
    report_latency("query.in_server_p99", server.p99, peer.p99, peer_name, 0);
    report_latency("query.in_server_p50", server.p50, peer.p50, peer_name, 0);
    return status_ok();
}
