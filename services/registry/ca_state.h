/* ca_state - the authorities of the mesh and their keys, as they stand in one file.
 *
 *     -----BEGIN WEFT PEPPER-----           what join tokens are hashed with
 *     -----BEGIN PRIVATE KEY-----           one for each authority that signs or will
 *     -----BEGIN CERTIFICATE-----           the one that signs
 *     -----BEGIN CERTIFICATE-----...        others that are believed
 *
 * All in one file, so that one files_replace() takes it from one whole state to the next.  Which
 * authority is which follows from what is there, and needs no field that could contradict it:
 *
 *     the first certificate              signs
 *     another one, with a key            the next: believed already, does not sign yet
 *     another one, without               a previous one: believed until it expires
 *
 * A state never changes once it was read; the text of the one after it is made from it.
 */

#ifndef SERVICES_REGISTRY_CA_STATE_H_
#define SERVICES_REGISTRY_CA_STATE_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/crypto/api_key.h"
#include "libs/crypto/p256.h"

#include <stddef.h>
#include <stdint.h>

enum {
    /* One signs, one is next, and the others expire before there are more: each signs for a
     * year and is believed no longer. */
    CA_MAX_AUTHORITIES = 4,
    /* Of CA_MAX_AUTHORITIES, about 1 KB each. */
    CA_STATE_MAX_BYTES = 16384,
};

struct ca_authority {
    const struct p256_key *key; /* NULL: a previous one */
    bytes certificate;          /* DER */
    int64_t made_ms;            /* when it was made, and came into the bundle */
    int64_t not_after_ms;
};

struct ca_state {
    struct arena *arena; /* of its own; all else is in it */
    struct api_key_pepper pepper;
    struct ca_authority authorities[CA_MAX_AUTHORITIES]; /* the first signs */
    size_t n_authorities;
};

/* Reads what a file says.  The caller owns the state: ca_state_free().
 * DATA_LOSS: it is damaged, and the message says in what; nothing secret is in it.
 * FAILED_PRECONDITION: it is of another trust domain. */
status ca_state_parse(struct arena *arena, bytes text, const char *trust_domain,
                      struct ca_state **ret_state) NONNULL;

/* Wipes the keys.  NULL is allowed. */
void ca_state_free(struct ca_state *state);

/* The text of a state with these authorities.  Secret, wiped with its arena. */
bytes ca_state_format(struct arena *arena, const struct api_key_pepper *pepper,
                      const struct ca_authority *authorities, size_t n_authorities)
    NONNULL_ARGS(1, 2, 3);

/* All certificates, DER, one after the other. */
bytes ca_state_bundle(const struct ca_state *state, struct arena *arena) NONNULL;

/* NULL when there is none. */
const struct ca_authority *ca_state_next(const struct ca_state *state) NONNULL;

#endif
