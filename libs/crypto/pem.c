#include "libs/crypto/pem.h"

#include "libs/crypto/secret.h"

#include <mbedtls/pem.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

char *pem_encode(struct arena *arena, const char *label, bytes der)
{
    const char *header = arena_printf(arena, "-----BEGIN %s-----\n", label);
    const char *footer = arena_printf(arena, "-----END %s-----\n", label);
    size_t size = 0;

    (void)mbedtls_pem_write_buffer(header, footer, der.data, der.size, NULL, 0, &size);
    uint8_t *pem = secret_alloc(arena, size);
    if (mbedtls_pem_write_buffer(header, footer, der.data, der.size, pem, size, &size) != 0) {
        abort(); /* only without memory */
    }
    return (char *)pem;
}

static status block_at(struct arena *arena, const uint8_t *text, const char *label, bytes *ret_der,
                       size_t *ret_used)
{
    const char *header = arena_printf(arena, "-----BEGIN %s-----", label);
    const char *footer = arena_printf(arena, "-----END %s-----", label);
    mbedtls_pem_context pem;

    mbedtls_pem_init(&pem);
    bool good = mbedtls_pem_read_buffer(&pem, header, footer, text, NULL, 0, ret_used) == 0 &&
                pem.buflen > 0;
    if (good) {
        bytes der = { .data = pem.buf, .size = pem.buflen };
        *ret_der = (bytes){ .data = secret_copy(arena, der), .size = der.size };
    }
    mbedtls_pem_free(&pem); /* wipes it */
    return good ? status_ok()
                : status_error(arena, STATUS_INVALID_ARGUMENT, "a block '%s' is broken", label);
}

status pem_decode(struct arena *arena, bytes text, const char *label, struct der_list *ret_list)
{
    const char *begin = arena_printf(arena, "-----BEGIN %s-----", label);
    const uint8_t *at = secret_copy(arena, text);
    bytes *values = ARENA_NEW_ARRAY(arena, bytes, PEM_MAX_BLOCKS);
    size_t n = 0;

    while (strstr((const char *)at, begin) != NULL) {
        size_t used = 0;
        if (n == PEM_MAX_BLOCKS) {
            return status_error(arena, STATUS_RESOURCE_EXHAUSTED, "more than %d blocks '%s'",
                                PEM_MAX_BLOCKS, label);
        }
        TRY(block_at(arena, at, label, &values[n], &used));
        at += used;
        n++;
    }
    *ret_list = (struct der_list){ .values = values, .n_values = n };
    return status_ok();
}
