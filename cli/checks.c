#include "cli/checks.h"

#include "cli/mesh_status.h"
#include "cli/probe.h"
#include "cli/programs.h"
#include "libs/base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

enum {
    MIB = 1024 * 1024,
    /* The Debian records take about 150 MB with their index and its next generation. */
    MIN_FREE_MIB = 200,
    GOOD_FREE_MIB = 2048,
    /* 110 MB idle, and the search index of the demo beside it. */
    MIN_MEMORY_MIB = 200,
    GOOD_MEMORY_MIB = 512,
    /* Certificates are valid from a minute before they were issued. */
    MAX_CLOCK_ERROR_MS = 30 * 1000,
};

/* 2026-01-01: this program was not there before it. */
static const int64_t first_plausible_ms = INT64_C(1767225600000);

static struct finding well(const char *found)
{
    return (struct finding){ .verdict = VERDICT_OK, .found = found };
}

static struct finding bad(enum verdict verdict, const char *found, const char *next)
{
    return (struct finding){ .verdict = verdict, .found = found, .next = next };
}

/* ---- The machine ---- */

static bool is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/* Which packages are missing is known to the script that starts us, which installs them. */
static struct finding check_packages(struct arena *arena, const struct home *home)
{
    const char *missing = getenv("WEFT_MISSING_PACKAGES");
    const char *missing_for_tests = getenv("WEFT_MISSING_TEST_PACKAGES");

    (void)home;
    if (is_set(missing)) {
        return bad(VERDICT_FAIL, arena_printf(arena, "missing: %s", missing),
                   "./weft up installs them");
    }
    if (is_set(missing_for_tests)) {
        return bad(VERDICT_WARN, arena_printf(arena, "missing for tests: %s", missing_for_tests),
                   "./weft test installs them");
    }
    return well("all that the build and the tests need are installed");
}

struct finding check_space(struct arena *arena, const char *path, uint64_t free_bytes,
                           uint64_t free_inodes)
{
    uint64_t mib = free_bytes / MIB;
    const char *found = arena_printf(arena, "%" PRIu64 " MiB and %" PRIu64 " files free at '%s'",
                                     mib, free_inodes, path);

    if (mib < MIN_FREE_MIB || free_inodes < 1000) {
        return bad(VERDICT_FAIL, found, "make room, or set WEFT_HOME to another disk");
    }
    if (mib < GOOD_FREE_MIB) {
        return bad(VERDICT_WARN, found, "enough to begin with; the logs and the index will grow");
    }
    return well(found);
}

static struct finding check_disk(struct arena *arena, const struct home *home)
{
    const char *path = home->exists ? home->root : ".";
    struct statvfs info;

    if (statvfs(path, &info) != 0) {
        return bad(VERDICT_FAIL, arena_printf(arena, "'%s': %s", path, strerror(errno)),
                   "set WEFT_HOME to a folder that can be read");
    }
    if ((info.f_flag & ST_RDONLY) != 0) {
        return bad(VERDICT_FAIL, arena_printf(arena, "'%s' cannot be written", path),
                   "set WEFT_HOME to another disk");
    }
    /* Some file systems count no inodes. */
    uint64_t inodes = info.f_files == 0 ? UINT64_MAX : info.f_favail;
    return check_space(arena, path, (uint64_t)info.f_bavail * info.f_frsize, inodes);
}

struct finding check_memory_of(struct arena *arena, uint64_t available_bytes)
{
    uint64_t mib = available_bytes / MIB;
    const char *found = arena_printf(arena, "%" PRIu64 " MiB available", mib);

    if (mib < MIN_MEMORY_MIB) {
        return bad(VERDICT_FAIL, found, "end something, or add memory");
    }
    if (mib < GOOD_MEMORY_MIB) {
        return bad(VERDICT_WARN, found, "enough for the services; the demo may have to swap");
    }
    return well(found);
}

static struct finding check_memory(struct arena *arena, const struct home *home)
{
    FILE *file = fopen("/proc/meminfo", "re");
    uint64_t kib = 0;
    char line[256];

    (void)home;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "MemAvailable:", 13) == 0) {
            kib = strtoull(line + 13, NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return check_memory_of(arena, kib * 1024);
}

/* ---- Time ---- */

struct finding check_clock_against(struct arena *arena, int64_t wall_ms, int64_t newest_ms)
{
    if (wall_ms < first_plausible_ms) {
        return bad(VERDICT_FAIL, "the clock is before 2026, so every certificate is of the future",
                   "set the clock: timedatectl set-ntp true");
    }
    if (newest_ms > wall_ms + MAX_CLOCK_ERROR_MS) {
        return bad(VERDICT_FAIL,
                   arena_printf(arena, "the clock is %" PRId64 " s behind what is in the state",
                                (newest_ms - wall_ms) / 1000),
                   "set the clock, or wait until it has caught up");
    }
    return well("the clock is plausible and not behind the state");
}

/* When something in the home was last written. */
static int64_t newest_in(struct arena *arena, const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    int64_t newest = 0;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        struct stat info;
        if (entry->d_name[0] != '.' &&
            lstat(arena_printf(arena, "%s/%s", path, entry->d_name), &info) == 0) {
            int64_t ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
            newest = ms > newest ? ms : newest;
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
    return newest;
}

static struct finding check_clock(struct arena *arena, const struct home *home)
{
    int64_t newest = home->exists ? newest_in(arena, home->root) : 0;

    return check_clock_against(arena, clock_wall_ms(&system_clock), newest);
}

static struct finding check_skew(struct arena *arena, const struct home *home)
{
    struct timex state = { 0 };
    int answer = adjtimex(&state);

    (void)home;
    if (answer < 0) {
        return bad(VERDICT_WARN, "the kernel does not say whether the clock is kept in step",
                   "no matter on one host; between hosts at most 30 s may lie");
    }
    if (answer == TIME_ERROR || (state.status & STA_UNSYNC) != 0) {
        return bad(
            VERDICT_WARN, "nothing keeps the clock in step with the world's",
            "no matter on one host; between hosts run NTP: at most 30 s may lie between them");
    }
    return well(arena_printf(arena, "kept in step, off by at most %ld ms", state.maxerror / 1000));
}

/* ---- The state ---- */

static bool runs(struct arena *arena, const struct home *home)
{
    struct mesh_status mesh;

    return home->runtime != NULL && status_is_ok(mesh_status_get(arena, home, &mesh));
}

static struct finding check_ports(struct arena *arena, const struct home *home)
{
    if (!home->exists) {
        return well("none are chosen yet");
    }
    const char *ports =
        arena_printf(arena, "%d and %d of 127.0.0.1", home->registry_port, home->bootstrap_port);
    if (runs(arena, home)) {
        return well(arena_printf(arena, "%s, in use by the registry", ports));
    }
    if (!port_is_free(home->registry_port) || !port_is_free(home->bootstrap_port)) {
        return bad(VERDICT_WARN, arena_printf(arena, "%s: somebody else has one of them", ports),
                   "./weft up will choose others");
    }
    return well(arena_printf(arena, "%s are free", ports));
}

static bool lock_is_held(struct arena *arena, const struct home *home)
{
    int fd = open(home_path(arena, home, "supervisor.lock"), O_RDWR | O_CLOEXEC);
    bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;

    if (fd >= 0) {
        (void)close(fd);
    }
    return held;
}

static struct finding check_stale(struct arena *arena, const struct home *home)
{
    if (!home->exists) {
        return well("there is no state yet");
    }
    bool answers = runs(arena, home);
    bool held = lock_is_held(arena, home);
    if (held && !answers) {
        return bad(VERDICT_FAIL, "a supervisor runs and does not answer",
                   arena_printf(arena, "kill $(cat %s/supervisor.lock)", home->root));
    }
    if (answers) {
        return well("a mesh runs");
    }
    if (access(home_socket(arena, home, "control.sock"), F_OK) == 0) {
        return bad(VERDICT_WARN, "sockets of a supervisor that was killed",
                   "./weft up takes their place");
    }
    return well("nothing runs, and nothing is left over");
}

static bool is_open_to_others(const char *path, mode_t allowed)
{
    struct stat info;

    return lstat(path, &info) == 0 && (info.st_mode & 0777 & ~allowed) != 0;
}

static struct finding check_modes(struct arena *arena, const struct home *home)
{
    if (!home->exists) {
        return well("there is no state yet");
    }
    if (is_open_to_others(home->root, 0700)) {
        return bad(VERDICT_FAIL, arena_printf(arena, "others may look into '%s'", home->root),
                   arena_printf(arena, "chmod 700 %s", home->root));
    }
    for (size_t i = 0; i < N_PROGRAMS; i++) {
        const char *path = home_path(arena, home, program_entries[i].name);
        if (is_open_to_others(path, 0700)) {
            return bad(VERDICT_FAIL, arena_printf(arena, "others may look into '%s'", path),
                       arena_printf(arena, "chmod 700 %s", path));
        }
    }
    return well("only their owners may look into the state's folders");
}

static struct finding check_services(struct arena *arena, const struct home *home)
{
    struct mesh_status mesh;

    if (home->runtime == NULL || !status_is_ok(mesh_status_get(arena, home, &mesh))) {
        return well("no mesh runs");
    }
    mesh_status_probe(arena, &mesh);
    for (size_t i = 0; i < mesh.n_programs; i++) {
        const struct program_status *program = &mesh.programs[i];
        bool healthy = program->health == NULL || strcmp(program->health, "healthy") == 0;
        if (strcmp(program->state, "ready") != 0 || !healthy) {
            return bad(VERDICT_FAIL,
                       arena_printf(arena, "%s: %s", program->name,
                                    healthy ? program->state : program->health),
                       arena_printf(arena, "./weft logs %s", program->name));
        }
    }
    return well("all are ready and healthy");
}

const struct check checks[] = {
    { "packages", check_packages }, { "disk", check_disk },
    { "memory", check_memory },     { "clock", check_clock },
    { "time skew", check_skew },    { "ports", check_ports },
    { "stale state", check_stale }, { "file modes", check_modes },
    { "services", check_services }, { 0 },
};
