/* last_good - the resources that the registry last sent to this host, kept on disk.
 *
 * When the registry is away, a client that starts gets what was good when it was last there: peers
 * that live on are found, and those that went are tried and failed like any dead endpoint.
 */

#ifndef SERVICES_AGENT_LAST_GOOD_H_
#define SERVICES_AGENT_LAST_GOOD_H_

#include "envoy/service/discovery/v3/discovery.pb-c.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/files.h"
#include "libs/base/status.h"

#include <stdbool.h>

/* A host's clients ask for some hundred names of four types; beyond this new ones are not kept. */
enum { LAST_GOOD_MAX_RESOURCES = 10000, LAST_GOOD_MAX_BYTES = 16 * 1024 * 1024 };

struct last_good;

/* Reads what was kept; a damaged file is as good as none.  Borrows files. */
struct last_good *last_good_new(struct files *files) NONNULL RETURNS_NONNULL;
void last_good_free(struct last_good *self);

/* Remembers each resource of a response under its type and name.  Any thread. */
void last_good_put(struct last_good *self,
                   const Envoy__Service__Discovery__V3__DiscoveryResponse *response) NONNULL;

/* The resources of these names that are known, as an answer to a request; false when there are
 * none.  All in arena. */
bool last_good_answer(struct last_good *self, struct arena *arena,
                      const Envoy__Service__Discovery__V3__DiscoveryRequest *request,
                      Envoy__Service__Discovery__V3__DiscoveryResponse *response) NONNULL;

/* Writes what has changed since the last time. */
status last_good_save(struct last_good *self, struct arena *arena) NONNULL;

#endif
