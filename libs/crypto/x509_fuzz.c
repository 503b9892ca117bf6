#include "libs/crypto/x509.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is whole, and of one kind only. */
static void read_one(struct arena *arena, bytes der)
{
    struct x509_certificate svid, authority;

    if (status_is_ok(x509_parse_svid(arena, der, &svid))) {
        assert(svid.der.size == der.size && memcmp(svid.der.data, der.data, der.size) == 0);
        assert(spiffe_id_names_workload(&svid.id));
        assert(!status_is_ok(x509_parse_authority(arena, der, &authority)));
    }
}

/* A certificate, a chain, a request; and nobody is believed by his own word. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    const bytes input = { .data = data, .size = size };
    struct x509_certificate svid;
    struct der_list list;
    bytes spki;

    read_one(arena, input);
    if (status_is_ok(x509_split(arena, input, &list))) {
        bytes chain = x509_join(arena, &list);
        assert(chain.size == size && memcmp(chain.data, data, size) == 0);
    }
    const struct x509_verify_options options = {
        .chain = input,
        .bundle = input,
        .trust_domain = "weft",
        .now_ms = 1795000000000,
    };
    assert(!status_is_ok(x509_verify(arena, &options, &svid)));
    if (status_is_ok(x509_parse_request(arena, input, &spki))) {
        assert(spki.size == 91);
    }
    arena_free(arena);
    return 0;
}
