#include "services/auth/founding.h"

#include "libs/audit/outbox.h"
#include "libs/base/status_details.h"
#include "libs/base/text.h"
#include "libs/crypto/secret.h"

#include <string.h>

enum { LOAD_PAGE = 1000 };

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

/* The account, its key and what tells of them: one write. */
static void add_administrator(const struct founding *self, struct store_write *write,
                              const struct account_record *account, const struct key_record *key,
                              const char *spiffe_id)
{
    const struct principal ourselves = { .tenant_id = PLATFORM_TENANT, .subject = spiffe_id };
    struct call call = call_of_process(write->arena);

    call.principal = &ourselves;
    const struct audit_event event =
        audit_event_of(&call, self->random, "service-account.create",
                       directory_subject(write->arena, account->tenant_id, account->account_id),
                       account->create_time_ms);
    auth_store_insert_account(write, account, SIZE_MAX >> 1);
    auth_store_insert_key(write, key, 1);
    auth_store_set_number(write, FOUNDED_NUMBER, 0, 1);
    outbox_write(write, &event);
}

static status make_administrator(const struct founding *self, struct arena *arena,
                                 const struct founding_credential *credential)
{
    static const char *const admin[] = { "admin" };
    struct store_write *write = store_write_new(arena);
    int64_t now_ms = clock_wall_ms(self->clock);
    const struct account_record account = {
        .tenant_id = PLATFORM_TENANT,
        .account_id = FOUNDING_ADMINISTRATOR,
        .uid = random_ulid(self->random, arena, now_ms),
        .display_name = "made at the first start",
        .roles = { admin, 1 },
        .create_time_ms = now_ms,
    };
    struct api_key named;
    const char *secret = api_key_generate(arena, self->random, KEY_PURPOSE, &named);
    const struct key_record key = {
        .tenant_id = account.tenant_id,
        .key_id = named.id,
        .account_id = account.account_id,
        .account_uid = account.uid,
        .display_name = account.display_name,
        .hash = api_key_hash(credential->pepper, bytes_of(secret)),
        .create_time_ms = now_ms,
    };

    TRY(files_replace(credential->files, arena, credential->name, bytes_of(secret)));
    add_administrator(self, write, &account, &key, credential->spiffe_id);
    return store_commit(self->store, arena, write);
}

status founding_make_administrator(const struct founding *self, struct arena *arena,
                                   const struct founding_credential *credential)
{
    int64_t founded;

    TRY(auth_store_get_number(self->store, arena, FOUNDED_NUMBER, &founded));
    return founded != 0 ? status_ok() : make_administrator(self, arena, credential);
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
