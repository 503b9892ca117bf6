/* ads_session - one xDS client of this host, between it and the registry.
 *
 *     client <---- our nonces ----> session <---- the registry's nonces ----> registry
 *                                      |
 *                                  last_good
 *
 * To the client it is a control plane that never goes away: the stream stays open while those to
 * the registry come and go.  So it has nonces of its own, and remembers for each type what the
 * client wants, which response the client is at, and which of the registry's responses that was.
 *
 *     request    forwarded with the registry's nonce, if it answers a response of the stream to the
 *                registry that is open now; else as the first of its type
 *     accepted   kept: that is what good means
 *     refused    told to the registry, kept nowhere
 *     response   given to the client as it is, under our nonce
 *     no registry, and an answer is due: from last_good, what it has of it
 *
 * No I/O: the owner carries messages both ways.  Used by one thread at a time.
 */

#ifndef SERVICES_AGENT_ADS_SESSION_H_
#define SERVICES_AGENT_ADS_SESSION_H_

#include "envoy/service/discovery/v3/discovery.pb-c.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "services/agent/last_good.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ADS_SESSION_MAX_TYPES = 8,          /* gRPC asks for four, Envoy for two or three more */
    ADS_SESSION_MAX_NAMES = 1000,       /* of one type, as the registry has it */
    ADS_SESSION_MAX_BYTES = 65536,      /* of the names of one type, the same */
    ADS_SESSION_MAX_WAITING = 8,        /* responses on their way to a client that does not read */
    ADS_SESSION_MAX_NODE_BYTES = 16384, /* metadata included */
};

struct ads_session;

/* Borrows last_good.  The caller owns the session: ads_session_free(). */
struct ads_session *ads_session_new(struct last_good *last_good) NONNULL RETURNS_NONNULL;
/* NULL is allowed. */
void ads_session_free(struct ads_session *session);

/* ---- The client's side ---- */

/* RESOURCE_EXHAUSTED: it asks for too much. */
status ads_session_request(struct ads_session *session, struct arena *arena,
                           const Envoy__Service__Discovery__V3__DiscoveryRequest *request) NONNULL;

/* The next message to the client, in arena; NULL when there is none.  It counts as sent. */
const Envoy__Service__Discovery__V3__DiscoveryResponse *
ads_session_next_response(struct ads_session *session, struct arena *arena) NONNULL;

/* ---- The registry's side ---- */

/* A stream to the registry was opened: everything is to be asked for anew. */
void ads_session_opened(struct ads_session *session) NONNULL;
/* It has ended. */
void ads_session_lost(struct ads_session *session) NONNULL;

/* The next message to the registry, in arena; NULL when there is none. */
const Envoy__Service__Discovery__V3__DiscoveryRequest *
ads_session_next_request(struct ads_session *session, struct arena *arena) NONNULL;

/* Takes a response in; copies it.  Only while ads_session_has_room(). */
void ads_session_response(struct ads_session *session,
                          const Envoy__Service__Discovery__V3__DiscoveryResponse *response) NONNULL;
bool ads_session_has_room(const struct ads_session *session) NONNULL;

/* ---- Without the registry ---- */

/* Whether the client waits for an answer. */
bool ads_session_owes(const struct ads_session *session) NONNULL;
/* Answers what is due from last_good, as far as it goes. */
void ads_session_fall_back(struct ads_session *session) NONNULL;

#endif
