#include "libs/obs/log_grpc.h"

#include "libs/base/clock.h"

#include <grpc/support/log.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static void grpc_speaks_through_our_log(void **state)
{
    (void)state;
    char text[4096] = { 0 };
    int fd = memfd_create("log", MFD_CLOEXEC);
    struct log *log = log_new(&(struct log_options){
        .service = "tenant",
        .clock = &system_clock,
        .fd = fd,
    });

    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR); /* as grpc_init() does */
    log_grpc_install(log);
    gpr_log("src/core/lib/x.cc", 12, GPR_LOG_SEVERITY_ERROR, "socket %d is gone", 7);
    gpr_log("x.cc", 13, GPR_LOG_SEVERITY_ERROR, "%s",
            "CertificateWatcher getting root_cert_error: none yet");
    gpr_log("x.cc", 14, GPR_LOG_SEVERITY_ERROR, "No match found for server name: tenant.");
    gpr_log("x.cc", 15, GPR_LOG_SEVERITY_INFO, "by the way");
    log_grpc_install(NULL);
    log_free(log);

    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    const char *end = strchr(text, '\n');
    assert_non_null(strstr(text, "\"level\":\"warn\""));
    assert_non_null(strstr(text, "\"msg\":\"grpc\",\"detail\":\"socket 7 is gone\","
                                 "\"file\":\"x.cc\",\"line\":12}\n"));
    /* The benign ones are not there, and what GRPC_VERBOSITY does not ask for is not either. */
    assert_int_equal(end[1], '\0');
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grpc_speaks_through_our_log),
    };

    return cmocka_run_group_tests_name("log_grpc", tests, NULL, NULL);
}
