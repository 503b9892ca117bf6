#include "services/registry/founding.h"

#include "libs/base/text.h"
#include "libs/crypto/p256.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"
#include "libs/mesh/identity.h"

static void free_key(struct p256_key **key)
{
    p256_key_free(*key);
}

status founding_issue_own_svid(const struct founding *founding, struct arena *arena)
{
    static const char *const dns_names[] = { "registry", "localhost" };
    struct store_write *write = store_write_new(arena);
    CLEANUP(free_key) struct p256_key *key = p256_key_generate(founding->random);
    struct ca_svid svid;
    bytes csr;

    TRY(x509_make_request(arena, founding->random, key, &csr));
    TRY(ca_sign_workload(
        founding->ca, arena, write,
        &(struct ca_workload){
            .spiffe_id = arena_printf(arena, "spiffe://%s/registry", founding->trust_domain),
            .dns_names = dns_names,
            .n_dns_names = sizeof dns_names / sizeof dns_names[0],
            .csr = csr,
        },
        &svid));
    TRY(store_commit(founding->store, arena, write));
    return identity_write(founding->svid_files, arena, svid.chain, p256_key_der(key, arena),
                          svid.bundle);
}

status founding_write_bundle(const struct founding *founding, struct arena *arena)
{
    const char *pem;

    TRY(x509_to_pem(arena, ca_bundle(founding->ca, arena), &pem));
    return files_replace(founding->files, arena, "bundle.pem", bytes_of(pem));
}

status founding_write_join_token(const struct founding *founding, struct arena *arena)
{
    struct store_write *write = store_write_new(arena);
    const char *token;

    TRY(ca_make_join_token(founding->ca, arena, write, "", FOUNDING_TOKEN_MS, &token));
    TRY(store_commit(founding->store, arena, write));
    return files_replace(founding->files, arena, "join_token",
                         bytes_of(arena_printf(arena, "%s\n", token)));
}
