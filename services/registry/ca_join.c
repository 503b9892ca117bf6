#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/crypto/api_key.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/x509.h"
#include "services/registry/ca_internal.h"
#include "services/registry/ca_store.h"

#include <inttypes.h>
#include <string.h>

static const char token_purpose[] = "join";

static status check_host_id(struct arena *arena, const char *host_id)
{
    size_t size = strspn(host_id, "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (host_id[size] != '\0' || size == 0 || size > CA_MAX_HOST_ID_BYTES || host_id[0] < 'a') {
        return status_bad_field(arena, "host_id",
                                "is not 1 to %d of a-z, 0-9 and '-' after a letter",
                                CA_MAX_HOST_ID_BYTES);
    }
    return status_ok();
}

/* ---- By a token ---- */

/* A copy that lives as long as the write. */
static bytes hash_bytes(struct arena *arena, const struct sha256 *hash)
{
    struct sha256 *copy = ARENA_NEW(arena, struct sha256);

    *copy = *hash;
    return sha256_bytes(copy);
}

status ca_make_join_token(struct ca *ca, struct arena *arena, struct store_write *write,
                          const char *host_id, int64_t lifetime_ms, const char **ret_token)
{
    struct api_key key;

    if (host_id[0] != '\0') {
        TRY(check_host_id(arena, host_id));
    }
    if (lifetime_ms <= 0 || lifetime_ms > CA_TOKEN_MAX_AGE_MS) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "a join token lives for at most 7 days, and not %" PRId64 " ms",
                            lifetime_ms);
    }
    const char *token = api_key_generate(arena, ca->random, token_purpose, &key);
    struct sha256 hash = ca_hash_token(ca, token);
    ca_store_add_join_token(write, &(struct ca_join_token_record){
                                       .token_id = key.id,
                                       .hash = hash_bytes(arena, &hash),
                                       .host_id = host_id,
                                       .expire_time_ms = clock_wall_ms(ca->clock) + lifetime_ms,
                                   });
    *ret_token = token;
    return status_ok();
}

/* One sentence for all, so that nobody learns which tokens there were. */
static status no_token(struct arena *arena)
{
    return status_error(arena, STATUS_UNAUTHENTICATED,
                        "the join token is unknown, used or expired");
}

static bool is_good(struct ca *ca, const struct ca_join_token_record *record,
                    const struct ca_join *join)
{
    struct sha256 given = ca_hash_token(ca, join->token);
    struct sha256 stored;

    if (record->hash.size != sizeof stored.data) {
        return false;
    }
    memcpy(stored.data, record->hash.data, sizeof stored.data);
    return sha256_equal(&given, &stored) && record->use_time_ms == 0 &&
           record->expire_time_ms > clock_wall_ms(ca->clock) &&
           (record->host_id[0] == '\0' || strcmp(record->host_id, join->host_id) == 0);
}

static status find_token(struct ca *ca, struct arena *arena, const struct ca_join *join,
                         struct ca_join_token_record *ret_record)
{
    struct api_key key;
    status s = api_key_parse(arena, bytes_of(join->token), &key);

    if (!status_is_ok(s)) {
        return status_error(arena, STATUS_UNAUTHENTICATED, "no join token: %s", s.message);
    }
    if (strcmp(key.purpose, token_purpose) != 0) {
        return status_error(arena, STATUS_UNAUTHENTICATED, "no join token: it is for '%s'",
                            key.purpose);
    }
    s = ca_store_get_join_token(ca->store, arena, key.id, ret_record);
    if (s.code == STATUS_NOT_FOUND) {
        return no_token(arena);
    }
    TRY(s);
    return is_good(ca, ret_record, join) ? status_ok() : no_token(arena);
}

status ca_admit(struct ca *ca, struct arena *arena, struct store_write *write,
                const struct ca_join *join, struct ca_svid *ret_svid)
{
    struct ca_join_token_record record;

    TRY(check_host_id(arena, join->host_id));
    TRY(find_token(ca, arena, join, &record));
    record.use_time_ms = clock_wall_ms(ca->clock);
    record.used_by = join->host_id;
    ca_store_use_join_token(write, &record, no_token(arena));
    return ca_issue_agent(ca, arena, write, join->host_id, join->csr, ret_svid);
}

/* ---- By a certificate that has expired ---- */

bytes ca_proof_text(struct arena *arena, const char *host_id, bytes csr, int64_t proof_time_ms)
{
    struct text text = text_new(arena);

    text_add(&text, "weft-reattest%s", host_id);
    text_add_bytes(&text, csr);
    text_add(&text, "%" PRId64, proof_time_ms);
    return text_bytes(&text);
}

static status check_svid(struct ca *ca, struct arena *arena, const struct ca_rejoin *rejoin,
                         struct x509_certificate *ret_svid)
{
    const char *path = arena_printf(arena, "%s%s", CA_AGENT_PREFIX, rejoin->host_id);
    const struct x509_verify_options options = {
        .chain = rejoin->certificate,
        .bundle = ca_bundle(ca, arena),
        .trust_domain = ca->trust_domain,
        .now_ms = clock_wall_ms(ca->clock),
        .grace_ms = CA_GRACE_MS,
    };
    status s = x509_verify(arena, &options, ret_svid);

    if (!status_is_ok(s)) {
        return status_error(arena, STATUS_UNAUTHENTICATED, "%s", s.message);
    }
    if (strcmp(ret_svid->id.path, path) != 0) {
        return status_error(arena, STATUS_UNAUTHENTICATED, "the certificate is of '%s', not '%s'",
                            ret_svid->id.path, path);
    }
    return status_ok();
}

static status check_proof(struct ca *ca, struct arena *arena, const struct ca_rejoin *rejoin,
                          bytes spki)
{
    int64_t now_ms = clock_wall_ms(ca->clock);
    bytes text = ca_proof_text(arena, rejoin->host_id, rejoin->csr, rejoin->proof_time_ms);
    struct p256_public *key = NULL;

    if (rejoin->proof_time_ms < now_ms - CA_PROOF_MAX_AGE_MS ||
        rejoin->proof_time_ms > now_ms + CA_PROOF_MAX_AGE_MS) {
        return status_error(arena, STATUS_UNAUTHENTICATED,
                            "the signature was made more than 5 minutes away from now, %" PRId64,
                            now_ms);
    }
    TRY(p256_public_parse(arena, spki, &key));
    bool is_by_key = p256_verify(key, text, rejoin->signature);
    p256_public_free(key);
    return is_by_key ? status_ok()
                     : status_error(arena, STATUS_UNAUTHENTICATED,
                                    "the signature is not by the certificate's key");
}

status ca_readmit(struct ca *ca, struct arena *arena, struct store_write *write,
                  const struct ca_rejoin *rejoin, struct ca_svid *ret_svid)
{
    struct x509_certificate svid;

    TRY(check_host_id(arena, rejoin->host_id));
    TRY(check_svid(ca, arena, rejoin, &svid));
    TRY(check_proof(ca, arena, rejoin, svid.spki));
    return ca_issue_agent(ca, arena, write, rejoin->host_id, rejoin->csr, ret_svid);
}
