#include "services/audit/key_files.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"

#include <string.h>

enum { MAX_KEY_FILE_BYTES = 4096 }; /* the longest is a name and some 100 bytes */

/* *ret_found: the file is there. */
static status read_key(const struct key_files *self, struct arena *arena, const char *name,
                       bytes *ret_text, bool *ret_found)
{
    status s = files_read(self->files, arena, name, MAX_KEY_FILE_BYTES, ret_text);

    *ret_found = s.code != STATUS_NOT_FOUND;
    if (*ret_found) {
        return s;
    }
    if (!self->make) {
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "'%s' is missing, and there is a log that needs it", name);
    }
    return status_ok();
}

static status make_signer(const struct key_files *self, struct arena *arena, const char *name,
                          struct note_signer *ret_signer)
{
    struct note_signer signer;

    TRY(note_signer_generate(arena, self->random, name, &signer));
    status s = files_replace(self->files, arena, "signing_key",
                             bytes_of(note_signer_format(arena, &signer)));
    if (!status_is_ok(s)) {
        note_signer_wipe(&signer);
        return s;
    }
    *ret_signer = signer;
    return status_ok();
}

static status parse_signer(struct arena *arena, bytes text, const char *name,
                           struct note_signer *ret_signer)
{
    struct note_signer signer;

    status s = note_signer_parse(arena, text, &signer);
    if (!status_is_ok(s)) {
        return status_error(arena, STATUS_DATA_LOSS, "'signing_key': %s", s.message);
    }
    if (strcmp(signer.name, name) != 0) {
        note_signer_wipe(&signer);
        return status_error(arena, STATUS_FAILED_PRECONDITION,
                            "'signing_key' is of the log '%s', not of '%s'", signer.name, name);
    }
    *ret_signer = signer;
    return status_ok();
}

/* Written at each start, so that it is there whenever the other is. */
static status write_verifier(const struct key_files *self, struct arena *arena,
                             const struct note_signer *signer)
{
    struct note_verifier verifier = note_signer_verifier(signer);
    const char *line = arena_printf(arena, "%s\n", note_verifier_format(arena, &verifier));
    bytes found;

    status s = files_read(self->files, arena, "verifier_key", MAX_KEY_FILE_BYTES, &found);
    if (status_is_ok(s) && found.size == strlen(line) &&
        memcmp(found.data, line, found.size) == 0) {
        return status_ok();
    }
    return files_replace(self->files, arena, "verifier_key", bytes_of(line));
}

status key_files_signer(const struct key_files *self, struct arena *arena, const char *name,
                        struct note_signer *ret_signer)
{
    bytes text;
    bool found;

    TRY(read_key(self, arena, "signing_key", &text, &found));
    TRY(found ? parse_signer(arena, text, name, ret_signer)
              : make_signer(self, arena, name, ret_signer));
    status s = write_verifier(self, arena, ret_signer);
    if (!status_is_ok(s)) {
        note_signer_wipe(ret_signer);
    }
    return s;
}

static status make_master(const struct key_files *self, struct arena *arena,
                          struct aead_key *ret_master)
{
    struct aead_key master;

    aead_generate(self->random, &master);
    const char *hex = hex_encode(arena, (bytes){ master.data, AEAD_KEY_SIZE });
    status s =
        files_replace(self->files, arena, "master_key", bytes_of(arena_printf(arena, "%s\n", hex)));
    if (status_is_ok(s)) {
        *ret_master = master;
    }
    aead_wipe(&master);
    return s;
}

status key_files_master(const struct key_files *self, struct arena *arena,
                        struct aead_key *ret_master)
{
    bytes text;
    bytes key;
    bool found;

    TRY(read_key(self, arena, "master_key", &text, &found));
    if (!found) {
        return make_master(self, arena, ret_master);
    }
    if (text.size > 0 && text.data[text.size - 1] == '\n') {
        text.size--;
    }
    if (!hex_decode(arena, text, &key) || key.size != AEAD_KEY_SIZE) {
        return status_error(arena, STATUS_DATA_LOSS, "'master_key' is not %d hex digits",
                            2 * AEAD_KEY_SIZE);
    }
    memcpy(ret_master->data, key.data, AEAD_KEY_SIZE);
    return status_ok();
}
