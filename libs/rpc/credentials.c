#include "libs/rpc/credentials.h"

#include "libs/base/tsan.h"

#include <grpc/support/alloc.h>
#include <grpc/support/string_util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFRESH_S = 1 }; /* gRPC 1.51 counts in whole seconds */

static grpc_tls_credentials_options *options_of(const char *svid_file, const char *trust_file)
{
    grpc_tls_certificate_provider *files = grpc_tls_certificate_provider_file_watcher_create(
        svid_file, svid_file, trust_file, REFRESH_S);
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();

    grpc_tls_credentials_options_set_certificate_provider(options, files);
    grpc_tls_credentials_options_watch_root_certs(options);
    if (svid_file != NULL) {
        grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    }
    grpc_tls_certificate_provider_release(files);
    return options;
}

grpc_server_credentials *credentials_for_server(const char *svid_file, const char *trust_file,
                                                bool ask_none)
{
    grpc_tls_credentials_options *options = options_of(svid_file, trust_file);

    grpc_tls_credentials_options_set_cert_request_type(
        options, ask_none ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    return grpc_tls_server_credentials_create(options);
}

/* ---- A server by its SPIFFE ID ---- */

struct expected {
    grpc_tls_certificate_verifier_external verifier;
    char *id;
};

/* SPIFFE X509-SVID, section 5: exactly one URI. */
static int verify(void *user_data, grpc_tls_custom_verification_check_request *request,
                  grpc_tls_on_custom_verification_check_done_cb callback, void *callback_arg,
                  grpc_status_code *sync_status, char **sync_error_details)
{
    struct expected *self = user_data;
    size_t n = request->peer_info.san_names.uri_names_size;
    const char *found = n == 1 ? request->peer_info.san_names.uri_names[0] : "no SPIFFE ID";

    tsan_acquire(self);
    (void)callback;
    (void)callback_arg;
    if (strcmp(found, self->id) != 0) {
        size_t size = strlen(self->id) + strlen(found) + 64;
        char *text = gpr_malloc(size);
        (void)snprintf(text, size, "the server is '%s', not '%s'", found, self->id);
        *sync_status = GRPC_STATUS_UNAUTHENTICATED;
        *sync_error_details = text;
    }
    tsan_release(self); /* before destruct() on whatever thread */
    return 1;           /* decided */
}

static void cancel(void *user_data, grpc_tls_custom_verification_check_request *request)
{
    (void)user_data;
    (void)request;
}

static void destruct(void *user_data)
{
    struct expected *self = user_data;

    tsan_acquire(self);
    free(self->id);
    free(self);
}

static grpc_tls_certificate_verifier *verifier_of(const char *id)
{
    struct expected *self = calloc(1, sizeof *self);

    if (self == NULL || (self->id = strdup(id)) == NULL) {
        abort();
    }
    self->verifier = (grpc_tls_certificate_verifier_external){ self, verify, cancel, destruct };
    tsan_release(self);
    return grpc_tls_certificate_verifier_external_create(&self->verifier);
}

grpc_channel_credentials *credentials_for_channel(const char *svid_file, const char *trust_file,
                                                  const char *server_id)
{
    grpc_tls_credentials_options *options = options_of(svid_file, trust_file);

    if (server_id != NULL) {
        grpc_tls_certificate_verifier *verifier = verifier_of(server_id);
        grpc_tls_credentials_options_set_certificate_verifier(options, verifier);
        grpc_tls_certificate_verifier_release(verifier);
        grpc_tls_credentials_options_set_check_call_host(options, 0);
    }
    return grpc_tls_credentials_create(options);
}
