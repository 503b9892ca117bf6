#include "libs/obs/log_grpc.h"

#include <grpc/support/log.h>

#include <stdatomic.h>
#include <string.h>

/* A global because gpr_log_func takes no data along. */
static struct log *_Atomic target;

/* All three come at TLS start-up, before the first certificate has been read, and are no errors. */
static bool is_benign(const char *message)
{
    return strstr(message, "CertificateWatcher getting root_cert_error") != NULL ||
           strstr(message, "CertificateWatcher getting identity_cert_error") != NULL ||
           strstr(message, "No match found for server name") != NULL;
}

static enum log_level level_of(gpr_log_severity severity)
{
    switch (severity) {
    case GPR_LOG_SEVERITY_DEBUG:
        return LEVEL_DEBUG;
    case GPR_LOG_SEVERITY_INFO:
        return LEVEL_INFO;
    case GPR_LOG_SEVERITY_ERROR:
        break;
    }
    return LEVEL_WARN;
}

static void write_to_log(gpr_log_func_args *args)
{
    struct log *log = atomic_load(&target);
    const char *slash = strrchr(args->file, '/');

    if (is_benign(args->message)) {
        return;
    }
    LOG(log, level_of(args->severity), NULL, "grpc", log_text("detail", args->message),
        log_text("file", slash == NULL ? args->file : slash + 1), log_int("line", args->line));
}

void log_grpc_install(struct log *log)
{
    atomic_store(&target, log);
    gpr_set_log_function(log == NULL ? NULL : write_to_log);
}
