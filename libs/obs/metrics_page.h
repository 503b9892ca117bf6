/* metrics_page - all metrics as text that Prometheus reads. */

#ifndef LIBS_OBS_METRICS_PAGE_H_
#define LIBS_OBS_METRICS_PAGE_H_

#include "libs/base/attributes.h"
#include "libs/base/text.h"

#define METRICS_PAGE_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Exposition format 0.0.4.  Numbers may be some microseconds apart from each other, for nobody
 * stops while they are read; a histogram's count is always that of its buckets. */
void metrics_page(struct text *page) NONNULL;

#endif
