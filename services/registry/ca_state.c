#include "services/registry/ca_state.h"

#include "libs/crypto/pem.h"
#include "libs/crypto/secret.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"

#include <stdlib.h>
#include <string.h>

static const char pepper_label[] = "WEFT PEPPER";
static const char key_label[] = "PRIVATE KEY";
static const char certificate_label[] = "CERTIFICATE";

static status damaged(struct arena *arena, const char *what)
{
    return status_error(arena, STATUS_DATA_LOSS, "the authority's file is damaged: %s", what);
}

/* ---- Reading ---- */

static void free_key(void *key)
{
    p256_key_free(key);
}

static status read_blocks(struct arena *arena, bytes text, const char *label, size_t max,
                          struct der_list *ret_list)
{
    status s = pem_decode(arena, text, label, ret_list);

    if (!status_is_ok(s) || ret_list->n_values == 0 || ret_list->n_values > max) {
        return damaged(arena, arena_printf(arena, "blocks '%s'", label));
    }
    return status_ok();
}

static status read_pepper(struct arena *arena, bytes text, struct ca_state *state)
{
    struct der_list list;

    TRY(read_blocks(arena, text, pepper_label, 1, &list));
    if (list.values[0].size != sizeof state->pepper.data) {
        return damaged(arena, "the pepper");
    }
    memcpy(state->pepper.data, list.values[0].data, sizeof state->pepper.data);
    return status_ok();
}

static status read_authorities(struct arena *arena, bytes text, const char *trust_domain,
                               struct ca_state *state)
{
    struct der_list list;

    TRY(read_blocks(arena, text, certificate_label, CA_MAX_AUTHORITIES, &list));
    for (size_t i = 0; i < list.n_values; i++) {
        struct x509_certificate certificate;
        if (!status_is_ok(x509_parse_authority(state->arena, list.values[i], &certificate))) {
            return damaged(arena, "a certificate is none of an authority");
        }
        if (strcmp(certificate.id.trust_domain, trust_domain) != 0) {
            return status_error(arena, STATUS_FAILED_PRECONDITION,
                                "the authority's file is of trust domain '%s', not '%s'",
                                certificate.id.trust_domain, trust_domain);
        }
        state->authorities[state->n_authorities++] = (struct ca_authority){
            .certificate = certificate.der,
            .made_ms = certificate.not_before_ms + X509_BACKDATE_MS,
            .not_after_ms = certificate.not_after_ms,
        };
    }
    return status_ok();
}

/* The authority of state that has this public key, or NULL. */
static struct ca_authority *authority_with(struct arena *arena, struct ca_state *state, bytes spki)
{
    for (size_t i = 0; i < state->n_authorities; i++) {
        struct x509_certificate certificate;
        if (status_is_ok(
                x509_parse_authority(arena, state->authorities[i].certificate, &certificate)) &&
            certificate.spki.size == spki.size &&
            memcmp(certificate.spki.data, spki.data, spki.size) == 0) {
            return &state->authorities[i];
        }
    }
    return NULL;
}

static status read_keys(struct arena *arena, bytes text, struct ca_state *state)
{
    struct der_list list;

    TRY(read_blocks(arena, text, key_label, CA_MAX_AUTHORITIES, &list));
    for (size_t i = 0; i < list.n_values; i++) {
        struct p256_key *key = NULL;
        if (!status_is_ok(p256_key_parse(arena, list.values[i], &key))) {
            return damaged(arena, "a key is none of P-256");
        }
        arena_defer(state->arena, free_key, key);
        struct ca_authority *authority = authority_with(arena, state, p256_key_spki(key, arena));
        if (authority == NULL) {
            return damaged(arena, "a key has no certificate");
        }
        authority->key = key;
    }
    return state->authorities[0].key != NULL ? status_ok()
                                             : damaged(arena, "the one that signs has no key");
}

static status read_state(struct arena *arena, bytes text, const char *trust_domain,
                         struct ca_state *state)
{
    TRY(read_pepper(arena, text, state));
    TRY(read_authorities(arena, text, trust_domain, state));
    return read_keys(arena, text, state);
}

status ca_state_parse(struct arena *arena, bytes text, const char *trust_domain,
                      struct ca_state **ret_state)
{
    struct ca_state *state = calloc(1, sizeof *state);

    if (state == NULL) {
        abort();
    }
    state->arena = arena_new();
    status s = read_state(arena, text, trust_domain, state);
    if (!status_is_ok(s)) {
        ca_state_free(state);
        return s;
    }
    *ret_state = state;
    return status_ok();
}

void ca_state_free(struct ca_state *state)
{
    if (state != NULL) {
        arena_free(state->arena); /* and with it the keys */
        explicit_bzero(&state->pepper, sizeof state->pepper);
        free(state);
    }
}

/* ---- Writing ---- */

/* Joins what is secret without leaving copies behind, as a growing text would. */
static bytes join(struct arena *arena, const char *const *parts, size_t n_parts)
{
    size_t size = 0;

    for (size_t i = 0; i < n_parts; i++) {
        size += strlen(parts[i]);
    }
    uint8_t *text = secret_alloc(arena, size + 1);
    uint8_t *at = text;
    for (size_t i = 0; i < n_parts; i++) {
        memcpy(at, parts[i], strlen(parts[i]));
        at += strlen(parts[i]);
    }
    return (bytes){ .data = text, .size = size };
}

bytes ca_state_format(struct arena *arena, const struct api_key_pepper *pepper,
                      const struct ca_authority *authorities, size_t n_authorities)
{
    const char *parts[1 + 2 * CA_MAX_AUTHORITIES];
    size_t n = 0;

    parts[n++] = pem_encode(arena, pepper_label, (bytes){ pepper->data, sizeof pepper->data });
    for (size_t i = 0; i < n_authorities; i++) {
        if (authorities[i].key != NULL) {
            parts[n++] = p256_key_pem(authorities[i].key, arena);
        }
    }
    for (size_t i = 0; i < n_authorities; i++) {
        parts[n++] = pem_encode(arena, certificate_label, authorities[i].certificate);
    }
    return join(arena, parts, n);
}

/* ---- Asking ---- */

bytes ca_state_bundle(const struct ca_state *state, struct arena *arena)
{
    bytes certificates[CA_MAX_AUTHORITIES];

    for (size_t i = 0; i < state->n_authorities; i++) {
        certificates[i] = state->authorities[i].certificate;
    }
    return x509_join(
        arena, &(struct der_list){ .values = certificates, .n_values = state->n_authorities });
}

const struct ca_authority *ca_state_next(const struct ca_state *state)
{
    for (size_t i = 1; i < state->n_authorities; i++) {
        if (state->authorities[i].key != NULL) {
            return &state->authorities[i];
        }
    }
    return NULL;
}
