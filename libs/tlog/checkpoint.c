#include "libs/tlog/checkpoint.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/tlog/lines.h"

#include <inttypes.h>
#include <string.h>

status checkpoint_parse(struct arena *arena, bytes body, struct checkpoint *ret_checkpoint)
{
    bytes origin;
    bytes size;
    bytes encoded;
    bytes root;
    struct checkpoint checkpoint;

    if (!line_next(&body, &origin) || !line_next(&body, &size) || !line_next(&body, &encoded) ||
        origin.size == 0) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "a checkpoint has lines for origin, size and root");
    }
    if (!line_number(size, &checkpoint.tree.size)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "'%s' is not the size of a log",
                            line_copy(arena, size));
    }
    if (!base64_decode(arena, encoded, BASE64_STANDARD, &root) || root.size != SHA256_SIZE) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "'%s' is not the root of a log",
                            line_copy(arena, encoded));
    }
    memcpy(checkpoint.tree.root.data, root.data, SHA256_SIZE);
    struct sha256 empty = merkle_empty_root();
    if (checkpoint.tree.size == 0 && !sha256_equal(&checkpoint.tree.root, &empty)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "an empty log has another root");
    }
    checkpoint.origin = line_copy(arena, origin);
    *ret_checkpoint = checkpoint;
    return status_ok();
}

status checkpoint_open(struct arena *arena, bytes data, const struct note_verifier *verifier,
                       struct checkpoint *ret_checkpoint)
{
    struct checkpoint checkpoint;
    struct note note;

    TRY(note_open(arena, data, verifier, &note));
    TRY(checkpoint_parse(arena, note.text, &checkpoint));
    if (strcmp(checkpoint.origin, verifier->name) != 0) {
        return status_error(arena, STATUS_DATA_LOSS, "it is of the log '%s', not of '%s'",
                            checkpoint.origin, verifier->name);
    }
    *ret_checkpoint = checkpoint;
    return status_ok();
}

status checkpoint_sign(struct arena *arena, const struct merkle_tree *tree,
                       const struct note_signer *signer, bytes *ret_data)
{
    const char *root = base64_encode(arena, sha256_bytes(&tree->root), BASE64_STANDARD);
    const char *body = arena_printf(arena, "%s\n%" PRIu64 "\n%s\n", signer->name, tree->size, root);

    return note_sign(arena, bytes_of(body), signer, ret_data);
}
