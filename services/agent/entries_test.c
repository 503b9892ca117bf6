#include "services/agent/entries.h"

#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "weft/registry/v1/ca_service.pb-c.h"

/* A process as the test wants it. */
struct test_reader {
    struct process_reader reader;
    struct process_facts facts;
    enum status_code code;
};

static status read_facts(const struct process_reader *self, struct arena *arena,
                         const struct peer_process *process, bool want_hash,
                         struct process_facts *ret_facts)
{
    const struct test_reader *test = (const struct test_reader *)self;

    (void)process;
    (void)want_hash;
    *ret_facts = test->facts;
    return test->code == STATUS_OK ? status_ok() : status_error(arena, test->code, "gone");
}

struct fixture {
    struct arena *arena;
    struct crash_files files;
    struct test_reader reader;
    struct entries *entries;
    int changes;
};

static void count_change(void *data)
{
    ((struct fixture *)data)->changes++;
}

static struct entries *open_entries(struct fixture *f)
{
    return entries_new(&(struct entries_options){
        .files = &f->files.files,
        .reader = &f->reader.reader,
        .changed = count_change,
        .data = f,
    });
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new(), .reader = { .reader = { read_facts } } };
    crash_files_init(&f.files);
    f.entries = open_entries(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    entries_free(f->entries);
    crash_files_reset(&f->files);
    arena_free(f->arena);
    return 0;
}

/* One entry for search: by uid, path and hash as given; NULL leaves one out. */
static bytes encoded_entry(struct fixture *f, const char *uid, const char *path, const char *sha256)
{
    const char *const values[] = { uid, path, sha256 };
    Weft__Registry__V1__Selector selectors[3], *list[3];
    Weft__Registry__V1__Entry entry, *entries[] = { &entry };
    Weft__Registry__V1__WatchEntriesResponse response;

    weft__registry__v1__entry__init(&entry);
    entry.spiffe_id = message_text("spiffe://weft.local/search");
    entry.selectors = list;
    for (int i = 0; i < 3; i++) {
        if (values[i] != NULL) {
            weft__registry__v1__selector__init(&selectors[i]);
            selectors[i].kind = (Weft__Registry__V1__SelectorKind)(i + 1);
            selectors[i].value = message_text(values[i]);
            list[entry.n_selectors++] = &selectors[i];
        }
    }
    weft__registry__v1__watch_entries_response__init(&response);
    response.n_entries = 1;
    response.entries = entries;
    response.bundle = (ProtobufCBinaryData){ 6, (uint8_t *)message_text("bundle") };
    return message_pack(f->arena, &response.base);
}

static status find(struct fixture *f, struct workload *ret_workload)
{
    const struct peer_process process = { .pid = 1 };

    return entries_find(f->entries, f->arena, &process, ret_workload);
}

static void a_process_is_what_all_selectors_of_an_entry_say(void **state)
{
    struct fixture *f = *state;
    struct workload workload;

    assert_status(entries_set(f->entries, encoded_entry(f, "61006", "/opt/search", "abcd")),
                  STATUS_OK);
    assert_int_equal(f->changes, 1);
    f->reader.facts = (struct process_facts){ 61006, "/opt/search", "abcd" };
    assert_status(find(f, &workload), STATUS_OK);
    assert_string_equal(workload.spiffe_id, "spiffe://weft.local/search");
    f->reader.facts = (struct process_facts){ 61007, "/opt/search", "abcd" };
    assert_status(find(f, &workload), STATUS_PERMISSION_DENIED);
    f->reader.facts = (struct process_facts){ 61006, "/opt/other", "abcd" };
    assert_status(find(f, &workload), STATUS_PERMISSION_DENIED);
    f->reader.facts = (struct process_facts){ 61006, "/opt/search", "abce" };
    assert_status(find(f, &workload), STATUS_PERMISSION_DENIED);
}

static void an_entry_that_asks_for_nothing_is_nobody(void **state)
{
    struct fixture *f = *state;
    struct workload workload;

    assert_status(entries_set(f->entries, encoded_entry(f, NULL, NULL, NULL)), STATUS_OK);
    f->reader.facts = (struct process_facts){ 0, "/bin/sh", "" };
    assert_status(find(f, &workload), STATUS_PERMISSION_DENIED);
}

static void a_process_that_went_is_nobody_and_so_is_everybody_before_the_entries(void **state)
{
    struct fixture *f = *state;
    struct workload workload;

    assert_status(find(f, &workload), STATUS_UNAVAILABLE);
    assert_status(entries_set(f->entries, encoded_entry(f, "0", NULL, NULL)), STATUS_OK);
    f->reader.code = STATUS_NOT_FOUND;
    assert_status(find(f, &workload), STATUS_NOT_FOUND);
}

static void the_last_entries_are_there_after_a_restart_and_garbage_is_not(void **state)
{
    struct fixture *f = *state;
    struct workload workload;

    assert_status(
        files_replace(&f->files.files, f->arena, "entries", encoded_entry(f, "5", NULL, NULL)),
        STATUS_OK);
    entries_free(f->entries);
    f->entries = open_entries(f);
    f->reader.facts = (struct process_facts){ 5, "", "" };
    assert_status(find(f, &workload), STATUS_OK);
    assert_int_equal(entries_bundle(f->entries, f->arena).size, 6);
    assert_status(files_replace(&f->files.files, f->arena, "entries",
                                (bytes){ (const uint8_t *)"\xff\xff", 2 }),
                  STATUS_OK);
    entries_free(f->entries);
    f->entries = open_entries(f);
    assert_status(find(f, &workload), STATUS_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_process_is_what_all_selectors_of_an_entry_say),
        TEST(an_entry_that_asks_for_nothing_is_nobody),
        TEST(a_process_that_went_is_nobody_and_so_is_everybody_before_the_entries),
        TEST(the_last_entries_are_there_after_a_restart_and_garbage_is_not),
    };

    return cmocka_run_group_tests_name("entries", tests, NULL, NULL);
}
