#include "services/registry/entries.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

struct fixture {
    struct arena *arena;
    struct entries *entries;
    struct watcher watcher;
    int wakes;
};

static void count_wake(void *object)
{
    struct fixture *f = object;

    f->wakes++;
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new(), .entries = entries_new("weft") };
    f.watcher = (struct watcher){ .wake = count_wake, .object = &f };
    entries_watch(f.entries, &f.watcher);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    entries_unwatch(f->entries, &f->watcher);
    entries_free(f->entries);
    arena_free(f->arena);
    return 0;
}

static status load(struct fixture *f, const char *json)
{
    return entries_load(f->entries, f->arena, bytes_of(json));
}

static const char two[] =
    "[{\"spiffe_id\":\"spiffe://weft/tenant\",\"dns\":[\"tenant\",\"localhost\"],\"uid\":0},"
    " {\"spiffe_id\":\"spiffe://weft/cli\",\"path\":\"/bin/weft\","
    "\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]";

static void entries_are_read_and_found(void **state)
{
    struct fixture *f = *state;
    const struct entry *entries;
    struct entry entry;
    size_t n;

    assert_status(load(f, two), STATUS_OK);
    assert_int_equal(entries_list(f->entries, f->arena, &entries, &n),
                     entries_revision(f->entries));
    assert_int_equal(n, 2);
    assert_string_equal(entries[0].spiffe_id, "spiffe://weft/tenant");
    assert_int_equal(entries[0].uid, 0);
    assert_int_equal(entries[0].n_dns_names, 2);
    assert_string_equal(entries[0].dns_names[1], "localhost");
    assert_true(entries_find(f->entries, f->arena, "spiffe://weft/cli", &entry));
    assert_int_equal(entry.uid, -1);
    assert_string_equal(entry.path, "/bin/weft");
    assert_int_equal(strlen(entry.sha256), 64);
    assert_false(entries_find(f->entries, f->arena, "spiffe://weft/search", &entry));
}

static void the_same_text_again_is_no_change(void **state)
{
    struct fixture *f = *state;

    assert_status(load(f, two), STATUS_OK);
    uint64_t revision = entries_revision(f->entries);
    assert_status(load(f, two), STATUS_OK);
    assert_int_equal(entries_revision(f->entries), revision);
    assert_int_equal(f->wakes, 1);
    assert_status(load(f, "[]"), STATUS_OK);
    assert_int_equal(entries_revision(f->entries), revision + 1);
    assert_int_equal(f->wakes, 2);
    entries_touch(f->entries);
    assert_int_equal(entries_revision(f->entries), revision + 2);
    assert_int_equal(f->wakes, 3);
}

static void what_is_wrong_changes_nothing_and_is_named(void **state)
{
    static const struct {
        const char *json;
        const char *why;
    } cases[] = {
        { "", "no list" },
        { "{}", "no list" },
        { "[", "no list" },
        { "[{}]", "spiffe_id" },
        { "[{\"spiffe_id\":\"tenant\",\"uid\":1}]", "spiffe_id" },
        { "[{\"spiffe_id\":\"spiffe://weft\",\"uid\":1}]", "spiffe_id" },
        { "[{\"spiffe_id\":\"spiffe://other/tenant\",\"uid\":1}]", "spiffe_id" },
        { "[{\"spiffe_id\":\"spiffe://weft/agent/host-1\",\"uid\":1}]", "agents" },
        { "[{\"spiffe_id\":\"spiffe://weft/a\"}]", "none of" }, /* would match everybody */
        { "[{\"spiffe_id\":\"spiffe://weft/a\",\"uid\":-1}]", "uid" },
        { "[{\"spiffe_id\":\"spiffe://weft/a\",\"uid\":\"0\"}]", "uid" },
        { "[{\"spiffe_id\":\"spiffe://weft/a\",\"path\":\"bin/a\"}]", "path" },
        { "[{\"spiffe_id\":\"spiffe://weft/a\",\"sha256\":\"00\"}]", "sha256" },
        { "[{\"spiffe_id\":\"spiffe://weft/a\",\"uid\":1,\"dns\":\"a\"}]", "dns" },
        { "[{\"spiffe_id\":\"spiffe://weft/a\",\"uid\":1,\"dns\":[1]}]", "dns" },
        { "[{\"spiffe_id\":\"spiffe://weft/a\",\"uid\":1},{}]", "entry 1" },
        { "[{\"spiffe_id\":\"spiffe://weft/a\",\"uid\":1,\"dns\":[\"1\",\"2\",\"3\",\"4\",\"5\","
          "\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]}]",
          "too many" },
    };
    struct fixture *f = *state;

    assert_status(load(f, two), STATUS_OK);
    uint64_t revision = entries_revision(f->entries);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s = load(f, cases[i].json);
        if (s.code != STATUS_INVALID_ARGUMENT || strstr(s.message, cases[i].why) == NULL) {
            fail_msg("'%s': got %s (%s)", cases[i].json, status_code_name(s.code), s.message);
        }
    }
    assert_int_equal(entries_revision(f->entries), revision);
}

static void more_than_the_limit_are_refused(void **state)
{
    struct fixture *f = *state;
    struct text json = text_new(f->arena);

    text_add(&json, "[");
    for (unsigned i = 0; i <= ENTRIES_MAX; i++) {
        text_add(&json, "%s{\"spiffe_id\":\"spiffe://weft/s%u\",\"uid\":%u}", i > 0 ? "," : "", i,
                 i);
    }
    text_add(&json, "]");
    assert_status(load(f, text_string(&json)), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(entries_are_read_and_found),
        TEST(the_same_text_again_is_no_change),
        TEST(what_is_wrong_changes_nothing_and_is_named),
        TEST(more_than_the_limit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
