#include "services/agent/ads_session.h"

#include "libs/base/files.h"
#include "libs/rpc/message.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The input is a conversation, a byte for each step:
 *
 *     bits 0-2  0, 1 the client asks; 2 the registry answers; 3 the client reads; 4 the registry
 *               reads; 5 a stream to the registry opens; 6 it ends; 7 last_good answers
 *     bits 3-4  the type
 *     bit  5    names: "a", or "a b"
 *     bit  6    nonce: the last one, or an old one
 *     bit  7    it refuses
 *
 * What must hold: nonces to the client grow; nothing goes to a registry that is not there; a
 * request to the registry carries a nonce only of the stream that is open. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

static const char *const types[] = { "L", "R", "C", "E" };

struct talk {
    struct arena *arena;
    struct ads_session *session;
    bool is_open;
    unsigned stream;
    unsigned n_answers;
    uint64_t last_nonce;
    uint64_t nonces[4];
};

static void ask(struct talk *talk, uint8_t step)
{
    char *names[] = { message_text("a"), message_text("b") };
    unsigned type = (step >> 3) & 3;
    Google__Rpc__Status error;
    DiscoveryRequest request;

    envoy__service__discovery__v3__discovery_request__init(&request);
    request.type_url = message_text(types[type]);
    request.resource_names = names;
    request.n_resource_names = (step & 0x20) != 0 ? 2 : 1;
    request.response_nonce = message_text(
        (step & 0x40) != 0 ? "old" : arena_printf(talk->arena, "%" PRIu64, talk->nonces[type]));
    if ((step & 0x80) != 0) {
        google__rpc__status__init(&error);
        request.error_detail = &error;
    }
    status s = ads_session_request(talk->session, talk->arena, &request);
    assert(status_is_ok(s));
}

static void answer(struct talk *talk, uint8_t step)
{
    static const uint8_t named_a[] = { 0x0a, 1, 'a' };
    unsigned type = (step >> 3) & 3;
    Google__Protobuf__Any any;
    Google__Protobuf__Any *resources[] = { &any };
    DiscoveryResponse response;

    if (!talk->is_open || !ads_session_has_room(talk->session)) {
        return;
    }
    google__protobuf__any__init(&any);
    any.type_url = message_text(types[type]);
    any.value = message_data((bytes){ named_a, sizeof named_a });
    envoy__service__discovery__v3__discovery_response__init(&response);
    response.type_url = message_text(types[type]);
    response.nonce =
        message_text(arena_printf(talk->arena, "%u.%u", talk->stream, ++talk->n_answers));
    response.resources = resources;
    response.n_resources = 1;
    ads_session_response(talk->session, &response);
}

static void read_down(struct talk *talk)
{
    const DiscoveryResponse *response = ads_session_next_response(talk->session, talk->arena);

    if (response != NULL) {
        uint64_t nonce = 0;
        assert(sscanf(response->nonce, "%" SCNu64, &nonce) == 1 && nonce > talk->last_nonce);
        talk->last_nonce = nonce;
        for (unsigned i = 0; i < 4; i++) {
            if (strcmp(types[i], response->type_url) == 0) {
                talk->nonces[i] = nonce;
            }
        }
    }
}

static void read_up(struct talk *talk)
{
    const DiscoveryRequest *request = ads_session_next_request(talk->session, talk->arena);

    if (request != NULL) {
        unsigned stream = 0;
        assert(talk->is_open);
        assert(request->response_nonce[0] == '\0' ||
               (sscanf(request->response_nonce, "%u.", &stream) == 1 && stream == talk->stream));
        assert(request->error_detail == NULL || stream == talk->stream);
    }
}

static void turn(struct talk *talk, bool open)
{
    if (open && !talk->is_open) {
        talk->stream++;
        ads_session_opened(talk->session);
    } else if (!open && talk->is_open) {
        ads_session_lost(talk->session);
    }
    talk->is_open = open;
}

static void step_through(struct talk *talk, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        switch (data[i] & 7) {
        case 2:
            answer(talk, data[i]);
            break;
        case 3:
            read_down(talk);
            break;
        case 4:
            read_up(talk);
            break;
        case 5:
        case 6:
            turn(talk, (data[i] & 7) == 5);
            break;
        case 7:
            ads_session_fall_back(talk->session);
            break;
        default:
            ask(talk, data[i]);
        }
    }
}

/* A folder that has nothing and takes nothing. */
static status no_file(struct files *files, struct arena *arena, const char *name,
                      enum files_mode mode, struct file **ret_file)
{
    (void)files;
    (void)mode;
    (void)ret_file;
    return status_error(arena, STATUS_NOT_FOUND, "no '%s'", name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct files_ops ops = { .open = no_file };
    struct files files = { .ops = &ops };
    struct last_good *last_good = last_good_new(&files);
    struct talk talk = { .arena = arena_new(), .session = ads_session_new(last_good) };

    step_through(&talk, data, size < 1000 ? size : 1000);
    ads_session_free(talk.session);
    arena_free(talk.arena);
    last_good_free(last_good);
    return 0;
}
