/* What parses as a note is made of its parts again: nothing in it was overlooked. */

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/tlog/note.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_note(struct arena *arena, bytes data)
{
    struct text again = text_new(arena);
    struct note note;

    if (!status_is_ok(note_parse(arena, data, &note))) {
        return;
    }
    text_add_bytes(&again, note.text);
    text_add(&again, "\n");
    for (size_t i = 0; i < note.n_signatures; i++) {
        const struct note_signature *signature = &note.signatures[i];
        uint8_t *encoded = arena_alloc(arena, 4 + signature->signature.size);
        for (int j = 0; j < 4; j++) {
            encoded[j] = (uint8_t)(signature->key_id >> (24 - 8 * j));
        }
        memcpy(encoded + 4, signature->signature.data, signature->signature.size);
        text_add(&again, "\xe2\x80\x94 %s %s\n", signature->name,
                 base64_encode(arena, (bytes){ encoded, 4 + signature->signature.size },
                               BASE64_STANDARD));
    }
    assert(again.size == data.size && memcmp(again.data, data.data, data.size) == 0);
}

static void check_keys(struct arena *arena, bytes data)
{
    struct note_verifier verifier;
    struct note_signer signer;

    if (status_is_ok(note_verifier_parse(arena, data, &verifier))) {
        bytes again = bytes_of(note_verifier_format(arena, &verifier));
        assert(again.size == data.size && memcmp(again.data, data.data, data.size) == 0);
    }
    if (status_is_ok(note_signer_parse(arena, data, &signer))) {
        const char *again = note_signer_format(arena, &signer);
        assert(strlen(again) - data.size <= 1 && memcmp(again, data.data, data.size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();

    check_note(arena, (bytes){ data, size });
    check_keys(arena, (bytes){ data, size });
    arena_free(arena);
    return 0;
}
