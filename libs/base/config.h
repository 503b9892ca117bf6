/* config - what a program is told by its environment, all mistakes at once.
 *
 *     struct config *config = config_new(arena);
 *     const char *listen = config_text(config, "WEFT_LISTEN", "127.0.0.1:0");
 *     const char *database = config_text(config, "WEFT_DATABASE", NULL);     required
 *     int64_t workers = config_number(config, "WEFT_WORKERS", 4, 1, 256);
 *     config_check_or_exit(config);
 *
 * Values live as long as the arena.
 */

#ifndef LIBS_BASE_CONFIG_H_
#define LIBS_BASE_CONFIG_H_

#include "libs/base/arena.h"
#include "libs/base/attributes.h"

#include <stdint.h>

struct config;

struct config *config_new(struct arena *arena) NONNULL RETURNS_NONNULL;
/* The variable's value; when it is not set, or empty, the default; NULL says that there is none
 * and the variable is required. */
const char *config_text(struct config *config, const char *name, const char *standard)
    NONNULL_ARGS(1, 2);
int64_t config_number(struct config *config, const char *name, int64_t standard, int64_t min,
                      int64_t max) NONNULL;
/* One sentence for each mistake, or NULL when there is none. */
const char *config_mistakes(const struct config *config) NONNULL;
/* Prints the mistakes to standard error and exits with 78 (EX_CONFIG of sysexits.h). */
void config_check_or_exit(const struct config *config) NONNULL;

#endif
