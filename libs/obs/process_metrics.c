#include "libs/obs/process_metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void add(struct text *page, const char *type, const char *name, const char *help,
                double value)
{
    text_add(page, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

/* The seconds since 1970 at which the machine started; 0 when it does not say. */
static double boot_time(void)
{
    FILE *file = fopen("/proc/stat", "re");
    char line[256];
    uint64_t seconds = 0;

    if (file == NULL) {
        return 0;
    }
    while (seconds == 0 && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "btime %" SCNu64, &seconds) != 1) {
            seconds = 0;
        }
    }
    (void)fclose(file);
    return (double)seconds;
}

/* proc(5), /proc/self/stat: fields 14 utime, 15 stime, 20 threads, 22 start, 23 and 24 memory. */
struct process_stat {
    uint64_t user, system, threads, start, virtual_bytes, resident_pages;
};

static bool read_stat(struct process_stat *ret_stat)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");

    if (file == NULL) {
        return false;
    }
    size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    const char *after_name = strrchr(text, ')'); /* the name may hold anything */
    return after_name != NULL &&
           sscanf(after_name,
                  ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                  " %*d %*d %*d %*d %" SCNu64 " %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
                  &ret_stat->user, &ret_stat->system, &ret_stat->threads, &ret_stat->start,
                  &ret_stat->virtual_bytes, &ret_stat->resident_pages) == 6;
}

static void add_stat(struct text *page)
{
    struct process_stat stat;
    double ticks = (double)sysconf(_SC_CLK_TCK);

    if (!read_stat(&stat)) {
        return;
    }
    add(page, "counter", "process_cpu_seconds_total", "User and system time used.",
        (double)(stat.user + stat.system) / ticks);
    add(page, "gauge", "process_start_time_seconds", "When the process started, since 1970.",
        boot_time() + (double)stat.start / ticks);
    add(page, "gauge", "process_resident_memory_bytes", "Memory in RAM.",
        (double)stat.resident_pages * (double)sysconf(_SC_PAGESIZE));
    add(page, "gauge", "process_virtual_memory_bytes", "Memory mapped.",
        (double)stat.virtual_bytes);
    add(page, "gauge", "process_threads", "Threads.", (double)stat.threads);
}

static void add_descriptors(struct text *page)
{
    enum { NO_DESCRIPTORS = 3 }; /* ".", ".." and the folder itself */
    struct rlimit limit;
    DIR *folder = opendir("/proc/self/fd");
    int n = 0;

    if (folder == NULL) {
        return;
    }
    while (readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    add(page, "gauge", "process_open_fds", "Open file descriptors.", n - NO_DESCRIPTORS);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        add(page, "gauge", "process_max_fds", "How many may be open.", (double)limit.rlim_cur);
    }
}

void process_metrics(struct text *page)
{
    add_stat(page);
    add_descriptors(page);
}
