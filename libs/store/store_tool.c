/* store_tool - what is in a store and at which version, and the way back from it.
 *
 *     store_tool FILE                      one line for each component: its name, its version
 *     store_tool FILE COMPONENT VERSION    takes its tables back; what came later is lost
 *
 * The service must be down: it would go on with tables that are not there.
 */

#include "libs/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static status print_versions(struct store *store, struct arena *arena)
{
    struct store_versions all;

    TRY(store_read_versions(store, arena, &all));
    for (size_t i = 0; i < all.n_versions; i++) {
        printf("%-24s %zu\n", all.versions[i].component, all.versions[i].version);
    }
    return status_ok();
}

static status go_back(struct store *store, struct arena *arena, const char *component,
                      const char *text)
{
    char *end = NULL;

    errno = 0;
    unsigned long version = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0') {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "'%s' is no version", text);
    }
    TRY(store_migrate_back(store, arena, component, version));
    return print_versions(store, arena);
}

static status run(struct arena *arena, int argc, char **argv)
{
    struct store *store = NULL;

    if (argc != 2 && argc != 4) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "usage: store_tool FILE [COMPONENT VERSION]");
    }
    if (access(argv[1], F_OK) != 0) { /* to open it would make it */
        return status_error(arena, STATUS_NOT_FOUND, "'%s': %s", argv[1], strerror(errno));
    }
    TRY(store_open(arena, arena_printf(arena, "sqlite:%s", argv[1]), &store));
    status s = argc == 2 ? print_versions(store, arena) : go_back(store, arena, argv[2], argv[3]);
    store_close(store);
    return s;
}

int main(int argc, char **argv)
{
    struct arena *arena = arena_new();
    status s = run(arena, argc, argv);

    if (!status_is_ok(s)) {
        (void)fprintf(stderr, "store_tool: %s\n", s.message);
    }
    int code = status_is_ok(s) ? EXIT_SUCCESS : EXIT_FAILURE;
    arena_free(arena);
    return code;
}
