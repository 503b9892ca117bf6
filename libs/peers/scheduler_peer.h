/* scheduler_peer - weft.scheduler.v1.SchedulerService, as others call it. EnqueueJobs, WatchJob and
 * Work are streams: pipe.h. */

#ifndef LIBS_PEERS_SCHEDULER_PEER_H_
#define LIBS_PEERS_SCHEDULER_PEER_H_

#include "libs/rpc/peer.h"
#include "weft/scheduler/v1/scheduler_service.pb-c.h"

#define SCHEDULER_PEER_METHODS(X)                                    \
    X(Weft__Scheduler__V1__, EnqueueJob, scheduler_peer_enqueue_job) \
    X(Weft__Scheduler__V1__, GetJob, scheduler_peer_get_job)         \
    X(Weft__Scheduler__V1__, ListJobs, scheduler_peer_list_jobs)     \
    X(Weft__Scheduler__V1__, CancelJob, scheduler_peer_cancel_job)   \
    X(Weft__Scheduler__V1__, RedriveJob, scheduler_peer_redrive_job)
PEER_DECLARE(SCHEDULER_PEER_METHODS);

#endif
