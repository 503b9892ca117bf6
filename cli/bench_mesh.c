/* A mesh of its own: how long it takes to be ready, how large it is, and how fast it answers. */

#include "cli/bench.h"
#include "cli/demo.h"
#include "cli/mesh_status.h"
#include "cli/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    QUERIES_A_SECOND = 200,
    QUERY_SECONDS = 10,
    N_QUERIES = QUERIES_A_SECOND * QUERY_SECONDS,
    QUERY_THREADS = 16, /* more than ever wait at once */
    N_REVOCATIONS = 100,
    SETTLE_S = 5, /* until the index has merged what came at once */
};

static const char command[] = "./weft bench mesh";

/* ---- Ourselves, as a person would run us ---- */

static status run_weft(struct invocation *invocation, const char *home, const char *const *words)
{
    int wait_status = 0;

    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null, STDOUT_FILENO);
        (void)setenv("WEFT_HOME", home, 1);
        (void)setenv("WEFT_PROGRAMS", invocation->programs, 1);
        (void)execv("/proc/self/exe", (char *const *)(uintptr_t)words);
        _exit(127);
    }
    (void)waitpid(pid, &wait_status, 0);
    if (pid < 0 || !WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0) {
        return status_error(invocation->arena, STATUS_UNAVAILABLE, "weft %s did not end well",
                            words[1]);
    }
    return status_ok();
}

static double now_s(void)
{
    return (double)clock_monotonic_us(&system_clock) / 1e6;
}

static status measure_up(struct invocation *invocation, const char *home)
{
    static const char *const up[] = { "weft", "up", NULL };
    double begin = now_s();

    TRY(run_weft(invocation, home, up));
    bench_report(invocation, &(struct bench_figure){ "mesh.up", now_s() - begin, "s", 3, true },
                 command);
    return status_ok();
}

/* ---- Memory ---- */

static int supervisor_pid(struct invocation *invocation, const struct home *home)
{
    FILE *file = fopen(home_path(invocation->arena, home, "supervisor.lock"), "re");
    char line[32] = "";

    if (file != NULL) {
        (void)!fgets(line, sizeof line, file);
        (void)fclose(file);
    }
    return (int)strtol(line, NULL, 10);
}

/* Of all programs and their supervisor, in MiB. */
static status total_pss(struct invocation *invocation, const struct home *home, double *ret_mib)
{
    struct mesh_status mesh;
    long kib = probe_memory_kb(invocation->arena, supervisor_pid(invocation, home));

    TRY(mesh_status_get(invocation->arena, home, &mesh));
    mesh_status_probe(invocation->arena, &mesh);
    for (size_t i = 0; i < mesh.n_programs; i++) {
        kib += mesh.programs[i].memory_kb;
    }
    *ret_mib = (double)kib / 1024;
    return status_ok();
}

/* ---- Queries, open loop: a query is due every 5 ms, whether or not the last has ended ---- */

static const char *const queries[] = {
    "convert video files on the command line",
    "find duplicate photos",
    "play chess against the computer",
    "http server",
    "python library for dates",
    "the of and to a",
    "draw diagrams",
    "compress files",
    "programming language compiler",
    "backup over the network",
    "\"text editor\"",
    "music player with playlists",
    "kernel modules",
    "send mail",
    "development files headers",
    "data analysis statistics",
};

struct load {
    struct demo *demo;
    int64_t begin_us;
    _Atomic size_t next;
    _Atomic int n_failed;
    double latency_ms[N_QUERIES];
};

static void wait_until(int64_t due_us)
{
    int64_t left_us = due_us - clock_monotonic_us(&system_clock);

    if (left_us > 0) {
        const struct timespec pause = { .tv_sec = left_us / 1000000,
                                        .tv_nsec = left_us % 1000000 * 1000 };
        (void)nanosleep(&pause, NULL);
    }
}

static void *query(void *data)
{
    struct load *load = data;
    struct invocation own = *load->demo->invocation;
    struct demo demo = *load->demo;
    size_t n;

    demo.invocation = &own;
    while ((n = atomic_fetch_add(&load->next, 1)) < N_QUERIES) {
        const Weft__Search__V1__SearchResponse *response;
        int64_t due_us = load->begin_us + (int64_t)n * 1000000 / QUERIES_A_SECOND;
        own.arena = arena_new();
        wait_until(due_us);
        status s = demo_search(&demo, demo.publisher.token,
                               queries[n % (sizeof queries / sizeof queries[0])], "", &response);
        /* From when it was due: what waits for a thread of ours waits for the service. */
        load->latency_ms[n] = (double)(clock_monotonic_us(&system_clock) - due_us) / 1000;
        atomic_fetch_add(&load->n_failed, !status_is_ok(s));
        arena_free(own.arena);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static status measure_queries(struct invocation *invocation, struct demo *demo)
{
    struct load *load = ARENA_NEW(invocation->arena, struct load);
    pthread_t threads[QUERY_THREADS];

    load->demo = demo;
    load->begin_us = clock_monotonic_us(&system_clock) + 100000;
    session_end_trace(invocation->session); /* a span of one thread is not for sixteen */
    for (size_t i = 0; i < QUERY_THREADS; i++) {
        if (pthread_create(&threads[i], NULL, query, load) != 0) {
            abort();
        }
    }
    for (size_t i = 0; i < QUERY_THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    if (atomic_load(&load->n_failed) > 0) {
        return status_error(invocation->arena, STATUS_ABORTED, "%d of %d queries failed",
                            atomic_load(&load->n_failed), N_QUERIES);
    }
    qsort(load->latency_ms, N_QUERIES, sizeof load->latency_ms[0], compare);
    bench_report(invocation,
                 &(struct bench_figure){ "search.query.p50", load->latency_ms[N_QUERIES / 2], "ms",
                                         0, true },
                 command);
    bench_report(invocation,
                 &(struct bench_figure){ "search.query.p99", load->latency_ms[N_QUERIES * 99 / 100],
                                         "ms", 10, true },
                 command);
    return status_ok();
}

/* ---- Ingest and revocation ---- */

static status measure_ingest(struct invocation *invocation, struct demo *demo)
{
    double before = 0;
    double after = 0;

    TRY(total_pss(invocation, &demo->home, &before));
    bench_report(invocation, &(struct bench_figure){ "mesh.idle.pss", before, "MiB", 110, true },
                 command);
    TRY(demo_tenant_and_key(demo));
    TRY(demo_publish(demo));
    bench_report(invocation,
                 &(struct bench_figure){ "search.ingest", demo->records_per_second, "records/s",
                                         5000, false },
                 command);
    (void)sleep(SETTLE_S);
    TRY(total_pss(invocation, &demo->home, &after));
    bench_report(invocation,
                 &(struct bench_figure){ "mesh.memory.per.record",
                                         (after - before) * 1024 / (double)demo->n_records, "KiB",
                                         1, true },
                 command);
    return status_ok();
}

static status measure_revocations(struct invocation *invocation, struct demo *demo)
{
    static const char *const reading[] = { "project:" DEMO_PROJECT ":data:read", NULL };
    double elapsed_ms[N_REVOCATIONS];

    for (size_t i = 0; i < N_REVOCATIONS; i++) {
        const Weft__Registry__V1__Receipt *receipt = NULL;
        struct demo_key key;
        TRY(demo_make_key(demo, DEMO_TENANT, "leaver", reading, &key));
        TRY(demo_revoke_key(demo, DEMO_TENANT, key.key_id, &receipt));
        elapsed_ms[i] = receipt != NULL ? (double)receipt->elapsed_us / 1000 : 0;
    }
    qsort(elapsed_ms, N_REVOCATIONS, sizeof elapsed_ms[0], compare);
    bench_report(invocation,
                 &(struct bench_figure){ "auth.revocation.p99",
                                         elapsed_ms[N_REVOCATIONS * 99 / 100], "ms", 100, true },
                 command);
    return status_ok();
}

static status measure(struct invocation *invocation, const char *home)
{
    /* What the demo would say is not what was asked for. */
    FILE *nowhere = fopen("/dev/null", "we");
    struct invocation quiet = *invocation;
    struct demo demo = { .invocation = &quiet };
    struct call call;

    if (nowhere == NULL) {
        return status_error(invocation->arena, STATUS_UNAVAILABLE, "/dev/null: %s",
                            strerror(errno));
    }
    quiet.output = output_new(&(struct output_options){ .out = nowhere, .errors = nowhere });
    quiet.root = home;
    status s = api_begin(&quiet, &call);
    invocation->session = quiet.session;
    s = status_is_ok(s) ? home_find(invocation->arena, quiet.root, &demo.home) : s;
    if (status_is_ok(s)) {
        demo.admin_token = arena_strdup(invocation->arena, call.token);
        s = measure_ingest(invocation, &demo);
    }
    s = status_is_ok(s) ? measure_queries(invocation, &demo) : s;
    s = status_is_ok(s) ? measure_revocations(invocation, &demo) : s;
    demo_clean_up(&demo);
    output_free(quiet.output);
    (void)fclose(nowhere);
    return s;
}

status bench_mesh(struct invocation *invocation, const char *scratch)
{
    static const char *const purge[] = { "weft", "down", "--purge", NULL };
    const char *home = arena_printf(invocation->arena, "%s/home", scratch);

    output_progress(invocation->output, "weft: a mesh in '%s'\n", home);
    TRY(run_weft(invocation, home, purge));
    TRY(measure_up(invocation, home));
    status s = measure(invocation, home);
    session_free(invocation->session);
    invocation->session = NULL;
    TRY(run_weft(invocation, home, purge));
    return s;
}
