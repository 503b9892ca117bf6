#include "services/agent/agent_identity.h"

#include "libs/base/text.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/pem.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"
#include "libs/mesh/identity.h"
#include "libs/peers/ca_peer.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_FILE_BYTES = 256 * 1024 };

static const int64_t RENEW_AFTER_MS = (int64_t)8 * 3600 * 1000;

struct own {
    bytes key;   /* PKCS #8 */
    bytes chain; /* DER */
    struct x509_certificate svid;
};

static status read_own(const struct agent_identity_options *self, struct arena *arena,
                       struct own *ret_own)
{
    struct der_list keys;
    struct der_list certificates;
    bytes pem;

    TRY(files_read(self->files, arena, IDENTITY_SVID_FILE, MAX_FILE_BYTES, &pem));
    TRY(pem_decode(arena, pem, "PRIVATE KEY", &keys));
    TRY(x509_from_pem(arena, pem, &ret_own->chain));
    TRY(x509_split(arena, ret_own->chain, &certificates));
    ret_own->key = keys.values[0];
    return x509_parse_svid(arena, certificates.values[0], &ret_own->svid);
}

enum agent_identity_state agent_identity_state(const struct agent_identity_options *self,
                                               struct arena *arena)
{
    int64_t now_ms = clock_wall_ms(self->clock);
    struct own own;

    if (!status_is_ok(read_own(self, arena, &own))) {
        return AGENT_HAS_NONE;
    }
    if (own.svid.not_after_ms <= now_ms) {
        return AGENT_HAS_EXPIRED;
    }
    return now_ms > own.svid.not_before_ms + RENEW_AFTER_MS ? AGENT_IS_DUE : AGENT_IS_GOOD;
}

/* ---- A new key, a request for it, and the files that come of the answer ---- */

struct fresh {
    bytes key;
    bytes csr;
};

static status make_request(const struct agent_identity_options *self, struct arena *arena,
                           struct fresh *ret_fresh)
{
    struct p256_key *key = p256_key_generate(self->random);
    status s = x509_make_request(arena, self->random, key, &ret_fresh->csr);

    ret_fresh->key = p256_key_der(key, arena);
    p256_key_free(key);
    return s;
}

static ProtobufCBinaryData binary(struct arena *arena, bytes data)
{
    ProtobufCBinaryData copy = { .len = data.size, .data = arena_alloc(arena, data.size) };

    memcpy(copy.data, data.data, data.size);
    return copy;
}

static status keep(const struct agent_identity_options *self, struct arena *arena,
                   const struct fresh *fresh, const Weft__Registry__V1__Svid *svid)
{
    return identity_write(self->files, arena,
                          (bytes){ svid->certificate_chain.data, svid->certificate_chain.len },
                          fresh->key, (bytes){ svid->bundle.data, svid->bundle.len });
}

/* ---- Proofs ---- */

static status prove_by_old_key(const struct agent_identity_options *self, struct arena *arena,
                               bytes csr, Weft__Registry__V1__ExpiredSvid *ret_proof)
{
    struct text text = text_new(arena);
    struct p256_key *key = NULL;
    uint8_t signature[P256_SIGNATURE_BYTES];
    struct own own;

    TRY(read_own(self, arena, &own));
    TRY(p256_key_parse(arena, own.key, &key));
    ret_proof->time_ms = clock_wall_ms(self->clock);
    text_add(&text, "weft-reattest%s", self->host_id);
    text_add_bytes(&text, csr);
    text_add(&text, "%" PRId64, ret_proof->time_ms);
    p256_sign(key, text_bytes(&text), signature);
    p256_key_free(key);
    ret_proof->certificate = binary(arena, own.svid.der);
    ret_proof->signature = binary(arena, (bytes){ signature, sizeof signature });
    return status_ok();
}

static status prove(const struct agent_identity_options *self, struct arena *arena, bytes csr,
                    Weft__Registry__V1__AttestAgentRequest *request)
{
    if (agent_identity_state(self, arena) != AGENT_HAS_NONE) {
        request->expired_svid = ARENA_NEW(arena, Weft__Registry__V1__ExpiredSvid);
        weft__registry__v1__expired_svid__init(request->expired_svid);
        request->proof_case = WEFT__REGISTRY__V1__ATTEST_AGENT_REQUEST__PROOF_EXPIRED_SVID;
        return prove_by_old_key(self, arena, csr, request->expired_svid);
    }
    if (self->join_token[0] == '\0') {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "this host has no certificate and no join token");
    }
    request->proof_case = WEFT__REGISTRY__V1__ATTEST_AGENT_REQUEST__PROOF_JOIN_TOKEN;
    request->join_token = arena_strdup(arena, self->join_token);
    return status_ok();
}

status agent_identity_attest(const struct agent_identity_options *self, struct call *call,
                             struct peer *bootstrap)
{
    Weft__Registry__V1__AttestAgentRequest request;
    const Weft__Registry__V1__AttestAgentResponse *response;
    struct fresh fresh;

    weft__registry__v1__attest_agent_request__init(&request);
    TRY(make_request(self, call->arena, &fresh));
    TRY(prove(self, call->arena, fresh.csr, &request));
    request.host_id = arena_strdup(call->arena, self->host_id);
    request.csr = binary(call->arena, fresh.csr);
    TRY(ca_peer_attest_agent(bootstrap, call, &request, &response));
    return keep(self, call->arena, &fresh, response->svid);
}

status agent_identity_renew(const struct agent_identity_options *self, struct call *call,
                            struct peer *registry)
{
    Weft__Registry__V1__RenewAgentRequest request;
    const Weft__Registry__V1__RenewAgentResponse *response;
    struct fresh fresh;

    weft__registry__v1__renew_agent_request__init(&request);
    TRY(make_request(self, call->arena, &fresh));
    request.csr = binary(call->arena, fresh.csr);
    TRY(ca_peer_renew_agent(registry, call, &request, &response));
    return keep(self, call->arena, &fresh, response->svid);
}
