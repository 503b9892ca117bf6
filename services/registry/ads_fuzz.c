#include "services/registry/ads.h"

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/rpc/decode.h"
#include "libs/rpc/message.h"
#include "services/registry/catalogue.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The input is a conversation.  Each step is one byte that says what happens, and for a request
 * what it says; 0 is followed by a length and a request as it comes off the wire.
 *
 *     bits 0-1  0 request from the wire, 1 request, 2 a change of the catalogue, 3 read
 *     bits 2-3  the type
 *     bits 4-5  names: none, "a", "a b", "b c d"
 *     bit  6    nonce: the last one, or an old one
 *     bit  7    it refuses
 *
 * What must hold: nothing is sent that was not asked for, nonces grow, and there are never more
 * responses than requests and changes give reason for: whoever answers a refusal goes round for
 * ever. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef Envoy__Service__Discovery__V3__DiscoveryRequest DiscoveryRequest;
typedef Envoy__Service__Discovery__V3__DiscoveryResponse DiscoveryResponse;

struct talk {
    struct catalogue *catalogue;
    struct ads_stream *stream;
    struct arena *arena;
    unsigned long long nonces[XDS_N_TYPES]; /* the last of each type */
    unsigned long long last_nonce;
    size_t n_reasons;
    size_t n_responses;
    uint16_t port;
};

static void feed(struct talk *talk, const DiscoveryRequest *request)
{
    enum ads_event event;

    (void)ads_stream_request(talk->stream, talk->arena, request, &event);
    talk->n_reasons++;
}

static void request_from_the_wire(struct talk *talk, bytes wire)
{
    const ProtobufCMessage *message;

    if (status_is_ok(message_decode(talk->arena,
                                    &envoy__service__discovery__v3__discovery_request__descriptor,
                                    wire, &message))) {
        feed(talk, (const DiscoveryRequest *)message);
    }
}

static void request(struct talk *talk, uint8_t step)
{
    static const struct {
        size_t n;
        const char *names[3];
    } lists[] = { { 0, { NULL } }, { 1, { "a" } }, { 2, { "a", "b" } }, { 3, { "b", "c", "d" } } };
    unsigned type = (step >> 2) & 3;
    unsigned list = (step >> 4) & 3;
    char *names[3];
    char nonce[24] = "old";
    Google__Rpc__Status error;
    DiscoveryRequest message;

    envoy__service__discovery__v3__discovery_request__init(&message);
    message.type_url = message_text(xds_type_url((enum xds_type)type));
    for (size_t i = 0; i < lists[list].n; i++) {
        names[i] = message_text(lists[list].names[i]);
    }
    message.resource_names = names;
    message.n_resource_names = lists[list].n;
    if ((step & 0x40) == 0) {
        (void)snprintf(nonce, sizeof nonce, "%llu", talk->nonces[type]);
    }
    message.response_nonce = nonce;
    if ((step & 0x80) != 0) {
        google__rpc__status__init(&error);
        message.error_detail = &error;
    }
    feed(talk, &message);
}

static void change(struct talk *talk)
{
    const struct instance instance = {
        .service = "b",
        .id = "i",
        .endpoint = { "127.0.0.1", ++talk->port },
        .locality = { "", "" },
        .spiffe_id = "",
        .version = "",
        .http_address = "",
    };
    uint64_t token;

    assert(status_is_ok(catalogue_register(talk->catalogue, talk->arena, &instance, &token)));
    talk->n_reasons += XDS_N_TYPES;
}

static bool is_subscribed(const struct ads_client *client, enum xds_type type, bytes name)
{
    for (size_t i = 0; i < client->n_subscriptions; i++) {
        const struct ads_subscription *at = &client->subscriptions[i];
        for (size_t j = 0; at->type == type && j < at->n_names; j++) {
            if (strlen(at->names[j]) == name.size &&
                memcmp(at->names[j], name.data, name.size) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Field 1 of all four types; names here have less than 128 bytes unless they are off the wire. */
static bytes name_of(const Google__Protobuf__Any *any)
{
    assert(any->value.len > 2 && any->value.data[0] == 0x0a);
    size_t first = any->value.data[1];
    size_t size = first < 128 ? first : (first & 127) | (size_t)any->value.data[2] << 7;
    return (bytes){ any->value.data + (first < 128 ? 2 : 3), size };
}

static void read_all(struct talk *talk)
{
    const DiscoveryResponse *response;

    while ((response = ads_stream_next(talk->stream, talk->arena)) != NULL) {
        struct ads_client client = ads_stream_client(talk->stream, talk->arena);
        unsigned long long nonce = 0;
        enum xds_type type;
        bool known = xds_type_of_url(response->type_url, &type);
        assert(known);
        assert(sscanf(response->nonce, "%llu", &nonce) == 1 && nonce > talk->last_nonce);
        talk->last_nonce = nonce;
        talk->nonces[type] = nonce;
        for (size_t i = 0; i < response->n_resources; i++) {
            assert(is_subscribed(&client, type, name_of(response->resources[i])));
        }
        talk->n_responses++;
        assert(talk->n_responses <= talk->n_reasons);
    }
}

static void converse(struct talk *talk, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t step = data[i];
        if ((step & 3) == 0 && i + 1 < size) {
            size_t length = data[i + 1] < size - i - 2 ? data[i + 1] : size - i - 2;
            request_from_the_wire(talk, (bytes){ data + i + 2, length });
            i += 1 + length;
        } else if ((step & 3) == 1) {
            request(talk, step);
        } else if ((step & 3) == 2) {
            change(talk);
        } else {
            read_all(talk);
        }
    }
    read_all(talk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct talk talk = {
        .catalogue = catalogue_new(&(struct catalogue_options){ .clock = &system_clock }),
        .arena = arena_new(),
    };
    struct xds_resources *resources = xds_resources_new(&(struct xds_resources_options){
        .catalogue = talk.catalogue,
        .clock = &system_clock,
        .trust_domain = "weft",
    });

    talk.stream = ads_stream_new(resources);
    converse(&talk, data, size < 4096 ? size : 4096);
    ads_stream_free(talk.stream);
    arena_free(talk.arena);
    xds_resources_free(resources);
    catalogue_free(talk.catalogue);
    return 0;
}
