#include "cli/ingest.h"

#include "cli/testing/fake_search.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct fake_search search;
    struct call call;
    struct ingest_options options;
    size_t stop_at;    /* progress says no from here on; 0: never */
    size_t n_seen;     /* by progress */
    bool says_no;      /* progress says no */
    const char *newer; /* token, from the first answer on; NULL: none */
};

static Weft__Search__V1__Document *record(void *data, struct arena *arena, size_t n)
{
    Weft__Search__V1__Document *document = ARENA_NEW(arena, Weft__Search__V1__Document);

    (void)data;
    weft__search__v1__document__init(document);
    document->document_id = arena_printf(arena, "%zu", n);
    return document;
}

static bool progress(void *data, size_t n_done)
{
    struct fixture *f = data;

    assert_true(n_done >= f->n_seen);
    f->n_seen = n_done;
    if (f->newer != NULL) {
        f->call.token = f->newer;
    }
    return !f->says_no && (f->stop_at == 0 || n_done < f->stop_at);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    fake_search_start(&f->search, f->arena, temp_folder(f->arena));
    f->call = call_of_process(f->arena);
    f->options = (struct ingest_options){
        .search = f->search.peer,
        .project_id = "debian",
        .collection_id = "packages",
        .n_records = 1005,
        .record = record,
        .progress = progress,
        .data = f,
        .batch = 10,
        .n_under_way = 4,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fake_search_stop(&f->search);
    arena_free(f->arena);
    free(f);
    return 0;
}

static void every_record_is_answered(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    assert_status(ingest(&f->call, &f->options, &result), STATUS_OK);
    assert_int_equal(result.n_done, 1005);
    assert_int_equal(result.n_refused, 0);
    assert_int_equal(result.n_restarts, 0);
    assert_int_equal(f->n_seen, 1005);
    assert_int_equal(atomic_load(&f->search.n_documents), 1005);
}

static void nothing_is_sent_when_there_is_nothing(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->options.n_records = 0;
    assert_status(ingest(&f->call, &f->options, &result), STATUS_OK);
    assert_int_equal(atomic_load(&f->search.n_streams), 0);
}

static void a_broken_stream_goes_on_from_what_was_answered(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->search.break_after = 7;
    f->search.n_breaks = 3;
    f->search.break_with = STATUS_UNAVAILABLE;
    assert_status(ingest(&f->call, &f->options, &result), STATUS_OK);
    assert_int_equal(result.n_done, 1005);
    assert_int_equal(result.n_restarts, 3);
    assert_int_equal(atomic_load(&f->search.n_streams), 4);
    /* What was answered is not sent again; what was not, is. */
    assert_true(atomic_load(&f->search.n_documents) >= 1005);
}

static void a_stream_that_is_opened_again_comes_with_the_newest_token(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->search.break_after = 7;
    f->search.n_breaks = 1;
    f->search.break_with = STATUS_UNAVAILABLE;
    f->call.token = "first";
    f->newer = "newer";
    assert_status(ingest(&f->call, &f->options, &result), STATUS_OK);
    assert_int_equal(result.n_restarts, 1);
    assert_string_equal(f->search.token, "newer");
}

static void a_stream_ends_with_its_token_and_goes_on_with_a_newer_one(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->search.break_after = 7;
    f->search.n_breaks = 1;
    f->search.break_with = STATUS_UNAUTHENTICATED;
    f->call.token = "first";
    f->newer = "newer";
    assert_status(ingest(&f->call, &f->options, &result), STATUS_OK);
    assert_int_equal(result.n_done, 1005);
    assert_int_equal(result.n_restarts, 1);
    assert_string_equal(f->search.token, "newer");
}

static void a_token_that_was_refused_is_not_shown_again(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->search.break_after = 7;
    f->search.n_breaks = 1;
    f->search.break_with = STATUS_UNAUTHENTICATED;
    f->call.token = f->newer = "only";
    assert_status(ingest(&f->call, &f->options, &result), STATUS_UNAUTHENTICATED);
    assert_int_equal(atomic_load(&f->search.n_streams), 1);
}

static void who_watches_is_asked_while_search_is_away(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->search.is_away = true;
    f->says_no = true;
    assert_status(ingest(&f->call, &f->options, &result), STATUS_CANCELLED);
    assert_int_equal(result.n_done, 0);
}

static void what_will_not_get_better_ends_it(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->search.break_after = 7;
    f->search.n_breaks = 1;
    f->search.break_with = STATUS_PERMISSION_DENIED;
    assert_status(ingest(&f->call, &f->options, &result), STATUS_PERMISSION_DENIED);
    assert_true(result.n_done <= 70);
}

static void patience_ends(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->options.patience_ms = 20;
    f->search.is_away = true;
    assert_status(ingest(&f->call, &f->options, &result), STATUS_UNAVAILABLE);
    assert_int_equal(result.n_done, 0);
}

static void documents_that_are_refused_are_counted(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->search.refuse_each = 10;
    assert_status(ingest(&f->call, &f->options, &result), STATUS_OK);
    assert_int_equal(result.n_done, 1005);
    assert_int_equal(result.n_refused, 101);
}

static void who_watches_may_stop_it(void **state)
{
    struct fixture *f = *state;
    struct ingest_result result;

    f->stop_at = 50;
    assert_status(ingest(&f->call, &f->options, &result), STATUS_CANCELLED);
    assert_int_equal(result.n_done, 50);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_record_is_answered),
        TEST(nothing_is_sent_when_there_is_nothing),
        TEST(a_broken_stream_goes_on_from_what_was_answered),
        TEST(a_stream_that_is_opened_again_comes_with_the_newest_token),
        TEST(a_stream_ends_with_its_token_and_goes_on_with_a_newer_one),
        TEST(a_token_that_was_refused_is_not_shown_again),
        TEST(who_watches_is_asked_while_search_is_away),
        TEST(what_will_not_get_better_ends_it),
        TEST(patience_ends),
        TEST(documents_that_are_refused_are_counted),
        TEST(who_watches_may_stop_it),
    };

    return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
