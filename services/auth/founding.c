#include "services/auth/founding.h"

#include "libs/audit/outbox.h"
#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/crypto/secret.h"

#include <string.h>

enum {
    LOAD_PAGE = 1000,
    /* Nobody is refused who founds the mesh, or has lost its key: the handlers' limits are lower.
     */
    MAX_ADMINISTRATORS = 100000,
    MAX_ADMINISTRATOR_KEYS = 100000,
};

#define EPOCH_NUMBER   "epoch"
#define FOUNDED_NUMBER "founded"

status founding_next_epoch(const struct founding *self, struct arena *arena, uint32_t *ret_epoch)
{
    struct store_write *write = store_write_new(arena);
    int64_t epoch;

    TRY(auth_store_get_number(self->store, arena, EPOCH_NUMBER, &epoch));
    auth_store_set_number(write, EPOCH_NUMBER, epoch, epoch + 1);
    TRY(store_commit(self->store, arena, write));
    *ret_epoch = (uint32_t)(epoch + 1);
    return status_ok();
}

/* ---- The pepper ---- */

static status make_pepper(const struct founding *self, struct arena *arena,
                          struct api_key_pepper *ret_pepper)
{
    struct key_page page;

    TRY(auth_store_scan_keys(self->store, arena, "", "", 1, &page));
    if (page.n_records > 0) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "the file '%s' is gone; without it no key is good: bring it back",
                            FOUNDING_PEPPER_FILE);
    }
    random_fill(self->random, ret_pepper->data, sizeof ret_pepper->data);
    return files_replace(self->files, arena, FOUNDING_PEPPER_FILE,
                         (bytes){ ret_pepper->data, sizeof ret_pepper->data });
}

status founding_read_pepper(const struct founding *self, struct arena *arena,
                            struct api_key_pepper *ret_pepper)
{
    bytes data;
    status s = files_read(self->files, arena, FOUNDING_PEPPER_FILE, API_KEY_PEPPER_BYTES, &data);

    if (s.code == STATUS_NOT_FOUND) {
        return make_pepper(self, arena, ret_pepper);
    }
    if (s.code == STATUS_RESOURCE_EXHAUSTED ||
        (status_is_ok(s) && data.size != API_KEY_PEPPER_BYTES)) {
        return status_error(arena, STATUS_FAILED_PRECONDITION, "the file '%s' is damaged",
                            FOUNDING_PEPPER_FILE);
    }
    TRY(s);
    memcpy(ret_pepper->data, data.data, API_KEY_PEPPER_BYTES);
    secret_wipe(data);
    return status_ok();
}

/* ---- The administrator ---- */

status founding_open_folder(struct arena *arena, const char *path, struct disk_files *ret_folder,
                            const char **ret_name)
{
    const char *slash = strrchr(path, '/');

    *ret_name = slash == NULL ? path : slash + 1;
    return disk_files_init(
        ret_folder, arena,
        slash == NULL ? "." : arena_printf(arena, "%.*s", (int)(slash - path + 1), path));
}

/* What tells that we did it ourselves. */
static void tell(const struct founding *self, struct store_write *write, const char *spiffe_id,
                 const char *action, const char *target)
{
    write_audit_by_itself(write, self->random, spiffe_id, action, target,
                          clock_wall_ms(self->clock));
}

/* The account as it is, or a new one in write. */
static status find_or_add_account(const struct founding *self, struct store_write *write,
                                  const struct founding_credential *credential,
                                  struct account_record *ret_account)
{
    static const char *const admin[] = { "admin" };
    int64_t now_ms = clock_wall_ms(self->clock);
    status s = auth_store_get_account(self->store, write->arena, PLATFORM_TENANT,
                                      FOUNDING_ADMINISTRATOR, ret_account);

    if (s.code != STATUS_NOT_FOUND) {
        return s;
    }
    *ret_account = (struct account_record){
        .tenant_id = PLATFORM_TENANT,
        .account_id = FOUNDING_ADMINISTRATOR,
        .uid = random_ulid(self->random, write->arena, now_ms),
        .display_name = "made by auth itself",
        .roles = { admin, 1 },
        .create_time_ms = now_ms,
    };
    auth_store_insert_account(write, ret_account, MAX_ADMINISTRATORS);
    tell(self, write, credential->spiffe_id, "service-account.create",
         directory_subject(write->arena, PLATFORM_TENANT, FOUNDING_ADMINISTRATOR));
    return status_ok();
}

/* A key in write; its text goes into the file first. */
static status add_key(const struct founding *self, struct store_write *write,
                      const struct founding_credential *credential,
                      const struct account_record *account)
{
    struct key_record *record = ARENA_NEW(write->arena, struct key_record);
    struct api_key named;
    const char *secret = api_key_generate(write->arena, self->random, KEY_PURPOSE, &named);

    *record = (struct key_record){
        .tenant_id = account->tenant_id,
        .key_id = named.id,
        .account_id = account->account_id,
        .account_uid = account->uid,
        .display_name = "made by auth itself",
        .hash = api_key_hash(credential->pepper, bytes_of(secret)),
        .create_time_ms = clock_wall_ms(self->clock),
    };
    TRY(files_replace(credential->files, write->arena, credential->name, bytes_of(secret)));
    auth_store_insert_key(write, record, MAX_ADMINISTRATOR_KEYS);
    tell(self, write, credential->spiffe_id, "api-key.create",
         arena_printf(write->arena, "tenant:%s:key:%s", PLATFORM_TENANT, named.id));
    return status_ok();
}

status founding_make_administrator(const struct founding *self, struct arena *arena,
                                   const struct founding_credential *credential)
{
    struct store_write *write = store_write_new(arena);
    struct account_record account;
    int64_t founded;

    TRY(auth_store_get_number(self->store, arena, FOUNDED_NUMBER, &founded));
    if (founded != 0 && !credential->again) {
        return status_ok();
    }
    TRY(find_or_add_account(self, write, credential, &account));
    TRY(add_key(self, write, credential, &account));
    auth_store_mark(write, FOUNDED_NUMBER);
    return store_commit(self->store, arena, write);
}

/* ---- Loading ---- */

/* scratch takes a page at a time; where the next page begins is kept in arena. */
static status load_revocations(const struct founding *self, struct arena *scratch,
                               struct arena *arena, struct feed *feed)
{
    int64_t now_ms = clock_wall_ms(self->clock);
    struct revocation_page page = { .more = true };
    const char *tenant_id = "", *subject = "";

    while (page.more) {
        arena_reset(scratch);
        TRY(auth_store_scan_revocations(self->store, scratch, now_ms, tenant_id, subject, LOAD_PAGE,
                                        &page));
        for (size_t i = 0; i < page.n_records; i++) {
            const struct revocation_record *record = &page.records[i];
            (void)feed_revoke(feed, record->subject, record->epoch_ms, record->forget_ms);
        }
        if (page.more) {
            tenant_id = arena_strdup(arena, page.records[page.n_records - 1].tenant_id);
            subject = arena_strdup(arena, page.records[page.n_records - 1].subject);
        }
    }
    return status_ok();
}

status founding_load(const struct founding *self, struct arena *arena, struct feed *feed,
                     struct directory *directory)
{
    struct arena *scratch = arena_new();
    status s = status_copy(arena, load_revocations(self, scratch, arena, feed));

    arena_free(scratch);
    TRY(s);
    return directory_load(directory, self->store, feed, arena);
}
