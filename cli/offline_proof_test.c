#include "cli/offline_proof.h"

#include "libs/base/files.h"
#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/temp_folder.h"
#include "libs/tlog/test_log.h"
#include "libs/tlog/tile_reader.h"
#include "libs/tlog/tlog_proof.h"

#include <string.h>

/* A log of 300 entries with a checkpoint at 7, and the proof of entry 3. */
struct fixture {
    struct arena *arena;
    const char *log_folder;
    const char *proof_folder;
    struct disk_files log_files;
    struct disk_files proof_files;
    struct test_log log;
    struct output *output;
};

static const uint64_t sizes[] = { 7, 300 };

static void make_proof(struct fixture *f)
{
    struct tile_nodes nodes;
    struct merkle_path path;
    struct merkle_path grown;

    tile_nodes_init(&nodes, &f->log_files.files, 300);
    assert_status(merkle_prove_inclusion(&nodes.nodes, f->arena, 3, 300, &path), STATUS_OK);
    assert_status(merkle_prove_consistency(&nodes.nodes, f->arena, 7, 300, &grown), STATUS_OK);
    bytes *hashes = ARENA_NEW_ARRAY(f->arena, bytes, grown.n_hashes);
    for (size_t i = 0; i < grown.n_hashes; i++) {
        hashes[i] = sha256_bytes(&grown.hashes[i]);
    }
    const struct tlog_proof proof = { .index = 3,
                                      .path = path,
                                      .checkpoint = f->log.checkpoints[1] };
    assert_status(offline_proof_save(f->arena, f->proof_folder,
                                     &(struct offline_proof){
                                         .leaf = test_log_entry(f->arena, 3),
                                         .bundle = tlog_proof_encode(f->arena, &proof),
                                         .verifier_key = bytes_of(
                                             note_verifier_format(f->arena, &f->log.verifier)),
                                         .older_checkpoint = f->log.checkpoints[0],
                                         .consistency = hashes,
                                         .n_consistency = grown.n_hashes,
                                     }),
                  STATUS_OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->arena = arena_new();
    f->log_folder = temp_folder(f->arena);
    f->proof_folder = temp_folder(f->arena);
    f->output = output_new(
        &(struct output_options){ .out = stdout, .errors = stderr, .format = OUTPUT_JSON });
    assert_status(disk_files_init(&f->log_files, f->arena, f->log_folder), STATUS_OK);
    assert_status(disk_files_init(&f->proof_files, f->arena, f->proof_folder), STATUS_OK);
    test_log_write(&f->log, f->arena, &f->log_files.files, sizes, 2);
    make_proof(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    output_free(f->output);
    disk_files_reset(&f->log_files);
    disk_files_reset(&f->proof_files);
    arena_free(f->arena);
    free(f);
    return 0;
}

static void flip(struct fixture *f, struct files *files, const char *name, uint64_t at)
{
    struct file *file = NULL;
    uint8_t byte = 0;
    size_t n = 0;

    assert_status(files_open(files, f->arena, name, FILES_WRITE, &file), STATUS_OK);
    assert_status(file_read_at(file, f->arena, at, &byte, 1, &n), STATUS_OK);
    byte ^= 1;
    assert_status(file_write_at(file, f->arena, at, (bytes){ &byte, 1 }), STATUS_OK);
    file_close(file);
}

static void a_saved_proof_is_verified_from_its_files(void **state)
{
    struct fixture *f = *state;

    assert_status(offline_proof_verify(f->arena, f->proof_folder, f->output), STATUS_OK);
}

static void a_flipped_byte_in_a_proof_is_named(void **state)
{
    struct fixture *f = *state;
    const char *names[] = { "leaf", "older-checkpoint", "consistency" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        flip(f, &f->proof_files.files, names[i], 0);
        status s = offline_proof_verify(f->arena, f->proof_folder, f->output);
        assert_false(status_is_ok(s));
        if (strstr(s.message, names[i]) == NULL) {
            fail_msg("'%s' does not name '%s'", s.message, names[i]);
        }
        flip(f, &f->proof_files.files, names[i], 0);
    }
    assert_status(offline_proof_verify(f->arena, f->proof_folder, f->output), STATUS_OK);
}

static void a_proof_without_an_older_checkpoint_proves_inclusion_alone(void **state)
{
    struct fixture *f = *state;

    assert_status(files_remove(&f->proof_files.files, f->arena, "older-checkpoint"), STATUS_OK);
    assert_status(offline_proof_verify(f->arena, f->proof_folder, f->output), STATUS_OK);
}

static void the_files_of_a_log_are_verified(void **state)
{
    struct fixture *f = *state;
    bytes key = bytes_of(note_verifier_format(f->arena, &f->log.verifier));

    assert_status(
        offline_log_verify(f->arena, f->log_folder, key, f->log.checkpoints[0], f->output),
        STATUS_OK);
    flip(f, &f->log_files.files, "tile/entries/000", 5);
    status s = offline_log_verify(f->arena, f->log_folder, key, (bytes){ 0 }, f->output);
    assert_status(s, STATUS_DATA_LOSS);
    assert_non_null(strstr(s.message, "tile/entries/000"));
}

static void a_key_that_is_none_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_status(
        offline_log_verify(f->arena, f->log_folder, bytes_of("no key"), (bytes){ 0 }, f->output),
        STATUS_INVALID_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_saved_proof_is_verified_from_its_files),
        TEST(a_flipped_byte_in_a_proof_is_named),
        TEST(a_proof_without_an_older_checkpoint_proves_inclusion_alone),
        TEST(the_files_of_a_log_are_verified),
        TEST(a_key_that_is_none_is_refused),
    };

    return cmocka_run_group_tests_name("offline_proof", tests, NULL, NULL);
}
