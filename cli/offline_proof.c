#include "cli/offline_proof.h"

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/tlog/log_verify.h"
#include "libs/tlog/tlog_proof.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_FILE_BYTES = 1024 * 1024 }; /* an entry has at most 64 KiB */

/* ---- Saving ---- */

static bytes consistency_text(struct arena *arena, const struct offline_proof *proof)
{
    struct text text = text_new(arena);

    for (size_t i = 0; i < proof->n_consistency; i++) {
        text_add(&text, "%s\n", hex_encode(arena, proof->consistency[i]));
    }
    return bytes_of(text_string(&text));
}

static status save_all(struct files *files, struct arena *arena, const struct offline_proof *proof)
{
    TRY(files_replace(files, arena, "leaf", proof->leaf));
    TRY(files_replace(files, arena, "proof.tlog-proof", proof->bundle));
    TRY(files_replace(files, arena, "vkey", proof->verifier_key));
    if (proof->older_checkpoint.data == NULL) {
        return status_ok();
    }
    TRY(files_replace(files, arena, "older-checkpoint", proof->older_checkpoint));
    return files_replace(files, arena, "consistency", consistency_text(arena, proof));
}

status offline_proof_save(struct arena *arena, const char *folder,
                          const struct offline_proof *proof)
{
    struct disk_files files;

    TRY(disk_files_init(&files, arena, folder));
    status s = save_all(&files.files, arena, proof);
    disk_files_reset(&files);
    return s;
}

/* ---- Verifying a proof ---- */

static bytes trimmed(bytes text)
{
    while (text.size > 0 && text.data[text.size - 1] == '\n') {
        text.size--;
    }
    return text;
}

static status read_verifier(struct files *files, struct arena *arena,
                            struct note_verifier *ret_verifier)
{
    bytes text;

    TRY(files_read(files, arena, "vkey", MAX_FILE_BYTES, &text));
    return status_annotate(arena, note_verifier_parse(arena, trimmed(text), ret_verifier), "vkey");
}

static void row(struct output *output, const char *what, const char *found)
{
    output_row(output,
               FIELDS(field_text("check", what), field_tone(TONE_GOOD, field_text("verdict", "ok")),
                      field_text("found", found)));
}

static status verify_inclusion(struct files *files, struct arena *arena,
                               const struct note_verifier *verifier, struct output *output,
                               struct checkpoint *ret_checkpoint)
{
    struct tlog_proof proof;
    bytes leaf;
    bytes bundle;

    TRY(files_read(files, arena, "leaf", MAX_FILE_BYTES, &leaf));
    TRY(files_read(files, arena, "proof.tlog-proof", MAX_FILE_BYTES, &bundle));
    TRY(status_annotate(arena, tlog_proof_parse(arena, bundle, &proof), "proof.tlog-proof"));
    status s = tlog_proof_verify(arena, &proof, leaf, verifier, ret_checkpoint);
    TRY(status_annotate(arena, s, "leaf and proof.tlog-proof do not belong together"));
    row(output, "inclusion",
        arena_printf(arena, "entry %" PRIu64 " is in the log '%s' of %" PRIu64 " entries",
                     proof.index, ret_checkpoint->origin, ret_checkpoint->tree.size));
    return status_ok();
}

static status parse_path(struct arena *arena, bytes text, struct merkle_path *ret_path)
{
    struct sha256 *hashes = ARENA_NEW_ARRAY(arena, struct sha256, MERKLE_MAX_PATH);
    size_t n = 0;

    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        bytes hash;
        if (n == MERKLE_MAX_PATH || !hex_decode(arena, (bytes){ text.data, size }, &hash) ||
            hash.size != SHA256_SIZE) {
            return status_error(arena, STATUS_DATA_LOSS, "consistency: line %zu is no hash", n + 1);
        }
        memcpy(hashes[n++].data, hash.data, SHA256_SIZE);
        size_t used = size + (end != NULL);
        text = (bytes){ .data = text.data + used, .size = text.size - used };
    }
    *ret_path = (struct merkle_path){ .hashes = hashes, .n_hashes = n };
    return status_ok();
}

static status verify_consistency(struct files *files, struct arena *arena,
                                 const struct note_verifier *verifier,
                                 const struct checkpoint *newer, struct output *output)
{
    struct checkpoint older;
    struct merkle_path path;
    bytes data;
    bytes hashes;

    status s = files_read(files, arena, "older-checkpoint", MAX_FILE_BYTES, &data);
    if (s.code == STATUS_NOT_FOUND) {
        return status_ok();
    }
    TRY(s);
    TRY(status_annotate(arena, checkpoint_open(arena, data, verifier, &older), "older-checkpoint"));
    TRY(files_read(files, arena, "consistency", MAX_FILE_BYTES, &hashes));
    TRY(parse_path(arena, hashes, &path));
    if (!merkle_check_consistency(&older.tree, &newer->tree, &path)) {
        return status_error(arena, STATUS_DATA_LOSS,
                            "consistency: the log of %" PRIu64 " entries does not begin with that "
                            "of %" PRIu64,
                            newer->tree.size, older.tree.size);
    }
    row(output, "consistency",
        arena_printf(arena, "the log of %" PRIu64 " entries begins with that of %" PRIu64,
                     newer->tree.size, older.tree.size));
    return status_ok();
}

status offline_proof_verify(struct arena *arena, const char *folder, struct output *output)
{
    struct note_verifier verifier;
    struct checkpoint checkpoint;
    struct disk_files files;

    TRY(disk_files_init(&files, arena, folder));
    status s = read_verifier(&files.files, arena, &verifier);
    if (s.code == STATUS_NOT_FOUND) {
        s = status_error(arena, STATUS_NOT_FOUND, "'%s' is no saved proof: no file 'vkey' is in it",
                         folder);
    }
    if (status_is_ok(s)) {
        s = verify_inclusion(&files.files, arena, &verifier, output, &checkpoint);
    }
    if (status_is_ok(s)) {
        s = verify_consistency(&files.files, arena, &verifier, &checkpoint, output);
    }
    disk_files_reset(&files);
    return s;
}

/* ---- Verifying a log ---- */

static status tell(struct arena *arena, const struct log_report *report, struct output *output)
{
    for (size_t i = 0; i < report->n_faults; i++) {
        output_row(output, FIELDS(field_text("check", "files"),
                                  field_tone(TONE_BAD, field_text("verdict", "fail")),
                                  field_text("found", report->faults[i])));
    }
    if (report->n_faults > 0) {
        output_end(output);
        return status_error(arena, STATUS_DATA_LOSS, "the log is not what was signed: %s",
                            report->faults[0]);
    }
    row(output, "files",
        arena_printf(arena, "%" PRIu64 " files hold the %" PRIu64 " entries that '%s' has signed",
                     report->n_files, report->checkpoint.tree.size, report->checkpoint.origin));
    return status_ok();
}

status offline_log_verify(struct arena *arena, const char *folder, bytes verifier_key, bytes older,
                          struct output *output)
{
    struct note_verifier verifier;
    struct log_report report = { 0 };
    struct disk_files files;

    TRY(status_annotate(arena, note_verifier_parse(arena, trimmed(verifier_key), &verifier),
                        "vkey"));
    TRY(disk_files_init(&files, arena, folder));
    status s = log_verify(&(struct log_verify_options){ .files = &files.files,
                                                        .verifier = &verifier,
                                                        .older = older },
                          arena, &report);
    disk_files_reset(&files);
    TRY(s);
    return tell(arena, &report, output);
}
