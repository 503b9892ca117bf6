#include "services/scheduler/job.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is let through is safe in a key, a path, a permission and a log line. */
static void check_safe(const char *name)
{
    assert(strlen(name) >= 1 && strlen(name) <= JOB_MAX_NAME_BYTES);
    assert(strpbrk(name, "/:%*'{ \n") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly this size, so that AddressSanitizer sees one byte too far. */
    char *name = malloc(size + 1);
    struct arena *arena = arena_new();

    if (name == NULL) {
        abort();
    }
    if (size > 0) {
        memcpy(name, data, size);
    }
    name[size] = '\0';
    const struct job_record job = { .project_id = name,
                                    .capability = name,
                                    .idempotency_key = name,
                                    .permissions = name,
                                    .trace = name,
                                    .max_attempts = 1 };
    if (job_project_is_valid(name)) {
        check_safe(name);
        assert(job_capability_is_valid(name)); /* which may have dots besides */
    }
    if (job_capability_is_valid(name) || job_id_is_valid(name)) {
        check_safe(name);
    }
    if (status_is_ok(job_check(arena, &job))) {
        assert(job_project_is_valid(name));
    }
    arena_free(arena);
    free(name);
    return 0;
}
