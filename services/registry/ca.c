#include "libs/base/encoding.h"
#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/crypto/secret.h"
#include "libs/crypto/x509.h"
#include "libs/crypto/x509_issue.h"
#include "services/registry/ca_internal.h"
#include "services/registry/ca_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char state_file[] = "authority.pem";

static void unlock(pthread_rwlock_t *const *lock)
{
    pthread_rwlock_unlock(*lock);
}

static void unlock_mutex(pthread_mutex_t *const *lock)
{
    pthread_mutex_unlock(*lock);
}

/* ---- The authorities' file ---- */

/* Makes text what is on disk, and then what is used. */
static status save(struct ca *ca, struct arena *arena, bytes text)
{
    struct ca_state *state = NULL;

    TRY(ca_state_parse(arena, text, ca->trust_domain, &state));
    status s = files_replace(ca->files, arena, state_file, text);
    if (!status_is_ok(s)) {
        ca_state_free(state);
        return s;
    }
    pthread_rwlock_wrlock(&ca->lock);
    struct ca_state *before = ca->state;
    ca->state = state;
    pthread_rwlock_unlock(&ca->lock);
    ca_state_free(before);
    return status_ok();
}

static void free_key(void *key)
{
    p256_key_free(key);
}

/* A new authority, with its key in arena. */
static status make_authority(struct ca *ca, struct arena *arena, struct ca_authority *ret_authority)
{
    struct p256_key *key = p256_key_generate(ca->random);
    const struct x509_authority_options options = {
        .random = ca->random,
        .key = key,
        .trust_domain = ca->trust_domain,
        .now_ms = clock_wall_ms(ca->clock),
        .lifetime_ms = CA_LIFETIME_MS,
    };
    bytes der = { 0 };

    arena_defer(arena, free_key, key);
    TRY(x509_issue_authority(arena, &options, &der));
    *ret_authority = (struct ca_authority){ .key = key, .certificate = der };
    return status_ok();
}

/* Only where nothing was ever signed: a second authority of the same name would look to everybody
 * like an attack, and would be none of those that agents trust. */
static status make_first(struct ca *ca, struct arena *arena)
{
    struct api_key_pepper pepper;
    struct ca_authority authority;
    bool has_issued = false;

    TRY(ca_store_has_issued(ca->store, arena, &has_issued));
    if (has_issued) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "'%s' is gone, and with it the authority that all members trust: "
                            "restore it from a backup",
                            state_file);
    }
    TRY(make_authority(ca, arena, &authority));
    random_fill(ca->random, pepper.data, sizeof pepper.data);
    status s = save(ca, arena, ca_state_format(arena, &pepper, &authority, 1));
    explicit_bzero(&pepper, sizeof pepper);
    return s;
}

static status load(struct ca *ca, struct arena *arena)
{
    bytes text = { 0 };
    status s = files_read(ca->files, arena, state_file, CA_STATE_MAX_BYTES, &text);

    if (s.code == STATUS_NOT_FOUND) {
        return make_first(ca, arena);
    }
    TRY(s);
    s = ca_state_parse(arena, text, ca->trust_domain, &ca->state);
    secret_wipe(text);
    return s;
}

status ca_open(struct arena *arena, const struct ca_options *options, struct ca **ret_ca)
{
    assert(options->files != NULL && options->store != NULL && options->clock != NULL &&
           options->random != NULL && options->trust_domain != NULL);

    struct ca *ca = calloc(1, sizeof *ca);
    if (ca == NULL) {
        abort();
    }
    ca->files = options->files;
    ca->store = options->store;
    ca->clock = options->clock;
    ca->random = options->random;
    ca->trust_domain = strdup(options->trust_domain);
    pthread_mutex_init(&ca->stepping, NULL);
    pthread_rwlock_init(&ca->lock, NULL);
    status s = ca_store_migrate(ca->store, arena);
    if (status_is_ok(s)) {
        s = load(ca, arena);
    }
    if (!status_is_ok(s)) {
        ca_close(ca);
        return s;
    }
    *ret_ca = ca;
    return status_ok();
}

void ca_close(struct ca *ca)
{
    if (ca != NULL) {
        ca_state_free(ca->state);
        pthread_rwlock_destroy(&ca->lock);
        pthread_mutex_destroy(&ca->stepping);
        free(ca->trust_domain);
        free(ca);
    }
}

bytes ca_bundle(struct ca *ca, struct arena *arena)
{
    CLEANUP(unlock) pthread_rwlock_t *const lock = &ca->lock;

    pthread_rwlock_rdlock(lock);
    return ca_state_bundle(ca->state, arena);
}

/* ---- Changing authorities ---- */

struct authorities {
    struct ca_authority items[CA_MAX_AUTHORITIES + 1];
    size_t n;
};

static void keep(struct authorities *list, struct ca_authority authority, int64_t now_ms)
{
    if (authority.not_after_ms > now_ms) {
        list->items[list->n++] = authority;
    }
}

/* Those of state that have not expired, the one first that is to sign now. */
static struct authorities arrange(const struct ca_state *state, int64_t now_ms)
{
    const struct ca_authority *next = ca_state_next(state);
    struct ca_authority signing = state->authorities[0];
    struct authorities list = { .n = 0 };

    if (next != NULL &&
        (now_ms >= next->made_ms + CA_PUBLISH_MS || now_ms >= signing.not_after_ms)) {
        signing.key = NULL; /* it never signs again */
        keep(&list, *next, now_ms);
        keep(&list, signing, now_ms);
    } else {
        keep(&list, signing, now_ms);
        if (next != NULL) {
            keep(&list, *next, now_ms);
        }
    }
    for (size_t i = 1; i < state->n_authorities; i++) {
        if (state->authorities[i].key == NULL) {
            keep(&list, state->authorities[i], now_ms);
        }
    }
    return list;
}

static bool has_next(const struct authorities *list)
{
    for (size_t i = 1; i < list->n; i++) {
        if (list->items[i].key != NULL) {
            return true;
        }
    }
    return false;
}

/* When all have expired, as after a year off, the new one signs at once: there is nobody left who
 * could be told before. */
static status add_due(struct ca *ca, struct arena *arena, int64_t now_ms, struct authorities *list)
{
    bool nobody_signs = list->n == 0 || list->items[0].key == NULL;
    bool is_late = !nobody_signs && list->items[0].not_after_ms - now_ms < CA_LIFETIME_MS / 3;

    if (nobody_signs) {
        memmove(&list->items[1], &list->items[0], list->n * sizeof list->items[0]);
        TRY(make_authority(ca, arena, &list->items[0]));
        list->n++;
    } else if (is_late && !has_next(list) && list->n < CA_MAX_AUTHORITIES) {
        TRY(make_authority(ca, arena, &list->items[list->n]));
        list->n++;
    }
    return status_ok();
}

static bool is_same(const struct authorities *list, const struct ca_state *state)
{
    return list->n == state->n_authorities &&
           list->items[0].certificate.data == state->authorities[0].certificate.data;
}

status ca_step(struct ca *ca, struct arena *arena, bool *ret_changed)
{
    CLEANUP(unlock_mutex) pthread_mutex_t *const stepping = &ca->stepping;
    struct store_write *write = store_write_new(arena);
    int64_t now_ms = clock_wall_ms(ca->clock);
    bool changed = false;

    /* Only who holds this lock changes the state, so it may be read without the other. */
    pthread_mutex_lock(stepping);
    struct authorities list = arrange(ca->state, now_ms);
    TRY(add_due(ca, arena, now_ms, &list));
    if (!is_same(&list, ca->state)) {
        bytes text = ca_state_format(arena, &ca->state->pepper, list.items, list.n);
        TRY(save(ca, arena, text));
        changed = true;
    }
    ca_store_forget(write, now_ms - CA_GRACE_MS);
    TRY(store_commit(ca->store, arena, write));
    *ret_changed = changed;
    return status_ok();
}

/* ---- Certificates ---- */

static status read_request(struct arena *arena, bytes csr, bytes *ret_spki)
{
    if (csr.size > CA_MAX_REQUEST_BYTES) {
        return status_bad_field(arena, "csr", "is longer than %d bytes", CA_MAX_REQUEST_BYTES);
    }
    status s = x509_parse_request(arena, csr, ret_spki);
    return status_is_ok(s) ? s : status_bad_field(arena, "csr", "is refused: %s", s.message);
}

static status sign(struct ca *ca, struct arena *arena, struct x509_svid_options *options,
                   struct ca_svid *svid)
{
    CLEANUP(unlock) pthread_rwlock_t *const lock = &ca->lock;

    pthread_rwlock_rdlock(lock);
    options->key = ca->state->authorities[0].key;
    options->authority = ca->state->authorities[0].certificate;
    svid->bundle = ca_state_bundle(ca->state, arena);
    return x509_issue_svid(arena, options, &svid->chain);
}

/* Signs, and adds the serial to the write. */
static status issue(struct ca *ca, struct arena *arena, struct store_write *write,
                    struct x509_svid_options options, bytes csr, struct ca_svid *ret_svid)
{
    struct x509_certificate certificate;
    struct ca_svid svid = { .id = options.id };

    TRY(read_request(arena, csr, &options.spki));
    options.random = ca->random;
    options.now_ms = clock_wall_ms(ca->clock);
    options.lifetime_ms = CA_SVID_LIFETIME_MS;
    TRY(sign(ca, arena, &options, &svid));
    TRY(x509_parse_svid(arena, svid.chain, &certificate));
    svid.serial = hex_encode(arena, certificate.serial);
    svid.expire_time_ms = certificate.not_after_ms;
    ca_store_add_certificate(write, &(struct ca_certificate_record){
                                        .serial = svid.serial,
                                        .spiffe_id = svid.id.text,
                                        .issue_time_ms = options.now_ms,
                                        .expire_time_ms = svid.expire_time_ms,
                                    });
    *ret_svid = svid;
    return status_ok();
}

static bool is_agent(const struct ca *ca, const struct spiffe_id *id)
{
    return strcmp(id->trust_domain, ca->trust_domain) == 0 &&
           strncmp(id->path, CA_AGENT_PREFIX, strlen(CA_AGENT_PREFIX)) == 0;
}

status ca_sign_workload(struct ca *ca, struct arena *arena, struct store_write *write,
                        const struct ca_workload *workload, struct ca_svid *ret_svid)
{
    struct x509_svid_options options = {
        .dns_names = workload->dns_names,
        .n_dns_names = workload->n_dns_names,
    };
    status s = spiffe_id_parse(arena, bytes_of(workload->spiffe_id), &options.id);

    if (!status_is_ok(s)) {
        return status_bad_field(arena, "spiffe_id", "is refused: %s", s.message);
    }
    if (is_agent(ca, &options.id)) {
        return status_bad_field(arena, "spiffe_id", "'%s' is an agent's", workload->spiffe_id);
    }
    return issue(ca, arena, write, options, workload->csr, ret_svid);
}

status ca_renew_agent(struct ca *ca, struct arena *arena, struct store_write *write,
                      const char *spiffe_id, bytes csr, struct ca_svid *ret_svid)
{
    struct x509_svid_options options = { .n_dns_names = 0 };
    status s = spiffe_id_parse(arena, bytes_of(spiffe_id), &options.id);

    if (!status_is_ok(s) || !is_agent(ca, &options.id)) {
        return status_error(arena, STATUS_PERMISSION_DENIED, "'%s' is no agent", spiffe_id);
    }
    return issue(ca, arena, write, options, csr, ret_svid);
}

/* ---- For ca_join.c ---- */

status ca_issue_agent(struct ca *ca, struct arena *arena, struct store_write *write,
                      const char *host_id, bytes csr, struct ca_svid *ret_svid)
{
    const char *path = arena_printf(arena, "%s%s", CA_AGENT_PREFIX, host_id);
    struct x509_svid_options options = { .n_dns_names = 0 };

    TRY(spiffe_id_make(arena, ca->trust_domain, path, &options.id));
    return issue(ca, arena, write, options, csr, ret_svid);
}

struct sha256 ca_hash_token(struct ca *ca, const char *token)
{
    CLEANUP(unlock) pthread_rwlock_t *const lock = &ca->lock;

    pthread_rwlock_rdlock(lock);
    return api_key_hash(&ca->state->pepper, bytes_of(token));
}
