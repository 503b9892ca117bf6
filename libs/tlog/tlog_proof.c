#include "libs/tlog/tlog_proof.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/tlog/lines.h"

#include <inttypes.h>
#include <string.h>

#define FIRST_LINE "c2sp.org/tlog-proof@v1"

bytes tlog_proof_encode(struct arena *arena, const struct tlog_proof *proof)
{
    struct text text = text_new(arena);

    text_add(&text, FIRST_LINE "\n");
    if (proof->extra.data != NULL) {
        text_add(&text, "extra %s\n", base64_encode(arena, proof->extra, BASE64_STANDARD));
    }
    text_add(&text, "index %" PRIu64 "\n", proof->index);
    for (size_t i = 0; i < proof->path.n_hashes; i++) {
        bytes hash = sha256_bytes(&proof->path.hashes[i]);
        text_add(&text, "%s\n", base64_encode(arena, hash, BASE64_STANDARD));
    }
    text_add(&text, "\n");
    text_add_bytes(&text, proof->checkpoint);
    return text_bytes(&text);
}

static status no_proof(struct arena *arena, const char *why)
{
    return status_error(arena, STATUS_INVALID_ARGUMENT, "it is no proof bundle: %s", why);
}

/* The hashes, up to the blank line. */
static status parse_path(struct arena *arena, bytes *data, struct merkle_path *ret_path)
{
    struct sha256 *hashes = ARENA_NEW_ARRAY(arena, struct sha256, MERKLE_MAX_PATH);
    size_t n = 0;

    for (bytes line;; n++) {
        bytes hash;
        if (!line_next(data, &line)) {
            return no_proof(arena, "no blank line ends its hashes");
        }
        if (line.size == 0) {
            break;
        }
        if (n == MERKLE_MAX_PATH) {
            return no_proof(arena, "it has too many hashes");
        }
        if (!base64_decode(arena, line, BASE64_STANDARD, &hash) || hash.size != SHA256_SIZE) {
            return no_proof(arena, "a line after its index is no hash");
        }
        memcpy(hashes[n].data, hash.data, SHA256_SIZE);
    }
    *ret_path = (struct merkle_path){ .hashes = hashes, .n_hashes = n };
    return status_ok();
}

status tlog_proof_parse(struct arena *arena, bytes data, struct tlog_proof *ret_proof)
{
    struct tlog_proof proof = { 0 };
    bytes line;

    if (!line_next(&data, &line) || line.size != strlen(FIRST_LINE) ||
        !line_skip(&line, FIRST_LINE)) {
        return no_proof(arena, "it does not begin with '" FIRST_LINE "'");
    }
    if (!line_next(&data, &line)) {
        return no_proof(arena, "it has no index");
    }
    if (line_skip(&line, "extra ")) {
        if (!base64_decode(arena, line, BASE64_STANDARD, &proof.extra) ||
            !line_next(&data, &line)) {
            return no_proof(arena, "its extra data is not base64, or nothing follows it");
        }
    }
    if (!line_skip(&line, "index ") || !line_number(line, &proof.index)) {
        return no_proof(arena, "it has no index");
    }
    TRY(parse_path(arena, &data, &proof.path));
    proof.checkpoint = data;
    *ret_proof = proof;
    return status_ok();
}

status tlog_proof_verify(struct arena *arena, const struct tlog_proof *proof, bytes leaf,
                         const struct note_verifier *verifier, struct checkpoint *ret_checkpoint)
{
    struct sha256 hash = merkle_leaf_hash(leaf);
    struct checkpoint checkpoint;

    TRY(checkpoint_open(arena, proof->checkpoint, verifier, &checkpoint));
    if (!merkle_check_inclusion(proof->index, checkpoint.tree.size, &hash, &proof->path,
                                &checkpoint.tree.root)) {
        return status_error(arena, STATUS_DATA_LOSS,
                            "the entry is not number %" PRIu64 " of the log of size %" PRIu64
                            " that was signed",
                            proof->index, checkpoint.tree.size);
    }
    *ret_checkpoint = checkpoint;
    return status_ok();
}
