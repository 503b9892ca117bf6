#include "cli/supervisor/notification.h"

#include "libs/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_service_says_all_in_one_datagram(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct notification said;

    assert_true(
        notification_parse(arena,
                           bytes_of("READY=1\nSTATUS=serving\nX_WEFT_ADDRESS=127.0.0.1:1234\n"
                                    "X_WEFT_HTTP=127.0.0.1:2345\nFDSTORE=1\n"
                                    "X_WEFT_SPIFFE_ID=spiffe://weft.local/tenant\n"
                                    "X_WEFT_VERSION=0.1.0"),
                           &said));
    assert_true(said.ready);
    assert_false(said.stopping);
    assert_string_equal(said.status, "serving");
    assert_string_equal(said.address, "127.0.0.1:1234");
    assert_string_equal(said.http, "127.0.0.1:2345");
    assert_string_equal(said.spiffe_id, "spiffe://weft.local/tenant");
    assert_string_equal(said.version, "0.1.0");
    arena_free(arena);
}

static void what_is_not_said_is_null(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct notification said;

    assert_true(notification_parse(arena, bytes_of("READY=0\nREADY1\n=\n\nSTOPPING=1\n"), &said));
    assert_false(said.ready);
    assert_true(said.stopping);
    assert_null(said.address);
    assert_null(said.status);
    arena_free(arena);
}

static void what_is_no_text_is_refused_whole(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const char *bad[] = { "READY=1\nSTATUS=\x1b[31mred", "READY=1\nSTATUS=\xff", "STATUS=a\tb" };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct notification said = { .address = "before" };
        assert_false(notification_parse(arena, bytes_of(bad[i]), &said));
        assert_string_equal(said.address, "before");
    }
    arena_free(arena);
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct notification said;
    char *longest = arena_alloc(arena, NOTIFICATION_MAX_BYTES + 2);

    memset(longest, 'a', NOTIFICATION_MAX_VALUE_BYTES);
    longest[7] = '='; /* a name that nobody knows */
    assert_true(notification_parse(arena, bytes_of(longest), &said));
    longest[NOTIFICATION_MAX_VALUE_BYTES] = 'a';
    assert_false(notification_parse(arena, bytes_of(longest), &said));
    memset(longest, '\n', NOTIFICATION_MAX_BYTES + 1);
    assert_false(notification_parse(arena, bytes_of(longest), &said));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_says_all_in_one_datagram),
        cmocka_unit_test(what_is_not_said_is_null),
        cmocka_unit_test(what_is_no_text_is_refused_whole),
        cmocka_unit_test(what_is_too_long_is_refused),
    };

    return cmocka_run_group_tests_name("notification", tests, NULL, NULL);
}
