#include "libs/crypto/pem.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static const uint8_t data[100] = { 0x30, 98, 1, 2, 3, 0, 255 };

static void what_is_encoded_can_be_decoded(void **state)
{
    struct der_list list;

    for (size_t size = 1; size <= sizeof data; size++) {
        const char *pem = pem_encode(*state, "CERTIFICATE", (bytes){ data, size });
        assert_status(pem_decode(*state, bytes_of(pem), "CERTIFICATE", &list), STATUS_OK);
        assert_int_equal(list.n_values, 1);
        assert_int_equal(list.values[0].size, size);
        assert_memory_equal(list.values[0].data, data, size);
    }
}

static void lines_are_of_64_characters(void **state)
{
    const char *pem = pem_encode(*state, "PRIVATE KEY", (bytes){ data, sizeof data });

    assert_memory_equal(pem, "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_int_equal(strchr(pem + 28, '\n') - (pem + 28), 64);
    assert_non_null(strstr(pem, "\n-----END PRIVATE KEY-----\n"));
}

static void several_kinds_may_stand_in_one_text(void **state)
{
    struct der_list certificates, keys, none;
    const char *text = arena_printf(*state, "a remark\n%s%s%sthe end",
                                    pem_encode(*state, "PRIVATE KEY", (bytes){ data, 7 }),
                                    pem_encode(*state, "CERTIFICATE", (bytes){ data, 8 }),
                                    pem_encode(*state, "CERTIFICATE", (bytes){ data, 9 }));

    assert_status(pem_decode(*state, bytes_of(text), "CERTIFICATE", &certificates), STATUS_OK);
    assert_status(pem_decode(*state, bytes_of(text), "PRIVATE KEY", &keys), STATUS_OK);
    assert_status(pem_decode(*state, bytes_of(text), "CERTIFICATE REQUEST", &none), STATUS_OK);
    assert_int_equal(certificates.n_values, 2);
    assert_int_equal(certificates.values[0].size, 8);
    assert_int_equal(certificates.values[1].size, 9);
    assert_int_equal(keys.n_values, 1);
    assert_int_equal(none.n_values, 0);
}

static void a_broken_block_is_refused(void **state)
{
    static const char *const cases[] = {
        "-----BEGIN CERTIFICATE-----\nMAEB\n",
        "-----BEGIN CERTIFICATE-----\nMAEB\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nMA*B\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----MAEB-----END CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nMAEB\n",
        ("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMAEB\n"
         "-----END CERTIFICATE-----\n"),
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct der_list list;
        status s = pem_decode(*state, bytes_of(cases[i]), "CERTIFICATE", &list);
        if (s.code != STATUS_INVALID_ARGUMENT) {
            fail_msg("'%s': got %s", cases[i], status_code_name(s.code));
        }
    }
}

static void there_is_a_limit(void **state)
{
    const char *block = pem_encode(*state, "CERTIFICATE", (bytes){ data, 5 });
    struct text text = text_new(*state);
    struct der_list list;

    for (int i = 0; i < PEM_MAX_BLOCKS; i++) {
        text_add(&text, "%s", block);
    }
    assert_status(pem_decode(*state, text_bytes(&text), "CERTIFICATE", &list), STATUS_OK);
    assert_int_equal(list.n_values, PEM_MAX_BLOCKS);
    text_add(&text, "%s", block);
    assert_status(pem_decode(*state, text_bytes(&text), "CERTIFICATE", &list),
                  STATUS_RESOURCE_EXHAUSTED);
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
        TEST(what_is_encoded_can_be_decoded),
        TEST(lines_are_of_64_characters),
        TEST(several_kinds_may_stand_in_one_text),
        TEST(a_broken_block_is_refused),
        TEST(there_is_a_limit),
    };

    return cmocka_run_group_tests_name("pem", tests, NULL, NULL);
}
