#include "services/audit/audit_record.h"

#include "libs/audit/audit_leaf.h"
#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static const struct audit_detail details[] = { { "plan", "pro" }, { "note", "two\nlines\t\"q\"" } };

static struct audit_record plain(void)
{
    return (struct audit_record){
        .event_id = "01hf3w5g6h7j8k9m0n1p2q3r4s",
        .time_ms = 1700000000123,
        .tenant_id = "acme",
        .actor = "sa:publisher",
        .action = "tenant.create",
        .target = "tenant:acme",
        .outcome = AUDIT_DONE,
        .trace_id = "0123456789abcdef0123456789abcdef",
        .service = "tenant",
        .data_subject = "",
        .details = details,
        .n_details = 2,
        .append_time_ms = 1700000000125,
    };
}

static void an_event_is_the_same_after_being_text(void **state)
{
    const struct audit_record event = plain();
    struct audit_record got;
    bytes text = audit_record_encode(*state, &event);

    assert_status(audit_record_check(*state, &event), STATUS_OK);
    assert_status(audit_record_decode(*state, text, &got), STATUS_OK);
    assert_string_equal(got.event_id, event.event_id);
    assert_int_equal(got.time_ms, event.time_ms);
    assert_string_equal(got.tenant_id, "acme");
    assert_string_equal(got.actor, "sa:publisher");
    assert_string_equal(got.action, "tenant.create");
    assert_string_equal(got.target, "tenant:acme");
    assert_int_equal(got.outcome, AUDIT_DONE);
    assert_string_equal(got.trace_id, event.trace_id);
    assert_string_equal(got.service, "tenant");
    assert_string_equal(got.data_subject, "sa:publisher"); /* the actor, when nobody else is */
    assert_int_equal(got.append_time_ms, 1700000000125);
    assert_int_equal(got.n_details, 2);
    assert_string_equal(got.details[1].key, "note");
    assert_string_equal(got.details[1].value, "two\nlines\t\"q\"");
}

static char *long_text(struct arena *arena, size_t size)
{
    char *text = arena_alloc(arena, size + 1);

    memset(text, 'x', size);
    return text;
}

/* Each field as long as it may be, and one byte longer. */
static void every_field_has_its_limit(void **state)
{
    struct audit_record event = plain();
    const struct {
        const char **field;
        const char *name;
        size_t limit;
    } cases[] = {
        { &event.event_id, "event_id", RECORD_MAX_EVENT_ID_BYTES },
        { &event.tenant_id, "tenant_id", RECORD_MAX_TENANT_BYTES },
        { &event.actor, "actor", RECORD_MAX_ACTOR_BYTES },
        { &event.action, "action", RECORD_MAX_ACTION_BYTES },
        { &event.target, "target", RECORD_MAX_TARGET_BYTES },
        { &event.service, "service", RECORD_MAX_SERVICE_BYTES },
        { &event.data_subject, "data_subject", RECORD_MAX_ACTOR_BYTES },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *before = *cases[i].field;
        *cases[i].field = long_text(*state, cases[i].limit);
        assert_status(audit_record_check(*state, &event), STATUS_OK);
        *cases[i].field = long_text(*state, cases[i].limit + 1);
        status s = audit_record_check(*state, &event);
        assert_status(s, STATUS_INVALID_ARGUMENT);
        assert_string_equal(s.details->field.field, cases[i].name);
        *cases[i].field = before;
    }
}

static void what_is_not_well_formed_is_named(void **state)
{
    struct audit_record event = plain();
    const struct {
        const char **field;
        const char *text;
    } cases[] = {
        { &event.event_id, "" },     { &event.event_id, "a b" },
        { &event.action, "" },       { &event.actor, "line\n" },
        { &event.target, "\x7f" },   { &event.tenant_id, "\xff" },
        { &event.trace_id, "0123" }, { &event.trace_id, "0123456789ABCDEF0123456789abcdef" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *before = *cases[i].field;
        *cases[i].field = cases[i].text;
        assert_status(audit_record_check(*state, &event), STATUS_INVALID_ARGUMENT);
        *cases[i].field = before;
    }
    event.outcome = (enum audit_outcome)0;
    assert_status(audit_record_check(*state, &event), STATUS_INVALID_ARGUMENT);
    event.outcome = AUDIT_FAILED;
    event.time_ms = -1;
    assert_status(audit_record_check(*state, &event), STATUS_INVALID_ARGUMENT);
}

static void details_have_limits_too(void **state)
{
    struct audit_record event = plain();
    struct audit_detail many[RECORD_MAX_DETAILS + 1];

    for (int i = 0; i <= RECORD_MAX_DETAILS; i++) {
        many[i] = (struct audit_detail){ arena_printf(*state, "key %d", i), "" };
    }
    event.details = many;
    event.n_details = RECORD_MAX_DETAILS;
    assert_status(audit_record_check(*state, &event), STATUS_OK);
    event.n_details++;
    assert_status(audit_record_check(*state, &event), STATUS_INVALID_ARGUMENT);

    event.n_details = 1;
    many[0] = (struct audit_detail){ "key", long_text(*state, RECORD_MAX_DETAILS_BYTES - 3) };
    assert_status(audit_record_check(*state, &event), STATUS_OK);
    many[0].key = "keys";
    assert_status(audit_record_check(*state, &event), STATUS_INVALID_ARGUMENT);
    many[0] = (struct audit_detail){ "", "no key" };
    assert_status(audit_record_check(*state, &event), STATUS_INVALID_ARGUMENT);
    many[0] = (struct audit_detail){ long_text(*state, RECORD_MAX_DETAIL_KEY_BYTES + 1), "" };
    assert_status(audit_record_check(*state, &event), STATUS_INVALID_ARGUMENT);
    many[0] = (struct audit_detail){ "twice", "" };
    many[1] = (struct audit_detail){ "twice", "" };
    event.n_details = 2;
    assert_status(audit_record_check(*state, &event), STATUS_INVALID_ARGUMENT);
}

static char *quotes(struct arena *arena, size_t size)
{
    char *text = long_text(arena, size);

    memset(text, '"', size);
    return text;
}

static void the_largest_event_there_can_be_fits_into_a_leaf(void **state)
{
    struct audit_record event = plain();
    struct audit_detail many[RECORD_MAX_DETAILS];
    size_t each = RECORD_MAX_DETAILS_BYTES / RECORD_MAX_DETAILS;

    for (size_t i = 0; i < RECORD_MAX_DETAILS; i++) {
        many[i].key = arena_printf(*state, "%02zu%s", i, quotes(*state, 8));
        many[i].value = quotes(*state, each - 10);
    }
    event.tenant_id = quotes(*state, RECORD_MAX_TENANT_BYTES);
    event.actor = quotes(*state, RECORD_MAX_ACTOR_BYTES);
    event.action = quotes(*state, RECORD_MAX_ACTION_BYTES);
    event.target = quotes(*state, RECORD_MAX_TARGET_BYTES);
    event.service = quotes(*state, RECORD_MAX_SERVICE_BYTES);
    event.data_subject = quotes(*state, RECORD_MAX_ACTOR_BYTES);
    event.time_ms = INT64_MAX;
    event.append_time_ms = INT64_MAX;
    event.details = many;
    event.n_details = RECORD_MAX_DETAILS;
    assert_status(audit_record_check(*state, &event), STATUS_OK);
    assert_true(audit_record_encode(*state, &event).size <= AUDIT_LEAF_MAX_TEXT);
}

static void secrets_are_taken_out(void **state)
{
    static const struct audit_detail given[] = {
        { "Password", "hunter2" },
        { "client_secret", "s" },
        { "header", "Bearer abc" },
        { "note", "eyJhbGciOi.eyJzdWIi.sig" },
        { "pem", "-----BEGIN PRIVATE KEY-----" },
        { "plan", "pro" },
        { "version", "eyJ.no" },
    };
    struct audit_record event = plain();

    event.details = given;
    event.n_details = 7;
    struct audit_record redacted = audit_record_clean(*state, &event);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(redacted.details[i].value, "[redacted]");
        assert_string_equal(redacted.details[i].key, given[i].key);
    }
    assert_string_equal(redacted.details[5].value, "pro");
    assert_string_equal(redacted.details[6].value, "eyJ.no");
}

static void control_characters_become_question_marks(void **state)
{
    static const struct audit_detail given[] = { { "a\tb", "line\n\x01" } };
    struct audit_record event = plain();

    event.actor = "eve\nuser:ada";
    event.details = given;
    event.n_details = 1;
    struct audit_record clean = audit_record_clean(*state, &event);
    assert_string_equal(clean.actor, "eve?user:ada");
    assert_string_equal(clean.details[0].key, "a?b");
    assert_string_equal(clean.details[0].value, "line\n?");
    assert_status(audit_record_check(*state, &clean), STATUS_OK);
}

static void what_is_no_event_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "[]",
        "{",
        "{}",
        "{\"event_id\":\"a\",\"action\":\"b\"}",
        "{\"event_id\":\"a\",\"event_id\":\"a\",\"action\":\"b\",\"outcome\":\"done\"}",
    };
    struct audit_record event;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_status(audit_record_decode(*state, bytes_of(cases[i]), &event), STATUS_DATA_LOSS);
    }
    assert_status(
        audit_record_decode(
            *state,
            bytes_of("{\"event_id\":\"a\",\"action\":\"b\",\"outcome\":\"done\",\"new\":[1]}"),
            &event),
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
        TEST(an_event_is_the_same_after_being_text),
        TEST(every_field_has_its_limit),
        TEST(what_is_not_well_formed_is_named),
        TEST(details_have_limits_too),
        TEST(the_largest_event_there_can_be_fits_into_a_leaf),
        TEST(secrets_are_taken_out),
        TEST(control_characters_become_question_marks),
        TEST(what_is_no_event_is_refused),
    };

    return cmocka_run_group_tests_name("audit_record", tests, NULL, NULL);
}
