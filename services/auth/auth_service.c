#include "services/auth/auth_service.h"

#include "libs/base/status_details.h"
#include "libs/rpc/message.h"
#include "services/auth/account_handlers.h"
#include "services/auth/key_handlers.h"
#include "services/auth/token_handlers.h"

#include <assert.h>
#include <stdlib.h>

enum { DEFAULT_NEW_TENANT_MS = 2000, ROTATION_RETRY_MS = 60000 };

struct auth_service *auth_service_new(const struct auth_service_options *options)
{
    assert(options->store != NULL && options->clock != NULL && options->random != NULL &&
           options->directory != NULL && options->feed != NULL && options->points != NULL &&
           options->signing_keys != NULL && options->pepper != NULL);

    struct auth_service *self = malloc(sizeof *self);
    if (self == NULL) {
        abort();
    }
    *self = (struct auth_service){
        .options = *options,
        .subscribers = { .feed = options->feed,
                         .points = options->points,
                         .memory = { options->store, options->clock },
                         .clock = options->clock },
    };
    if (self->options.new_tenant_ms == 0) {
        self->options.new_tenant_ms = DEFAULT_NEW_TENANT_MS;
    }
    return self;
}

void auth_service_free(struct auth_service *service)
{
    free(service);
}

/* After a failure not before ROTATION_RETRY_MS: a disk that is full stays so for a while. */
static status rotate_keys(struct auth_service *self, struct arena *arena)
{
    int64_t now_ms = clock_monotonic_ms(self->options.clock);

    if (now_ms < self->rotation_due_ms || !signing_keys_are_due(self->options.signing_keys)) {
        return status_ok();
    }
    self->rotation_due_ms = now_ms + ROTATION_RETRY_MS;
    TRY(signing_keys_rotate(self->options.signing_keys, arena));
    (void)feed_set_keys(self->options.feed, signing_keys_jwks(self->options.signing_keys, arena));
    return status_ok();
}

status auth_service_tick(struct auth_service *service, struct arena *arena)
{
    feed_forget(service->options.feed);
    subscribers_tick(&service->subscribers);
    return rotate_keys(service, arena);
}

void auth_service_drain(void *service)
{
    struct auth_service *self = service;

    subscribers_drain(&self->subscribers);
}

/* ---- Subscribe ---- */

static status subscribe_open(struct stream *stream, void *service, void **ret_state)
{
    struct auth_service *self = service;

    return subscriber_open(&self->subscribers, stream, ret_state);
}

static status subscribe_message(struct stream *stream, void *state,
                                const Weft__Auth__V1__SubscribeRequest *request)
{
    return subscriber_message(stream, state, request);
}

static status subscribe_writable(struct stream *stream, void *state)
{
    return subscriber_writable(stream, state);
}

static void subscribe_closed(struct stream *stream, void *state, status why)
{
    subscriber_closed(stream, state, why);
}

#define METHODS(X)                                                            \
    X(Weft__Auth__V1__, CreateServiceAccount, WORKER, create_service_account) \
    X(Weft__Auth__V1__, GetServiceAccount, WORKER, get_service_account)       \
    X(Weft__Auth__V1__, ListServiceAccounts, WORKER, list_service_accounts)   \
    X(Weft__Auth__V1__, DeleteServiceAccount, WORKER, delete_service_account) \
    X(Weft__Auth__V1__, CreateApiKey, WORKER, create_api_key)                 \
    X(Weft__Auth__V1__, ListApiKeys, WORKER, list_api_keys)                   \
    X(Weft__Auth__V1__, RevokeApiKey, WORKER, revoke_api_key)                 \
    X(Weft__Auth__V1__, ExchangeApiKey, INLINE, exchange_api_key)             \
    X(Weft__Auth__V1__, IssueJobToken, INLINE, issue_job_token)               \
    X(Weft__Auth__V1__, IssueJobTokens, WORKER, issue_job_tokens)             \
    X(Weft__Auth__V1__, GetJwks, INLINE, get_jwks)                            \
    X(Weft__Auth__V1__, WhoAmI, INLINE, who_am_i)
#define STREAMS(X) X(Weft__Auth__V1__, Subscribe, INLINE, subscribe)
SERVICE_DEFINE_STREAMS(auth_service_methods, weft__auth__v1__auth_service__descriptor, METHODS,
                       STREAMS);
