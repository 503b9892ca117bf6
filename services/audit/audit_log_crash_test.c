/* The log crashes at every operation, loses every sync in turn and is failed by every operation,
 * and each time: what was acknowledged is in it, and every checkpoint that was ever seen is the
 * beginning of the one that is there. */

#include "services/audit/audit_log.h"

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/crash_files.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/seeded_random.h"
#include "libs/tlog/log_verify.h"
#include "libs/tlog/tile_reader.h"

#include <string.h>

enum { MAX_LEAVES = 1000, MAX_CHECKPOINTS = 100, MAX_SYNCS = 1000 };

/* What the workload does: appends so many leaves, or integrates. */
enum { INTEGRATE = 0, REOPEN = -1 };

/* Through a full tile at every level there is, exactly up to its edge, and over an integration
 * that finds nothing. */
static const int workload[] = { 3,  1,         INTEGRATE, 2, INTEGRATE, INTEGRATE, 200,
                                30, 20,        INTEGRATE, 5, 5,         INTEGRATE, 250,
                                6,  INTEGRATE, REOPEN,    1, REOPEN,    2,         INTEGRATE };

/* The files under test, and beside them a note of which syncs are files_make_folder()'s own. */
struct fixture {
    struct files files; /* what is passed in */
    struct crash_files crash;
    struct arena *arena;
    struct fake_clock clock;
    struct note_signer signer;
    unsigned next_leaf;                /* each leaf is another: "leaf 17" */
    unsigned acknowledged[MAX_LEAVES]; /* the leaf of each index, 0 unknown */
    struct merkle_tree seen[MAX_CHECKPOINTS];
    size_t n_seen;
    uint64_t published;             /* the size of the last checkpoint that was promised */
    bool in_make_folder[MAX_SYNCS]; /* by the number of the sync */
    const char *broken;             /* what the check has found; NULL: nothing */
};

static struct fixture *fixture_of(struct files *files)
{
    return (struct fixture *)files;
}

#define REAL(files) (&fixture_of(files)->crash.files)

static status pass_open(struct files *files, struct arena *arena, const char *name,
                        enum files_mode mode, struct file **ret_file)
{
    return files_open(REAL(files), arena, name, mode, ret_file);
}

static status pass_rename(struct files *files, struct arena *arena, const char *from,
                          const char *to)
{
    return files_rename(REAL(files), arena, from, to);
}

static status pass_remove(struct files *files, struct arena *arena, const char *name)
{
    return files_remove(REAL(files), arena, name);
}

static status note_make_folder(struct files *files, struct arena *arena, const char *folder)
{
    struct fixture *f = fixture_of(files);
    uint64_t before = f->crash.n_syncs;

    status s = files_make_folder(REAL(files), arena, folder);
    for (uint64_t n = before + 1; n <= f->crash.n_syncs && n < MAX_SYNCS; n++) {
        f->in_make_folder[n] = true;
    }
    return s;
}

static status pass_list(struct files *files, struct arena *arena, const char *folder,
                        struct files_names *ret_names)
{
    return files_list(REAL(files), arena, folder, ret_names);
}

static status pass_sync_folder(struct files *files, struct arena *arena, const char *folder)
{
    return files_sync_folder(REAL(files), arena, folder);
}

static const struct files_ops fixture_ops = {
    .open = pass_open,
    .rename = pass_rename,
    .remove = pass_remove,
    .make_folder = note_make_folder,
    .list = pass_list,
    .sync_folder = pass_sync_folder,
};

static void begin(struct fixture *f)
{
    struct seeded_random random;

    *f = (struct fixture){ .files = { .ops = &fixture_ops }, .arena = arena_new() };
    crash_files_init(&f->crash);
    fake_clock_init(&f->clock, 1700000000000);
    seeded_random_init(&random, 5);
    assert_status(note_signer_generate(f->arena, &random.source, "log.example/crash", &f->signer),
                  STATUS_OK);
}

static void end(struct fixture *f)
{
    crash_files_reset(&f->crash);
    arena_free(f->arena);
}

static status open_log(struct fixture *f, struct audit_log **ret_log)
{
    return audit_log_open(&(struct audit_log_options){ .files = &f->files,
                                                       .signer = &f->signer,
                                                       .clock = &f->clock.clock },
                          f->arena, ret_log);
}

static bytes leaf_of(struct fixture *f, unsigned number)
{
    return bytes_of(arena_printf(f->arena, "leaf %u", number));
}

static void append(struct fixture *f, struct audit_log *log, int n)
{
    bytes leaves[256];
    uint64_t first = 0;
    unsigned number = f->next_leaf + 1;

    for (int i = 0; i < n; i++) {
        leaves[i] = leaf_of(f, ++f->next_leaf);
    }
    if (status_is_ok(audit_log_append(log, f->arena, leaves, (size_t)n, &first))) {
        for (int i = 0; i < n; i++) {
            f->acknowledged[first + (uint64_t)i] = number + (unsigned)i;
        }
    }
}

/* As anybody may at any time: reads the checkpoint that is there. */
static void look(struct fixture *f)
{
    struct note_verifier verifier = note_signer_verifier(&f->signer);
    struct checkpoint checkpoint;
    bytes data;

    if (status_is_ok(files_read(&f->files, f->arena, "checkpoint", NOTE_MAX_BYTES, &data)) &&
        status_is_ok(checkpoint_open(f->arena, data, &verifier, &checkpoint))) {
        assert_true(f->n_seen < MAX_CHECKPOINTS);
        f->seen[f->n_seen++] = checkpoint.tree;
    }
}

static uint64_t integrated(struct fixture *f, struct audit_log *log)
{
    struct audit_log_state log_state;

    audit_log_state(log, f->arena, &log_state);
    return log_state.integrated;
}

/* What was done with the log went well: a larger checkpoint than the one seen before is promised.
 */
static void note_published(struct fixture *f, struct audit_log *log)
{
    uint64_t before = f->n_seen > 0 ? f->seen[f->n_seen - 1].size : 0;

    if (integrated(f, log) > before) {
        f->published = integrated(f, log);
    }
}

/* Goes on over what fails, as a service does. */
static void use(struct fixture *f)
{
    struct audit_log *log = NULL;

    for (size_t i = 0; i < sizeof workload / sizeof workload[0]; i++) {
        if (workload[i] == REOPEN) {
            audit_log_close(log);
            log = NULL;
        }
        if (log == NULL) {
            if (!status_is_ok(open_log(f, &log))) {
                look(f);
                continue;
            }
            note_published(f, log);
        }
        if (workload[i] > 0) {
            append(f, log, workload[i]);
        } else if (workload[i] == INTEGRATE && status_is_ok(audit_log_integrate(log, f->arena))) {
            note_published(f, log);
        }
        look(f);
    }
    audit_log_close(log);
}

/* ---- After the crash ---- */

static void found(struct fixture *f, const char *what, const char *message)
{
    if (f->broken == NULL) {
        f->broken = arena_printf(f->arena, "%s: %s", what, message);
    }
}

static void check_acknowledged(struct fixture *f, struct audit_log *log)
{
    for (uint64_t i = 0; i < MAX_LEAVES; i++) {
        bytes leaf;
        if (f->acknowledged[i] == 0) {
            continue;
        }
        const bytes want = leaf_of(f, f->acknowledged[i]);
        status s = audit_log_read(log, f->arena, i, &leaf);
        if (!status_is_ok(s)) {
            found(f, "an acknowledged leaf", s.message);
        } else if (leaf.size != want.size || memcmp(leaf.data, want.data, leaf.size) != 0) {
            found(f, "an acknowledged leaf", "has changed");
        }
    }
}

static void check_seen(struct fixture *f, uint64_t size)
{
    struct tile_nodes nodes;

    tile_nodes_init(&nodes, &f->files, size);
    for (size_t i = 0; i < f->n_seen; i++) {
        struct sha256 root;
        if (f->seen[i].size > size) {
            found(f, "a checkpoint that was seen", "is larger than the log");
            continue;
        }
        status s = merkle_tree_root(&nodes.nodes, f->arena, f->seen[i].size, &root);
        if (!status_is_ok(s) || !sha256_equal(&root, &f->seen[i].root)) {
            found(f, "a checkpoint that was seen", "is not the beginning of the log");
        }
    }
}

static void check_files(struct fixture *f)
{
    struct note_verifier verifier = note_signer_verifier(&f->signer);
    struct log_report report;

    assert_status(
        log_verify(&(struct log_verify_options){ .files = &f->files, .verifier = &verifier },
                   f->arena, &report),
        STATUS_OK);
    if (report.n_faults > 0) {
        found(f, "the files", report.faults[0]);
    }
}

/* What was published stays so, also for who reads the files while no service runs. */
static void check_published(struct fixture *f)
{
    size_t n_before = f->n_seen;

    look(f);
    if (f->published > 0 && (f->n_seen == n_before || f->seen[n_before].size < f->published)) {
        found(f, "the checkpoint", "went back");
    }
}

/* Opens the log as it is on disk, and looks for what is missing. */
static void check(struct fixture *f)
{
    struct audit_log *log = NULL;
    struct audit_log_state state;

    f->broken = NULL;
    check_published(f);
    status s = open_log(f, &log);
    if (!status_is_ok(s)) {
        found(f, "open", s.message);
        return;
    }
    check_acknowledged(f, log);
    append(f, log, 7);
    s = audit_log_integrate(log, f->arena);
    if (!status_is_ok(s)) {
        found(f, "integrate", s.message);
    }
    audit_log_state(log, f->arena, &state);
    check_acknowledged(f, log);
    check_seen(f, state.integrated);
    check_files(f);
    audit_log_close(log);
}

/* One life with its faults, a crash, and what is found then.  Returns the operations it took. */
static uint64_t live(struct fixture *f, const struct crash_files *faults)
{
    begin(f);
    f->crash.crash_after = faults->crash_after;
    f->crash.fail_operation = faults->fail_operation;
    f->crash.skip_sync = faults->skip_sync;
    f->crash.torn = faults->torn;
    use(f);
    uint64_t n_operations = f->crash.n_operations;
    crash_files_crash(&f->crash);
    check(f);
    return n_operations;
}

/* ---- Tests ---- */

static void nothing_acknowledged_is_lost_wherever_it_crashes(void **state)
{
    static const enum crash_torn torn[] = { TORN_NOTHING, TORN_FIRST_HALF, TORN_LAST_HALF };
    static struct fixture f;

    (void)state;
    for (size_t t = 0; t < 3; t++) {
        bool is_over = false;
        for (unsigned n = 1; !is_over; n++) {
            is_over = live(&f, &(struct crash_files){ .crash_after = n, .torn = torn[t] }) < n;
            if (f.broken != NULL) {
                fail_msg("crash at operation %u, torn %u: %s", n, (unsigned)t, f.broken);
            }
            end(&f);
        }
    }
}

static void nothing_acknowledged_is_lost_whatever_fails(void **state)
{
    static struct fixture f;
    bool is_over = false;

    (void)state;
    for (unsigned n = 1; !is_over; n++) {
        is_over = live(&f, &(struct crash_files){ .fail_operation = n }) < n;
        if (f.broken != NULL) {
            fail_msg("operation %u fails: %s", n, f.broken);
        }
        end(&f);
    }
}

/* Whether a crash at some operation from the given one on shows that the nth sync was skipped. */
static bool is_noticed(unsigned n, unsigned crash)
{
    static struct fixture f;
    bool noticed = false;
    bool is_over = false;

    for (unsigned c = crash; !noticed && !is_over; c++) {
        is_over = live(&f, &(struct crash_files){ .skip_sync = n, .crash_after = c }) < c;
        noticed = f.broken != NULL;
        end(&f);
    }
    return noticed;
}

/* The second sync of all is of the name of the checkpoint over nothing: nothing is lost with it. */
enum { SYNC_OF_NOTHING = 2 };

/* files_make_folder() syncs what it changes at once; where the log syncs the same folder once more
 * before it counts on it, nobody can tell.  Every other sync is the log's own. */
static void no_sync_can_be_left_out(void **state)
{
    static struct fixture f;
    unsigned operation_of[MAX_SYNCS] = { 0 };
    unsigned n_syncs = 0;
    bool is_over = false;

    (void)state;
    for (unsigned c = 1; !is_over; c++) {
        begin(&f);
        f.crash.crash_after = c;
        use(&f);
        is_over = f.crash.n_operations < c;
        for (; n_syncs < f.crash.n_syncs; n_syncs++) {
            assert_true(n_syncs + 1 < MAX_SYNCS);
            operation_of[n_syncs + 1] = c;
        }
        if (!is_over) {
            end(&f);
        }
    }
    for (unsigned n = 1; n <= n_syncs; n++) {
        if (!f.in_make_folder[n] && n != SYNC_OF_NOTHING && !is_noticed(n, operation_of[n])) {
            fail_msg("sync %u of %u, operation %u, is not needed or not tested", n, n_syncs,
                     operation_of[n]);
        }
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_wherever_it_crashes),
        cmocka_unit_test(nothing_acknowledged_is_lost_whatever_fails),
        cmocka_unit_test(no_sync_can_be_left_out),
    };

    return cmocka_run_group_tests_name("audit_log_crash", tests, NULL, NULL);
}
