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
    return status_ok();
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

static status run_search(struct asked *self, struct latency *latency, size_t round)
{
    double ms[QUESTIONS];
    const struct open_loop_options options = {
        .ask = ask_search,
        .data = self,
        .rate = QUESTIONS_PER_S,
        .n = QUESTIONS,
    };

    TRY(open_loop_run(&options, self->load->arena, ms));
    latency->p50[round] = quantile(ms, QUESTIONS, 0.5);
    latency->p99[round] = quantile(ms, QUESTIONS, 0.99);
    return check_hits(self, QUESTIONS);
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
    latency->p50[round] = quantile(ms, PEER_QUESTIONS, 0.5);
    latency->p99[round] = quantile(ms, PEER_QUESTIONS, 0.99);
    return check_hits(self, PEER_QUESTIONS);
}

status search_load_run(const struct load *load, const struct search_load_options *options)
{
    static const char command[] = "./weft bench search";
    static const char peer_name[] = "SQLite FTS5, in process, one at a time";
    struct asked *asked = ARENA_NEW(load->arena, struct asked);
    struct latency search;
    struct latency peer;

    asked->load = load;
    asked->options = options;
    make_questions(asked, load->arena);
    for (size_t i = 0; i < LOAD_ROUNDS; i++) {
        TRY(run_peer(asked, &peer, i));
        TRY(run_search(asked, &search, i));
    }
    report(&(struct finding){ .name = "query.p99",
                              .value = median(search.p99, LOAD_ROUNDS),
                              .unit = "ms",
                              .reference = median(peer.p99, LOAD_ROUNDS),
                              .reference_name = peer_name,
                              .bar = BAR_MOST,
                              .bar_at = 10,
                              .command = command });
    report(&(struct finding){ .name = "query.p50",
                              .value = median(search.p50, LOAD_ROUNDS),
                              .unit = "ms",
                              .reference = median(peer.p50, LOAD_ROUNDS),
                              .reference_name = peer_name,
                              .command = command });
    return status_ok();
}
