#include "tests/e2e/mesh_jobs.h"

#include "libs/base/clock.h"
#include "libs/testing/assert_status.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Packages of our own ---- */

struct known {
    const char *name;
    const char *section;
    const char *summary;
};

static const struct known known[] = {
    { "ffmpeg", "video", "convert video files on the command line" },
    { "rdfind", "utils", "find duplicate files and photos" },
    { "gnuchess", "games", "play chess against the computer" },
};

enum { N_KNOWN = sizeof known / sizeof known[0] };

void mesh_jobs_init(struct mesh_jobs *self, struct mesh_home *mesh, int n_fillers)
{
    FILE *file =
        fopen(arena_printf(mesh->arena, "%s/test_main_binary-amd64_Packages", mesh->temp), "we");

    *self = (struct mesh_jobs){ .mesh = mesh, .n_packages = n_fillers + N_KNOWN };
    assert_non_null(file);
    for (size_t i = 0; i < N_KNOWN; i++) {
        (void)fprintf(file, "Package: %s\nSection: %s\nDescription: %s\n\n", known[i].name,
                      known[i].section, known[i].summary);
    }
    for (int i = 0; i < n_fillers; i++) {
        (void)fprintf(file,
                      "Package: filler-%d\nSection: misc\nPriority: optional\nTag: role::test\n"
                      "Description: filler number %d\n some text about nothing in particular %d\n"
                      " that is as long as texts of packages often are\n\n",
                      i, i, i % 1000);
    }
    assert_int_equal(fclose(file), 0);
}

/* ---- Jobs ---- */

void mesh_jobs_create_collection(struct mesh_jobs *self, const char *collection)
{
    (void)mesh_home_must(
        self->mesh,
        arena_printf(self->mesh->arena,
                     "collection create e2e %s --field name:text --field summary:text "
                     "--field description:text --field section:keyword --field "
                     "priority:keyword --field maintainer:keyword --field version:keyword "
                     "--field tags:keyword",
                     collection));
}

const char *mesh_jobs_enqueue(struct mesh_jobs *self, const char *collection)
{
    json_t *job =
        mesh_home_object(self->mesh, arena_printf(self->mesh->arena,
                                                  "job enqueue e2e ingest.apt --payload "
                                                  "'{\"source\":\"apt\",\"collection\":\"%s\"}'",
                                                  collection));
    const char *id = mesh_home_text(self->mesh, job, "job_id");

    json_decref(job);
    assert_string_not_equal(id, "");
    return id;
}

const char *mesh_jobs_state(struct mesh_jobs *self, const char *job_id, int64_t *ret_done)
{
    json_t *job =
        mesh_home_object(self->mesh, arena_printf(self->mesh->arena, "job get e2e %s", job_id));
    const char *state = mesh_home_text(self->mesh, job, "state");

    *ret_done = json_integer_value(json_object_get(json_object_get(job, "progress"), "done"));
    json_decref(job);
    return state;
}

void mesh_jobs_wait(struct mesh_jobs *self, const char *job_id)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + MESH_HOME_PATIENCE_MS;
    const char *state = "";
    int64_t done;

    while (strcmp(state, "succeeded") != 0) {
        state = mesh_jobs_state(self, job_id, &done);
        if (clock_monotonic_ms(&system_clock) > end_ms || strcmp(state, "dead") == 0) {
            fail_msg("job '%s' is '%s' after %lld", job_id, state, (long long)done);
        }
    }
}

/* The outbox is emptied at once when audit is there, and when it is back again. */
static size_t count_events(struct mesh_jobs *self, const char *target)
{
    int64_t end_ms = clock_monotonic_ms(&system_clock) + MESH_HOME_PATIENCE_MS;
    size_t n = 0;

    while (n == 0 && clock_monotonic_ms(&system_clock) < end_ms) {
        n = count_lines(
            mesh_home_weft(self->mesh, arena_printf(self->mesh->arena,
                                                    "audit list --tenant weft --action job.enqueue "
                                                    "--target %s -o json 2>/dev/null",
                                                    target)),
            target);
    }
    return n;
}

void mesh_jobs_expect_all(struct mesh_jobs *self, const char *job_id, const char *collection)
{
    struct arena *arena = self->mesh->arena;
    const char *list = mesh_home_must(self->mesh, "collection list e2e -o json");
    const char *line = strstr(list, arena_printf(arena, "\"collection_id\":\"%s\"", collection));

    assert_non_null(line);
    const char *count = strstr(line, "\"n_documents\":");
    assert_non_null(count);
    assert_int_equal(strtol(count + strlen("\"n_documents\":"), NULL, 10), self->n_packages);
    assert_int_equal(count_events(self, arena_printf(arena, "job:%s", job_id)), 1);
    const char *log =
        mesh_home_shell(self->mesh, arena_printf(arena, "cat %s/worker.log", self->mesh->temp));
    assert_int_equal(
        count_lines(log, arena_printf(arena, "{\"job_id\":\"%s\",\"event\":\"reported\"}", job_id)),
        1);
}

/* ---- The worker ---- */

void mesh_jobs_start_worker(struct mesh_jobs *self)
{
    struct mesh_home *mesh = self->mesh;
    const char *line = mesh_home_shell(
        mesh, arena_printf(mesh->arena,
                           "%s \"$WEFT_PROGRAMS\"/weft worker apt -o json >>%s/worker.log 2>&1 & "
                           "echo $!",
                           mesh->preload, mesh->temp));

    self->worker = (pid_t)strtol(line, NULL, 10);
    assert_true(self->worker > 1);
}

/* Not our child, but its shell's, which has ended. */
void mesh_jobs_stop_worker(struct mesh_jobs *self, int signal_number)
{
    assert_int_equal(kill(self->worker, signal_number), 0);
    while (kill(self->worker, 0) == 0) {
        (void)usleep(10 * 1000);
    }
    assert_int_equal(errno, ESRCH);
    self->worker = 0;
}
