#include "services/scheduler/job.h"

#include "libs/base/status_details.h"

#include <inttypes.h>
#include <string.h>

const char *job_state_name(enum job_state state)
{
    switch (state) {
#define X(name, number) \
    case JOB_##name:    \
        return #name;
        JOB_STATES(X)
#undef X
    case JOB_ANY_STATE:
        break;
    }
    return "ANY_STATE";
}

static bool name_is_valid(const char *name, const char *characters)
{
    size_t length = strspn(name, characters);

    return name[length] == '\0' && length <= JOB_MAX_NAME_BYTES && name[0] >= 'a' && name[0] <= 'z';
}

bool job_project_is_valid(const char *name)
{
    return name_is_valid(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

bool job_capability_is_valid(const char *name)
{
    return name_is_valid(name, "abcdefghijklmnopqrstuvwxyz0123456789-.");
}

bool job_id_is_valid(const char *id)
{
    enum { ULID_LENGTH = 26 };
    size_t length = strspn(id, "0123456789abcdefghjkmnpqrstvwxyz");

    return length == ULID_LENGTH && id[length] == '\0';
}

static status check_length(struct arena *arena, const char *field, size_t size, size_t max)
{
    if (size > max) {
        return status_bad_field(arena, field, "has %zu bytes, %zu are allowed", size, max);
    }
    return status_ok();
}

static status check_range(struct arena *arena, const char *field, int64_t value, int64_t min,
                          int64_t max)
{
    if (value < min || value > max) {
        return status_bad_field(arena, field, "%" PRId64 " is not between %" PRId64 " and %" PRId64,
                                value, min, max);
    }
    return status_ok();
}

status job_check(struct arena *arena, const struct job_record *job)
{
    if (!job_project_is_valid(job->project_id)) {
        return status_bad_field(arena, "project_id",
                                "'%.*s' is not 1 to 63 of a-z, 0-9 and '-', the first a letter",
                                JOB_MAX_NAME_BYTES, job->project_id);
    }
    if (!job_capability_is_valid(job->capability)) {
        return status_bad_field(
            arena, "capability",
            "'%.*s' is not 1 to 63 of a-z, 0-9, '-' and '.', the first a letter",
            JOB_MAX_NAME_BYTES, job->capability);
    }
    TRY(check_length(arena, "payload", job->payload.size, JOB_MAX_PAYLOAD_BYTES));
    TRY(check_length(arena, "idempotency_key", strlen(job->idempotency_key), JOB_MAX_KEY_BYTES));
    TRY(check_length(arena, "permissions", strlen(job->permissions), JOB_MAX_PERMISSIONS_BYTES));
    TRY(check_length(arena, "traceparent", strlen(job->trace), JOB_MAX_TRACE_BYTES));
    TRY(check_range(arena, "priority", job->priority, 0, JOB_MAX_PRIORITY));
    TRY(check_range(arena, "max_attempts", job->max_attempts, 1, JOB_MAX_ATTEMPTS));
    if (job->deadline_ms != 0 && job->deadline_ms <= job->run_at_ms) {
        return status_bad_field(arena, "deadline", "is not after the time to start");
    }
    return status_ok();
}
