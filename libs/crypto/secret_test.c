#include "libs/crypto/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct witness {
    const uint8_t *secret;
    uint8_t seen[16];
};

/* Deferred before the secret was made, so it runs after the wiping and before the arena's memory
 * is given back. */
static void look(void *data)
{
    struct witness *witness = data;

    memcpy(witness->seen, witness->secret, sizeof witness->seen);
}

static void a_secret_is_zeros_when_its_arena_goes(void **state)
{
    static const uint8_t zeros[16];
    struct arena *arena = arena_new();
    struct witness witness = { .seen = { 1 } };

    (void)state;
    arena_defer(arena, look, &witness);
    witness.secret =
        secret_copy(arena, (bytes){ .data = (const uint8_t *)"0123456789abcdef", .size = 16 });
    assert_memory_equal(witness.secret, "0123456789abcdef", 17);
    arena_free(arena);
    assert_memory_equal(witness.seen, zeros, 16);
}

static void an_empty_secret_is_one_too(void **state)
{
    struct arena *arena = arena_new();

    (void)state;
    assert_string_equal((const char *)secret_copy(arena, (bytes){ 0 }), "");
    arena_free(arena);
}

static void what_came_as_bytes_can_be_wiped(void **state)
{
    static const uint8_t zeros[4];
    uint8_t data[5] = { 1, 2, 3, 4, 5 };

    (void)state;
    secret_wipe((bytes){ data, 4 });
    assert_memory_equal(data, zeros, 4);
    assert_int_equal(data[4], 5);
    secret_wipe((bytes){ 0 });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_zeros_when_its_arena_goes),
        cmocka_unit_test(an_empty_secret_is_one_too),
        cmocka_unit_test(what_came_as_bytes_can_be_wiped),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
