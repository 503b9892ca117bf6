#include "tests/faults/small_disk.h"

#include "libs/testing/assert_status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096,
    /* What is left to the filler, which is memory: the disk shrinks around what it holds. */
    FILLER_BYTES = 4 * 1024 * 1024,
    MAX_PATH_BYTES = 256,
};

static bool refused(const char *what)
{
    print_message("%s: %s\n", what, strerror(errno));
    return false;
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0) {
        (void)close(fd);
    }
    return ok;
}

/* Who we are outside is who user 1000 is inside. */
static bool become_user_1000(unsigned uid, unsigned gid)
{
    char users[64];
    char groups[64];

    (void)snprintf(users, sizeof users, "1000 %u 1", uid);
    (void)snprintf(groups, sizeof groups, "1000 %u 1", gid);
    return write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", users) &&
           write_file("/proc/self/gid_map", groups);
}

bool small_disk_mount(const char *folder)
{
    unsigned uid = geteuid();
    unsigned gid = getegid();

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return refused("a user namespace of our own");
    }
    if (!become_user_1000(uid, gid)) {
        return refused("another user in a namespace of our own");
    }
    if (mkdir(folder, 0700) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("small_disk", folder, "tmpfs", 0, "size=2g,mode=0700") != 0) {
        return refused("a file system of our own");
    }
    return true;
}

void small_disk_unmount(const char *folder)
{
    (void)umount2(folder, MNT_DETACH);
}

static void resize(const char *folder, uint64_t more_bytes)
{
    char options[64];
    struct statvfs info;

    assert_int_equal(statvfs(folder, &info), 0);
    uint64_t used = (uint64_t)(info.f_blocks - info.f_bfree) * info.f_frsize;
    (void)snprintf(options, sizeof options, "size=%" PRIu64, used + more_bytes);
    assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT, options), 0);
}

static const char *filler(const char *folder, char path[MAX_PATH_BYTES])
{
    (void)snprintf(path, MAX_PATH_BYTES, "%s/filler", folder);
    return path;
}

/* What others free meanwhile is taken, too, since a page is asked for until there is none. */
void small_disk_fill(const char *folder)
{
    static const char page[PAGE_BYTES];
    char path[MAX_PATH_BYTES];

    resize(folder, FILLER_BYTES);
    int fd = open(filler(folder, path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof page) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(close(fd), 0);
}

void small_disk_clear(const char *folder)
{
    char path[MAX_PATH_BYTES];

    assert_int_equal(unlink(filler(folder, path)), 0);
    resize(folder, (uint64_t)1 << 31);
}
