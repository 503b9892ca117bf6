#include "libs/audit/event.h"

#include "libs/testing/assert_status.h"

#include <string.h>

static const struct audit_event whole = {
    .event_id = "01hf0000000000000000000000",
    .time_ms = 1700000000123,
    .tenant_id = "acme",
    .subject = "user:ada",
    .action = "tenant.create",
    .target = "tenant:acme",
    .outcome = AUDIT_DENIED,
    .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
    .data_subject = "user:bob",
    .details = (const struct audit_detail[]){ { "plan", "free" }, { "reason", "caf\xc3\xa9" } },
    .n_details = 2,
};

static void what_is_encoded_is_decoded(void **state)
{
    struct audit_event event;

    assert_status(audit_event_decode(*state, audit_event_encode(*state, &whole), &event),
                  STATUS_OK);
    assert_string_equal(event.event_id, whole.event_id);
    assert_true(event.time_ms == whole.time_ms);
    assert_string_equal(event.tenant_id, "acme");
    assert_string_equal(event.subject, "user:ada");
    assert_string_equal(event.action, "tenant.create");
    assert_string_equal(event.target, "tenant:acme");
    assert_int_equal(event.outcome, AUDIT_DENIED);
    assert_string_equal(event.trace_id, whole.trace_id);
    assert_string_equal(event.data_subject, "user:bob");
    assert_int_equal(event.n_details, 2);
    assert_string_equal(event.details[1].key, "reason");
    assert_string_equal(event.details[1].value, "caf\xc3\xa9");
}

static void what_is_cut_short_is_no_event(void **state)
{
    bytes data = audit_event_encode(*state, &whole);
    struct audit_event event;

    for (size_t size = 0; size < data.size; size++) {
        assert_status(audit_event_decode(*state, (bytes){ data.data, size }, &event),
                      STATUS_DATA_LOSS);
    }
}

static void text_that_is_no_utf8_is_no_event(void **state)
{
    struct audit_event event = whole;

    event.target = "tenant:\xff";
    assert_status(audit_event_decode(*state, audit_event_encode(*state, &event), &event),
                  STATUS_DATA_LOSS);
}

static void a_later_program_may_add_fields(void **state)
{
    bytes data = audit_event_encode(*state, &whole);
    uint8_t *longer = arena_alloc(*state, data.size + 3);
    struct audit_event event;

    memcpy(longer, data.data, data.size);
    assert_status(audit_event_decode(*state, (bytes){ longer, data.size + 3 }, &event), STATUS_OK);
    assert_string_equal(event.data_subject, "user:bob");
    longer[0] = 2;
    assert_status(audit_event_decode(*state, (bytes){ longer, data.size + 3 }, &event),
                  STATUS_FAILED_PRECONDITION);
}

/* An 'e' with an accent has two bytes, of which a cut may not leave one. */
static const char *long_text(struct arena *arena, size_t n_characters)
{
    char *text = arena_alloc(arena, 2 * n_characters + 1);

    for (size_t i = 0; i < n_characters; i++) {
        text[2 * i] = '\xc3';
        text[2 * i + 1] = '\xa9';
    }
    return text;
}

static void what_is_too_long_is_cut_at_a_character(void **state)
{
    struct audit_detail many[AUDIT_MAX_DETAILS + 1];
    struct audit_event event = whole;

    for (size_t i = 0; i < AUDIT_MAX_DETAILS + 1; i++) {
        many[i] = (struct audit_detail){ "key", long_text(*state, 1000) };
    }
    event.target = long_text(*state, AUDIT_MAX_TARGET);
    event.action = long_text(*state, AUDIT_MAX_ACTION / 2);
    event.details = many;
    event.n_details = AUDIT_MAX_DETAILS + 1;
    struct audit_event fitted = audit_event_fit(*state, &event);
    assert_int_equal(strlen(fitted.target), AUDIT_MAX_TARGET - 1);
    assert_string_equal(fitted.target + AUDIT_MAX_TARGET - 6, "\xc3\xa9\xe2\x80\xa6");
    assert_ptr_equal(fitted.action, event.action); /* just fits */
    assert_int_equal(fitted.n_details, AUDIT_MAX_DETAILS);
    assert_true(strlen(fitted.details[0].value) <= AUDIT_MAX_DETAIL);
    assert_status(audit_event_decode(*state, audit_event_encode(*state, &fitted), &event),
                  STATUS_OK);
}

static int set_up(void **state)
{
    *state = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_encoded_is_decoded),
        TEST(what_is_cut_short_is_no_event),
        TEST(text_that_is_no_utf8_is_no_event),
        TEST(a_later_program_may_add_fields),
        TEST(what_is_too_long_is_cut_at_a_character),
    };

    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
