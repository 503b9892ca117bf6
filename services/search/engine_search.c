#include "libs/base/crc32c.h"
#include "libs/base/status_details.h"
#include "libs/obs/metrics.h"
#include "services/search/engine.h"
#include "services/search/keyword_leg.h"
#include "services/search/pack.h"
#include "services/search/page_token.h"

/* One search, under the collection's lock. */
struct search {
    struct collection *collection;
    const struct search_request *request;
    struct analyzer *analyzer;
    struct query_text query;
    struct page_token after;
    uint32_t fingerprint;
    struct ranking ranking;
    struct top_hits hits;
};

/* ---- What is asked for ---- */

static uint32_t fingerprint_step(uint32_t crc, struct arena *arena, const struct filter_step *step)
{
    struct text packed = text_new(arena);
    uint64_t bounds[2];

    memcpy(&bounds[0], &step->min, sizeof bounds[0]);
    memcpy(&bounds[1], &step->max, sizeof bounds[1]);
    pack_varint(&packed, step->kind);
    pack_string(&packed, bytes_of(step->field == NULL ? "" : step->field));
    pack_u64(&packed, bounds[0]);
    pack_u64(&packed, bounds[1]);
    for (size_t i = 0; i < step->n_values; i++) {
        uint64_t number;
        memcpy(&number, &step->values[i].number, sizeof number);
        pack_string(&packed, step->values[i].text);
        pack_u64(&packed, number);
        pack_varint(&packed, step->values[i].flag);
    }
    return crc32c_add(crc, text_bytes(&packed));
}

/* Of what decides the order of hits: collection, query and filter. */
static uint32_t fingerprint(const struct search *search, struct arena *arena)
{
    const struct search_request *request = search->request;
    uint32_t crc = crc32c(search->collection->key);

    crc = crc32c_add(crc, bytes_of(request->query));
    for (size_t i = 0; i < request->filter.n_steps; i++) {
        crc = fingerprint_step(crc, arena, &request->filter.steps[i]);
    }
    return crc;
}

static status check_token(struct search *search, struct arena *arena)
{
    const char *token = search->request->page_token;

    if (token[0] == '\0') {
        return status_ok();
    }
    if (!page_token_decode(token, arena, &search->after) ||
        search->after.query != search->fingerprint) {
        return status_bad_field(arena, "page_token", "did not come from this query");
    }
    search->hits.has_after = true;
    search->hits.after_score = search->after.score;
    search->hits.after_id = search->after.id;
    return status_ok();
}

static status check(struct search *search, struct arena *arena)
{
    const struct search_request *request = search->request;

    if (request->limit == 0 || request->limit > MAX_HITS) {
        return status_bad_field(arena, "page_size", "is %zu, not 1 to %d", request->limit,
                                MAX_HITS);
    }
    TRY(query_text_parse(search->analyzer, arena, request->query, &search->query));
    TRY(search_filter_check(&request->filter, &search->collection->schema, arena));
    search->fingerprint = fingerprint(search, arena);
    search->hits = top_hits_new(arena, request->limit + 1); /* one more says: there is a page */
    return check_token(search, arena);
}

/* ---- Which are found ---- */

/* The first document that may be on the page: in a sorted source, the one behind the page before.
 */
static status first_of_page(const struct search *search, struct arena *arena,
                            const struct source *source, uint32_t *ret_doc)
{
    uint32_t low = 0;
    uint32_t high = search->hits.has_after && source->is_sorted ? source->n_docs : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bytes id;
        TRY(source_id(source, arena, middle, &id));
        if (bytes_compare(id, search->hits.after_id) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_doc = low;
    return status_ok();
}

/* All that pass, with score 0, so in order of their ids: of a sorted source only the first. */
static status run_all(struct search *search, struct arena *arena, const struct source *source,
                      const struct bitmap *passing)
{
    uint32_t doc = 0;
    bool worse = false;

    TRY(first_of_page(search, arena, source, &doc));
    for (; doc < source->n_docs && !(worse && source->is_sorted); doc++) {
        if (!source_is_dead(source, doc) && (passing == NULL || bitmap_has(passing, doc))) {
            TRY(top_hits_offer(&search->hits, arena, source, doc, 0, &worse));
        }
    }
    return status_ok();
}

static status run_source(struct search *search, struct arena *arena, size_t i)
{
    const struct source *source = search->ranking.sources[i];
    struct bitmap passing;
    const struct bitmap *filter = NULL;

    if (search->request->filter.n_steps > 0) {
        TRY(search_filter_apply(&search->request->filter, &search->collection->schema, source,
                                arena, &passing));
        filter = &passing;
    }
    return search->query.n_terms == 0
               ? run_all(search, arena, source, filter)
               : keyword_leg_run(&search->ranking, arena, i, filter, &search->hits);
}

/* ---- What is told of them ---- */

static status read_hit(struct search *search, struct arena *arena, const struct top_hit *hit,
                       struct search_hit *ret_hit)
{
    bytes stored;

    TRY(source_stored(hit->source, arena, hit->doc, &stored));
    if (!search_document_decode(bytes_copy(arena, stored), arena, &ret_hit->document)) {
        return status_error(arena, STATUS_DATA_LOSS, "a stored document is broken");
    }
    ret_hit->score = hit->score;
    if (search->request->highlight) {
        ret_hit->snippet =
            snippet_make(&search->ranking, search->analyzer, arena, &ret_hit->document);
    }
    return status_ok();
}

static const char *next_token(const struct search *search, struct arena *arena,
                              const struct top_hit *last)
{
    const struct page_token token = {
        .query = search->fingerprint,
        .revision = search->collection->revision,
        .score = last->score,
        .id = last->id,
    };

    return page_token_encode(&token, arena);
}

static status read_page(struct search *search, struct arena *arena, struct search_page *ret_page)
{
    struct top_hits *hits = &search->hits;
    size_t limit = search->request->limit;
    size_t n = hits->n_hits < limit ? hits->n_hits : limit;

    top_hits_sort(hits);
    *ret_page = (struct search_page){
        .schema = search_schema_copy(&search->collection->schema, arena),
        .hits = ARENA_NEW_ARRAY(arena, struct search_hit, n),
        .n_hits = n,
        .next_page_token =
            hits->n_hits > limit ? next_token(search, arena, &hits->hits[n - 1]) : "",
        .changed = hits->has_after && search->after.revision != search->collection->revision,
    };
    for (size_t i = 0; i < n; i++) {
        TRY(read_hit(search, arena, &hits->hits[i], &ret_page->hits[i]));
    }
    return status_ok();
}

static status run(struct search *search, struct arena *arena, struct search_page *ret_page)
{
    struct sources sources = collection_sources(search->collection, arena);
    const struct source **all = ARENA_NEW_ARRAY(arena, const struct source *, sources.n);

    for (size_t i = 0; i < sources.n; i++) {
        all[i] = sources.sources[i];
    }
    TRY(ranking_make(arena, &search->collection->schema, &search->query, all, sources.n,
                     &search->ranking));
    for (size_t i = 0; i < sources.n; i++) {
        TRY(run_source(search, arena, i));
    }
    return read_page(search, arena, ret_page);
}

static status search_collection(struct search *search, struct arena *arena,
                                struct search_page *ret_page)
{
    TRY(check(search, arena));
    TRY(collection_lock_shared(search->collection, arena));
    status s = run(search, arena, ret_page);
    collection_unlock(search->collection);
    return s;
}

status search_engine_search(struct search_engine *engine, struct arena *arena,
                            const struct collection_name *name,
                            const struct search_request *request, struct search_page *ret_page)
{
    struct search *search = ARENA_NEW(arena, struct search);
    int64_t start_us = clock_monotonic_us(engine->clock);

    TRY(engine_find(engine, arena, name, &search->collection));
    search->request = request;
    search->analyzer = engine_take_analyzer(engine);
    status s = search_collection(search, arena, ret_page);
    engine_give_analyzer(engine, search->analyzer);
    collection_unref(search->collection);
    histogram_record(HISTOGRAM_search_query, clock_monotonic_us(engine->clock) - start_us);
    return s;
}
