/* package_job - the demo's job: Debian's packages into a collection.
 *
 * The payload names the source and where it goes:
 *
 *     {"source": "apt", "collection": "packages", "limit": 0}
 *
 * limit 0 is all.  The result is {"records": 63600, "seconds": 9.1, "restarts": 0}.
 */

#ifndef CLI_PACKAGE_JOB_H_
#define CLI_PACKAGE_JOB_H_

#include "cli/apt_records.h"
#include "libs/base/arena.h"
#include "libs/base/attributes.h"
#include "libs/base/status.h"
#include "weft/search/v1/search_service.pb-c.h"

#include <stddef.h>

#define PACKAGE_CAPABILITY "ingest.apt"

struct package_job {
    const char *collection_id;
    size_t limit; /* 0: all */
};

const char *package_job_payload(struct arena *arena, const struct package_job *job)
    NONNULL RETURNS_NONNULL;
/* INVALID_ARGUMENT: it is no such payload. */
status package_job_parse(struct arena *arena, bytes payload, struct package_job *ret) NONNULL;

/* The collection that the documents fit. */
void package_collection(struct arena *arena, const char *project_id, const char *collection_id,
                        Weft__Search__V1__CreateCollectionRequest *ret) NONNULL;
/* Borrows the record. */
Weft__Search__V1__Document *package_document(struct arena *arena, const struct apt_record *record)
    NONNULL RETURNS_NONNULL;

#endif
