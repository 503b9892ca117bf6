#include "libs/tlog/note.h"

#include "libs/base/encoding.h"
#include "libs/base/text.h"
#include "libs/base/utf8.h"
#include "libs/crypto/sha256.h"
#include "libs/tlog/lines.h"

#include <string.h>

/* The kind of a key, before its bytes. */
enum { KIND_ED25519 = 0x01, KEY_ID_SIZE = 4 };

#define SIGNATURE_PREFIX "\xe2\x80\x94 " /* U+2014, an em dash, and a space */
#define SIGNER_PREFIX    "PRIVATE+KEY+"

static uint32_t read_u32(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static void write_u32(uint8_t *data, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        data[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* ---- Names ---- */

/* Go's unicode.IsSpace(), which is what the specification's tools refuse. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

static bool is_name(bytes name)
{
    if (name.size == 0 || name.size > NOTE_MAX_NAME_BYTES) {
        return false;
    }
    while (name.size > 0) {
        uint32_t c = 0;
        size_t n = utf8_decode(name, &c);
        if (n == 0 || c < 0x20 || c == '+' || is_space(c)) {
            return false;
        }
        name = (bytes){ .data = name.data + n, .size = name.size - n };
    }
    return true;
}

/* ---- Keys ---- */

/* The first four bytes of SHA-256(name, newline, kind, public key). */
static uint32_t key_id_of(const char *name, const uint8_t *public_key)
{
    static const uint8_t separator[2] = { '\n', KIND_ED25519 };
    struct sha256 hash = sha256_of_parts(
        (const bytes[]){ bytes_of(name), { separator, 2 }, { public_key, ED25519_PUBLIC_SIZE } },
        3);

    return read_u32(hash.data);
}

/* "name+hash+key": the base64 of the key may have a '+' too, so only the first two separate. */
struct key_line {
    const char *name;
    uint32_t key_id;
    bytes key; /* 32 bytes */
};

static status key_line_parse(struct arena *arena, bytes text, struct key_line *ret_line)
{
    const uint8_t *first = text.size > 0 ? memchr(text.data, '+', text.size) : NULL;
    size_t name_size = first != NULL ? (size_t)(first - text.data) : 0;
    bytes name = { .data = text.data, .size = name_size };
    bytes id;
    bytes key;

    if (first == NULL || !is_name(name) || text.size < name_size + 10 || first[9] != '+' ||
        !hex_decode(arena, (bytes){ first + 1, 8 }, &id) ||
        !base64_decode(arena, (bytes){ first + 10, text.size - name_size - 10 }, BASE64_STANDARD,
                       &key)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "the key is not 'name+hash+key'");
    }
    if (key.size != 1 + ED25519_PUBLIC_SIZE || key.data[0] != KIND_ED25519) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "the key is not one of Ed25519");
    }
    *ret_line = (struct key_line){
        .name = line_copy(arena, name),
        .key_id = read_u32(id.data),
        .key = { key.data + 1, ED25519_PUBLIC_SIZE },
    };
    return status_ok();
}

static const char *key_line_format(struct arena *arena, const struct key_line *line)
{
    uint8_t id[KEY_ID_SIZE];
    uint8_t key[1 + ED25519_PUBLIC_SIZE] = { KIND_ED25519 };

    write_u32(id, line->key_id);
    memcpy(key + 1, line->key.data, ED25519_PUBLIC_SIZE);
    return arena_printf(arena, "%s+%s+%s", line->name, hex_encode(arena, (bytes){ id, sizeof id }),
                        base64_encode(arena, (bytes){ key, sizeof key }, BASE64_STANDARD));
}

status note_signer_generate(struct arena *arena, const struct random_source *random,
                            const char *name, struct note_signer *ret_signer)
{
    struct ed25519_key key;

    if (!is_name(bytes_of(name))) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "'%s' cannot be the name of a key",
                            name);
    }
    TRY(ed25519_generate(arena, random, &key));
    *ret_signer = (struct note_signer){
        .name = arena_strdup(arena, name),
        .key_id = key_id_of(name, key.public_key),
        .key = key,
    };
    ed25519_wipe(&key);
    return status_ok();
}

status note_signer_parse(struct arena *arena, bytes text, struct note_signer *ret_signer)
{
    struct key_line line;
    struct ed25519_key key;

    if (text.size > 0 && text.data[text.size - 1] == '\n') {
        text.size--;
    }
    if (!line_skip(&text, SIGNER_PREFIX)) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "the key does not begin with '%s'",
                            SIGNER_PREFIX);
    }
    TRY(key_line_parse(arena, text, &line));
    TRY(ed25519_from_seed(arena, line.key.data, &key));
    if (key_id_of(line.name, key.public_key) != line.key_id) {
        ed25519_wipe(&key);
        return status_error(arena, STATUS_INVALID_ARGUMENT, "the key of '%s' has another's hash",
                            line.name);
    }
    *ret_signer = (struct note_signer){ .name = line.name, .key_id = line.key_id, .key = key };
    ed25519_wipe(&key);
    return status_ok();
}

const char *note_signer_format(struct arena *arena, const struct note_signer *signer)
{
    const struct key_line line = {
        .name = signer->name,
        .key_id = signer->key_id,
        .key = { signer->key.seed, ED25519_SEED_SIZE },
    };

    return arena_printf(arena, SIGNER_PREFIX "%s\n", key_line_format(arena, &line));
}

void note_signer_wipe(struct note_signer *signer)
{
    ed25519_wipe(&signer->key);
}

struct note_verifier note_signer_verifier(const struct note_signer *signer)
{
    struct note_verifier verifier = { .name = signer->name, .key_id = signer->key_id };

    memcpy(verifier.public_key, signer->key.public_key, ED25519_PUBLIC_SIZE);
    return verifier;
}

status note_verifier_parse(struct arena *arena, bytes text, struct note_verifier *ret_verifier)
{
    struct key_line line;

    TRY(key_line_parse(arena, text, &line));
    if (key_id_of(line.name, line.key.data) != line.key_id) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "the key of '%s' has another's hash",
                            line.name);
    }
    *ret_verifier = (struct note_verifier){ .name = line.name, .key_id = line.key_id };
    memcpy(ret_verifier->public_key, line.key.data, ED25519_PUBLIC_SIZE);
    return status_ok();
}

const char *note_verifier_format(struct arena *arena, const struct note_verifier *verifier)
{
    const struct key_line line = {
        .name = verifier->name,
        .key_id = verifier->key_id,
        .key = { verifier->public_key, ED25519_PUBLIC_SIZE },
    };

    return key_line_format(arena, &line);
}

/* ---- Notes ---- */

/* UTF-8 without control characters but the newline. */
static bool is_note_text(bytes data)
{
    for (size_t i = 0; i < data.size; i++) {
        if (data.data[i] < 0x20 && data.data[i] != '\n') {
            return false;
        }
    }
    return utf8_is_valid(data);
}

/* The offset behind the last "\n\n", which ends the text; 0 when there is none. */
static size_t signatures_offset(bytes data)
{
    for (size_t i = data.size; i >= 2; i--) {
        if (data.data[i - 1] == '\n' && data.data[i - 2] == '\n') {
            return i;
        }
    }
    return 0;
}

static bool parse_signature(struct arena *arena, bytes line, struct note_signature *ret_signature)
{
    bytes decoded;

    if (!line_skip(&line, SIGNATURE_PREFIX)) {
        return false;
    }
    const uint8_t *space = line.size > 0 ? memchr(line.data, ' ', line.size) : NULL;
    if (space == NULL) {
        return false;
    }
    bytes name = { .data = line.data, .size = (size_t)(space - line.data) };
    bytes encoded = { .data = space + 1, .size = line.size - name.size - 1 };
    if (!is_name(name) || !base64_decode(arena, encoded, BASE64_STANDARD, &decoded) ||
        decoded.size <= KEY_ID_SIZE) {
        return false;
    }
    *ret_signature = (struct note_signature){
        .name = line_copy(arena, name),
        .key_id = read_u32(decoded.data),
        .signature = { decoded.data + KEY_ID_SIZE, decoded.size - KEY_ID_SIZE },
    };
    return true;
}

static status no_note(struct arena *arena, const char *why)
{
    return status_error(arena, STATUS_INVALID_ARGUMENT, "it is no signed note: %s", why);
}

status note_parse(struct arena *arena, bytes data, struct note *ret_note)
{
    if (data.size > NOTE_MAX_BYTES) {
        return no_note(arena, "it is too long");
    }
    if (!is_note_text(data)) {
        return no_note(arena, "it has bytes that are not text");
    }
    size_t offset = signatures_offset(data);
    if (offset == 0) {
        return no_note(arena, "no blank line ends its text");
    }
    struct note_signature *signatures =
        ARENA_NEW_ARRAY(arena, struct note_signature, NOTE_MAX_SIGNATURES);
    size_t n = 0;
    bytes rest = { .data = data.data + offset, .size = data.size - offset };
    for (bytes line; rest.size > 0; n++) {
        if (n == NOTE_MAX_SIGNATURES) {
            return no_note(arena, "it has too many signatures");
        }
        if (!line_next(&rest, &line) || !parse_signature(arena, line, &signatures[n])) {
            return no_note(arena, "a line behind its text is no signature");
        }
    }
    if (n == 0) {
        return no_note(arena, "it has no signature");
    }
    *ret_note = (struct note){
        .text = { data.data, offset - 1 },
        .signatures = signatures,
        .n_signatures = n,
    };
    return status_ok();
}

status note_open(struct arena *arena, bytes data, const struct note_verifier *verifier,
                 struct note *ret_note)
{
    struct note note;
    bool signed_by_verifier = false;

    TRY(note_parse(arena, data, &note));
    for (size_t i = 0; i < note.n_signatures; i++) {
        const struct note_signature *signature = &note.signatures[i];
        if (signature->key_id != verifier->key_id || strcmp(signature->name, verifier->name) != 0) {
            continue;
        }
        if (!ed25519_verify(verifier->public_key, note.text, signature->signature)) {
            return status_error(arena, STATUS_DATA_LOSS, "the signature of '%s' does not verify",
                                verifier->name);
        }
        signed_by_verifier = true;
    }
    if (!signed_by_verifier) {
        return status_error(arena, STATUS_DATA_LOSS, "it has no signature of '%s'", verifier->name);
    }
    *ret_note = note;
    return status_ok();
}

status note_sign(struct arena *arena, bytes text, const struct note_signer *signer, bytes *ret_note)
{
    uint8_t signature[KEY_ID_SIZE + ED25519_SIGNATURE_SIZE];
    struct text note = text_new(arena);

    if (text.size == 0 || text.data[text.size - 1] != '\n' || !is_note_text(text)) {
        return no_note(arena, "its text has other bytes than text or no newline at its end");
    }
    write_u32(signature, signer->key_id);
    TRY(ed25519_sign(arena, &signer->key, text, signature + KEY_ID_SIZE));
    text_add_bytes(&note, text);
    text_add(&note, "\n" SIGNATURE_PREFIX "%s %s\n", signer->name,
             base64_encode(arena, (bytes){ signature, sizeof signature }, BASE64_STANDARD));
    *ret_note = text_bytes(&note);
    return status_ok();
}
