#include "services/registry/ca_state.h"

#include "libs/base/text.h"
#include "libs/crypto/pem.h"
#include "libs/crypto/x509_issue.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static const int64_t now_ms = 1795000000000;

struct fixture {
    struct arena *arena;
    struct api_key_pepper pepper;
    struct p256_key *keys[2];
    struct ca_authority authorities[2];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->arena = arena_new();
    f->pepper.data[0] = 7;
    for (size_t i = 0; i < 2; i++) {
        f->keys[i] = p256_key_generate(&system_random);
        f->authorities[i].key = f->keys[i];
        assert_status(x509_issue_authority(f->arena,
                                           &(struct x509_authority_options){
                                               .random = &system_random,
                                               .key = f->keys[i],
                                               .trust_domain = "weft",
                                               .now_ms = now_ms,
                                               .lifetime_ms = 1000000,
                                           },
                                           &f->authorities[i].certificate),
                      STATUS_OK);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    p256_key_free(f->keys[0]);
    p256_key_free(f->keys[1]);
    arena_free(f->arena);
    free(f);
    return 0;
}

static const char *text_of(struct fixture *f, size_t n)
{
    return (const char *)ca_state_format(f->arena, &f->pepper, f->authorities, n).data;
}

static void what_was_written_is_read(void **state)
{
    struct fixture *f = *state;
    struct ca_state *read = NULL;

    assert_status(ca_state_parse(f->arena, bytes_of(text_of(f, 2)), "weft", &read), STATUS_OK);
    assert_int_equal(read->n_authorities, 2);
    assert_int_equal(read->pepper.data[0], 7);
    assert_int_equal(read->authorities[0].made_ms, now_ms);
    assert_int_equal(read->authorities[0].not_after_ms, now_ms + 1000000);
    for (size_t i = 0; i < 2; i++) {
        assert_memory_equal(p256_public_point(p256_key_public(read->authorities[i].key)),
                            p256_public_point(p256_key_public(f->keys[i])), P256_POINT_BYTES);
    }
    assert_ptr_equal(ca_state_next(read), &read->authorities[1]);
    bytes again = ca_state_format(f->arena, &read->pepper, read->authorities, read->n_authorities);
    assert_string_equal(again.data, text_of(f, 2));
    ca_state_free(read);
}

static void one_without_a_key_is_a_previous_one(void **state)
{
    struct fixture *f = *state;
    struct ca_state *read = NULL;

    f->authorities[1].key = NULL;
    assert_status(ca_state_parse(f->arena, bytes_of(text_of(f, 2)), "weft", &read), STATUS_OK);
    assert_null(ca_state_next(read));
    assert_int_equal(ca_state_bundle(read, f->arena).size,
                     f->authorities[0].certificate.size + f->authorities[1].certificate.size);
    ca_state_free(read);
}

static const char *without(struct fixture *f, const char *text, const char *label)
{
    const char *start = strstr(text, arena_printf(f->arena, "-----BEGIN %s-----", label));
    const char *end = strstr(start, "-----END");

    end = strchr(end, '\n') + 1;
    return arena_printf(f->arena, "%.*s%s", (int)(start - text), text, end);
}

static void what_is_damaged_is_not_used(void **state)
{
    struct fixture *f = *state;
    const char *good = text_of(f, 1);
    f->authorities[0].key = f->keys[1];
    const char *crossed = text_of(f, 1);
    f->authorities[0].key = NULL;
    const char *keyless = text_of(f, 1);
    f->authorities[0].key = f->keys[0];
    const struct {
        const char *text;
        const char *message;
    } cases[] = {
        { "", "'WEFT PEPPER'" },
        { without(f, good, "WEFT PEPPER"), "'WEFT PEPPER'" },
        { without(f, good, "PRIVATE KEY"), "'PRIVATE KEY'" },
        { without(f, good, "CERTIFICATE"), "'CERTIFICATE'" },
        { arena_printf(f->arena, "%s%s", good, pem_encode(f->arena, "WEFT PEPPER", bytes_of("x"))),
          "'WEFT PEPPER'" },
        { arena_printf(f->arena, "%s%s", without(f, good, "WEFT PEPPER"),
                       pem_encode(f->arena, "WEFT PEPPER", bytes_of("short"))),
          "the pepper" },
        { arena_printf(f->arena, "%s%s", good,
                       pem_encode(f->arena, "CERTIFICATE", bytes_of("none"))),
          "none of an authority" },
        { arena_printf(f->arena, "%s%s", good,
                       pem_encode(f->arena, "PRIVATE KEY", bytes_of("none"))),
          "none of P-256" },
        { crossed, "no certificate" },
        { keyless, "'PRIVATE KEY'" },
        { arena_printf(f->arena, "%s%s%s%s%s", good, good, good, good, good), "'WEFT PEPPER'" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ca_state *read = NULL;
        status s = ca_state_parse(f->arena, bytes_of(cases[i].text), "weft", &read);
        if (s.code != STATUS_DATA_LOSS || strstr(s.message, cases[i].message) == NULL) {
            fail_msg("case %zu: %s (%s)", i, status_code_name(s.code), s.message);
        }
    }
}

static void the_first_must_be_able_to_sign(void **state)
{
    struct fixture *f = *state;
    struct ca_state *read = NULL;

    f->authorities[0].key = NULL;
    status s = ca_state_parse(f->arena, bytes_of(text_of(f, 2)), "weft", &read);
    assert_status(s, STATUS_DATA_LOSS);
    assert_non_null(strstr(s.message, "signs has no key"));
}

static void too_many_are_refused(void **state)
{
    struct fixture *f = *state;
    struct ca_state *read = NULL;
    const char *one = pem_encode(f->arena, "CERTIFICATE", f->authorities[1].certificate);
    const char *text = arena_printf(f->arena, "%s%s%s%s", text_of(f, 1), one, one, one);

    assert_status(ca_state_parse(f->arena, bytes_of(text), "weft", &read), STATUS_OK);
    assert_int_equal(read->n_authorities, CA_MAX_AUTHORITIES);
    ca_state_free(read);
    text = arena_printf(f->arena, "%s%s", text, one);
    assert_status(ca_state_parse(f->arena, bytes_of(text), "weft", &read), STATUS_DATA_LOSS);
}

static void another_trust_domain_is_told(void **state)
{
    struct fixture *f = *state;
    struct ca_state *read = NULL;
    status s = ca_state_parse(f->arena, bytes_of(text_of(f, 1)), "other", &read);

    assert_status(s, STATUS_FAILED_PRECONDITION);
    assert_string_equal(s.message, "the authority's file is of trust domain 'weft', not 'other'");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_read),    TEST(one_without_a_key_is_a_previous_one),
        TEST(what_is_damaged_is_not_used), TEST(the_first_must_be_able_to_sign),
        TEST(too_many_are_refused),        TEST(another_trust_domain_is_told),
    };

    return cmocka_run_group_tests_name("ca_state", tests, NULL, NULL);
}
