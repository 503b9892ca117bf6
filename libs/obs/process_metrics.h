/* process_metrics - what the kernel says of this process, under the names that every Prometheus
 * client library uses, so that every dashboard knows them. */

#ifndef LIBS_OBS_PROCESS_METRICS_H_
#define LIBS_OBS_PROCESS_METRICS_H_

#include "libs/base/attributes.h"
#include "libs/base/text.h"

/* Adds process_cpu_seconds_total, process_start_time_seconds, process_resident_memory_bytes,
 * process_virtual_memory_bytes, process_threads, process_open_fds and process_max_fds, from
 * /proc/self.  What cannot be read is left out.  Some 50 us. */
void process_metrics(struct text *page) NONNULL;

#endif
