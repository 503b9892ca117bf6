/* trace_otlp - spans as OTLP's JSON, which Jaeger, Grafana Tempo and the command line read.
 *
 * opentelemetry.proto.trace.v1.TracesData in the JSON mapping of OTLP 1.0: ids in hex, 64-bit
 * numbers as strings, enums as numbers.  The attributes and what counts as an error are those of
 * OpenTelemetry's semantic conventions for gRPC.
 */

#ifndef LIBS_OBS_TRACE_OTLP_H_
#define LIBS_OBS_TRACE_OTLP_H_

#include "libs/base/attributes.h"
#include "libs/base/text.h"
#include "libs/obs/trace.h"

/* Adds one JSON object and a newline.  service becomes the resource's service.name. */
void trace_otlp(struct text *json, const char *service, struct spans spans) NONNULL_ARGS(1, 2);

#endif
