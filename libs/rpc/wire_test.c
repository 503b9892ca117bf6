#include "libs/rpc/wire.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"

#include <string.h>

static grpc_metadata_array one_trailer(grpc_metadata *trailer)
{
    return (grpc_metadata_array){ .count = 1, .capacity = 1, .metadata = trailer };
}

static void what_a_server_says_a_client_reads(void **state)
{
    struct arena *arena = arena_new();
    struct wire_status sent;

    (void)state;
    status s = status_error(arena, STATUS_RESOURCE_EXHAUSTED, "too many");
    s = status_quota(arena, s, "tenant:acme", "requests_per_minute");
    s = status_retry_after(arena, s, 61001);
    wire_status_init(&sent, arena, s);
    const grpc_metadata_array trailers = one_trailer(sent.trailers);
    s = wire_status_read(arena, sent.code, sent.message, &trailers);
    assert_status(s, STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(s.message, "too many");
    assert_int_equal(s.details->retry_after_ms, 61001);
    assert_string_equal(s.details->quota_subject, "tenant:acme");
    assert_null(s.details->info.reason);
    wire_status_reset(&sent);
    arena_free(arena);
}

/* The status that a peer sends which asks for this delay. */
static status asked_to_wait(struct arena *arena, int64_t seconds, int32_t nanos)
{
    Google__Protobuf__Duration delay;
    Google__Rpc__RetryInfo retry;
    Google__Protobuf__Any any, *details[] = { &any };
    Google__Rpc__Status rpc_status;

    google__protobuf__duration__init(&delay);
    delay.seconds = seconds;
    delay.nanos = nanos;
    google__rpc__retry_info__init(&retry);
    retry.retry_delay = &delay;
    bytes packed = message_pack(arena, &retry.base);
    google__protobuf__any__init(&any);
    any.type_url = message_text("type.googleapis.com/google.rpc.RetryInfo");
    any.value = message_data(packed);
    google__rpc__status__init(&rpc_status);
    rpc_status.n_details = 1;
    rpc_status.details = details;
    packed = message_pack(arena, &rpc_status.base);
    grpc_metadata trailer = {
        .key = grpc_slice_from_static_string("grpc-status-details-bin"),
        .value = grpc_slice_from_static_buffer(packed.data, packed.size),
    };
    const grpc_metadata_array trailers = one_trailer(&trailer);
    return wire_status_read(arena, GRPC_STATUS_UNAVAILABLE, grpc_empty_slice(), &trailers);
}

static void no_peer_keeps_us_waiting_for_more_than_an_hour(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        int64_t want_ms;
    } cases[] = {
        { 0, 0, 0 },
        { 1, 500000000, 1500 },
        { 3599, 999000000, 3599999 },
        { 3599, INT32_MAX, WIRE_MAX_RETRY_AFTER_MS },
        { 3600, 0, WIRE_MAX_RETRY_AFTER_MS },
        { INT64_MAX / 1000, 999999999, WIRE_MAX_RETRY_AFTER_MS },
        { INT64_MAX, INT32_MAX, WIRE_MAX_RETRY_AFTER_MS },
        { -1, 0, 0 },
        { 0, -1, 0 },
        { INT64_MIN, INT32_MIN, 0 },
    };
    struct arena *arena = arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        status s = asked_to_wait(arena, cases[i].seconds, cases[i].nanos);
        assert_status(s, STATUS_UNAVAILABLE);
        if (s.details->retry_after_ms != cases[i].want_ms) {
            fail_msg("%lld s and %d ns: got %lld ms", (long long)cases[i].seconds, cases[i].nanos,
                     (long long)s.details->retry_after_ms);
        }
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_says_a_client_reads),
        cmocka_unit_test(no_peer_keeps_us_waiting_for_more_than_an_hour),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
