#include "libs/base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, appendix B.4, and the customary check value. */
static void gives_the_values_that_are_published(void **state)
{
    uint8_t zeros[32] = { 0 };
    uint8_t ones[32];
    uint8_t rising[32];

    (void)state;
    memset(ones, 0xff, sizeof ones);
    for (size_t i = 0; i < sizeof rising; i++) {
        rising[i] = (uint8_t)i;
    }
    assert_int_equal(crc32c((bytes){ zeros, sizeof zeros }), 0x8a9136aa);
    assert_int_equal(crc32c((bytes){ ones, sizeof ones }), 0x62a8ab43);
    assert_int_equal(crc32c((bytes){ rising, sizeof rising }), 0x46dd794e);
    assert_int_equal(crc32c((bytes){ (const uint8_t *)"123456789", 9 }), 0xe3069283);
}

static void pieces_give_the_same_as_the_whole(void **state)
{
    const uint8_t *text = (const uint8_t *)"a sentence that is longer than eight bytes";

    (void)state;
    for (size_t cut = 0; cut <= 42; cut++) {
        uint32_t crc = crc32c_add(crc32c((bytes){ text, cut }), (bytes){ text + cut, 42 - cut });
        assert_int_equal(crc, crc32c((bytes){ text, 42 }));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_values_that_are_published),
        cmocka_unit_test(pieces_give_the_same_as_the_whole),
    };

    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
