/* A process that appends is killed, again and again, at moments it does not choose: every event
 * whose append was answered is in the log, once and under its index, and every checkpoint that was
 * seen is the beginning of the one that is there. */

#include "libs/base/text.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/temp_folder.h"
#include "libs/tlog/log_verify.h"
#include "services/audit/audit_engine.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS = 8,
    THREADS = 4,
    BATCH = 7,
    MAX_ACKNOWLEDGED = 20000,
    MIN_LIFE = 20,
    MAX_LIFE = 400
};

struct acknowledged {
    char event_id[32];
    uint64_t index;
};

struct fixture {
    struct arena *arena;
    const char *folder;
    struct disk_files log_files;
    struct disk_files key_files;
    struct audit_engine_options options;
    struct audit_engine *engine;
    struct acknowledged acknowledged[MAX_ACKNOWLEDGED];
    size_t n_acknowledged;
};

static void open_engine(struct fixture *f)
{
    assert_status(store_open(f->arena, arena_printf(f->arena, "sqlite:%s/audit.db", f->folder),
                             &f->options.store),
                  STATUS_OK);
    assert_status(audit_engine_migrate(f->options.store, f->arena), STATUS_OK);
    assert_status(audit_engine_open(&f->options, f->arena, &f->engine), STATUS_OK);
}

static void close_engine(struct fixture *f)
{
    audit_engine_close(f->engine);
    store_close(f->options.store);
}

static struct audit_record event_of(const char *event_id)
{
    return (struct audit_record){
        .event_id = event_id,
        .time_ms = 1700000000000,
        .tenant_id = "acme",
        .actor = "user:ada",
        .action = "record.read",
        .target = "record:7",
        .outcome = AUDIT_DONE,
        .trace_id = "",
        .service = "search",
        .data_subject = "",
    };
}

/* ---- The process that dies ---- */

struct sender {
    struct fixture *f;
    int round, number, out;
};

/* Appends until it is killed; says each event and its index when that was answered. */
static void *append_for_ever(void *data)
{
    const struct sender *self = data;
    struct arena *arena = arena_new();

    for (unsigned n = 0;; n++) {
        struct audit_record events[BATCH];
        uint64_t indices[BATCH];
        struct text lines = text_new(arena);
        for (unsigned i = 0; i < BATCH; i++) {
            events[i] =
                event_of(arena_printf(arena, "r%d-t%d-%u-%u", self->round, self->number, n, i));
        }
        assert_status(audit_engine_append(self->f->engine, arena, events, BATCH, indices),
                      STATUS_OK);
        for (unsigned i = 0; i < BATCH; i++) {
            text_add(&lines, "%s %" PRIu64 "\n", events[i].event_id, indices[i]);
        }
        if (write(self->out, lines.data, lines.size) != (ssize_t)lines.size) {
            return NULL;
        }
        arena_reset(arena);
    }
}

static void live(struct fixture *f, int round, int out)
{
    struct sender senders[THREADS];
    pthread_t threads[THREADS];

    f->options.threaded = true;
    open_engine(f);
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){ f, round, i, out };
        if (pthread_create(&threads[i], NULL, append_for_ever, &senders[i]) != 0) {
            abort();
        }
    }
    (void)pthread_join(threads[0], NULL);
}

/* ---- The one that watches ---- */

/* As anybody may: the checkpoint that is there.  In arena; no bytes when there is none yet. */
static bytes look(struct fixture *f)
{
    bytes data = { 0 };

    status s = files_read(&f->log_files.files, f->arena, "checkpoint", NOTE_MAX_BYTES, &data);
    assert_true(status_is_ok(s) || s.code == STATUS_NOT_FOUND);
    return data;
}

static void note_line(struct fixture *f, const char *line)
{
    struct acknowledged *next = &f->acknowledged[f->n_acknowledged];

    assert_true(f->n_acknowledged < MAX_ACKNOWLEDGED);
    if (sscanf(line, "%31s %" SCNu64, next->event_id, &next->index) == 2 &&
        line[strlen(line) - 1] == '\n') {
        f->n_acknowledged++;
    }
}

/* Kills the process after so many answers, and reads those that were still under way. */
static bytes watch(struct fixture *f, pid_t child, int in, unsigned life)
{
    FILE *lines = fdopen(in, "r");
    char line[100];
    bytes seen = { 0 };

    assert_non_null(lines);
    for (unsigned n = 0; fgets(line, sizeof line, lines) != NULL; n++) {
        note_line(f, line);
        if (n == life) {
            seen = look(f);
            assert_int_equal(kill(child, SIGKILL), 0);
        }
    }
    (void)fclose(lines);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return seen;
}

static void check_acknowledged(struct fixture *f)
{
    for (size_t i = 0; i < f->n_acknowledged; i++) {
        struct arena *arena = arena_new();
        const struct acknowledged *acknowledged = &f->acknowledged[i];
        const struct audit_record event = event_of(acknowledged->event_id);
        uint64_t index;
        /* Sent again it must be found, not appended. */
        assert_status(audit_engine_append(f->engine, arena, &event, 1, &index), STATUS_OK);
        if (index != acknowledged->index) {
            fail_msg("'%s' was entry %" PRIu64 ", and is %" PRIu64, event.event_id,
                     acknowledged->index, index);
        }
        arena_free(arena);
    }
}

static void check_files(struct fixture *f, bytes seen)
{
    struct note_verifier verifier;
    struct audit_log_state log_state;
    struct log_report report;

    assert_status(audit_engine_checkpoint(f->engine, f->arena, &log_state), STATUS_OK);
    assert_true(log_state.integrated >= f->n_acknowledged);
    assert_status(
        note_verifier_parse(f->arena, bytes_of(audit_engine_verifier_key(f->engine)), &verifier),
        STATUS_OK);
    assert_status(log_verify(&(struct log_verify_options){ .files = f->options.log_files,
                                                           .verifier = &verifier,
                                                           .older = seen },
                             f->arena, &report),
                  STATUS_OK);
    if (report.n_faults > 0) {
        fail_msg("%s", report.faults[0]);
    }
}

static void nothing_answered_is_lost_when_the_process_is_killed(void **state)
{
    struct fixture *f = *state;
    struct seeded_random random;

    seeded_random_init(&random, 11);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned life = MIN_LIFE + (unsigned)random_below(&random.source, MAX_LIFE);
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(ends[0]);
            live(f, round, ends[1]);
            _exit(EXIT_FAILURE);
        }
        (void)close(ends[1]);
        bytes seen = watch(f, child, ends[0], life);
        open_engine(f);
        check_acknowledged(f);
        check_files(f, seen);
        close_engine(f);
    }
    assert_true(f->n_acknowledged > (size_t)ROUNDS * MIN_LIFE);
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .arena = arena_new() };
    f.folder = temp_folder(f.arena);
    assert_status(disk_files_init(&f.log_files, f.arena, arena_printf(f.arena, "%s/log", f.folder)),
                  STATUS_OK);
    assert_status(
        disk_files_init(&f.key_files, f.arena, arena_printf(f.arena, "%s/keys", f.folder)),
        STATUS_OK);
    f.options = (struct audit_engine_options){
        .log_files = &f.log_files.files,
        .key_files = &f.key_files.files,
        .origin = "audit.example/kill",
        .clock = &system_clock,
        .random = &system_random,
    };
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    disk_files_reset(&f->log_files);
    disk_files_reset(&f->key_files);
    arena_free(f->arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_answered_is_lost_when_the_process_is_killed, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("audit_kill", tests, NULL, NULL);
}
