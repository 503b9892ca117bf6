#include "cli/message_fields.h"

#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "weft/scheduler/v1/scheduler.pb-c.h"

#include <stdlib.h>
#include <string.h>

static const char *said(const Weft__Scheduler__V1__Job *job, enum output_format format,
                        const char *columns)
{
    struct arena *arena = arena_new();
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    struct output *output =
        output_new(&(struct output_options){ .out = out, .errors = out, .format = format });
    message_row(output, arena, &job->base, columns);
    output_free(output);
    (void)fclose(out);
    arena_free(arena);
    return text;
}

static void fill(Weft__Scheduler__V1__Job *job, Weft__Scheduler__V1__Progress *progress,
                 Google__Protobuf__Timestamp *time)
{
    static uint8_t payload[] = { 1, 2, 255 };

    weft__scheduler__v1__job__init(job);
    weft__scheduler__v1__progress__init(progress);
    google__protobuf__timestamp__init(time);
    progress->done = 7;
    time->seconds = 1234567890;
    time->nanos = 5000000;
    job->job_id = message_text("01j");
    job->state = WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_RUNNING;
    job->payload = message_data((bytes){ payload, sizeof payload });
    job->progress = progress;
    job->create_time = time;
}

static void programs_get_every_field(void **state)
{
    (void)state;
    Weft__Scheduler__V1__Job job;
    Weft__Scheduler__V1__Progress progress;
    Google__Protobuf__Timestamp time;

    fill(&job, &progress, &time);
    const char *json = said(&job, OUTPUT_JSON, "job_id");
    assert_non_null(strstr(json, "{\"job_id\":\"01j\","));
    assert_non_null(strstr(json, ",\"payload\":\"AQL/\",\"state\":\"running\","));
    assert_non_null(strstr(json, "\"create_time\":\"2009-02-13T23:31:30.005Z\""));
    assert_non_null(strstr(json, "\"progress\":{\"done\":7,\"total\":0,\"message\":\"\"}"));
    assert_null(strstr(json, "end_time"));
    free(message_text(json));
}

static void people_get_the_columns_that_were_asked_for(void **state)
{
    (void)state;
    Weft__Scheduler__V1__Job job;
    Weft__Scheduler__V1__Progress progress;
    Google__Protobuf__Timestamp time;

    fill(&job, &progress, &time);
    const char *table = said(&job, OUTPUT_TABLE, "state job_id progress.done payload end_time");
    assert_string_equal(table, "STATE    JOB ID  DONE  PAYLOAD  END TIME\n"
                               "running  01j     7     3 bytes  -\n");
    free(message_text(table));
    job.progress = NULL;
    table = said(&job, OUTPUT_TABLE, "progress.done");
    assert_string_equal(table, "DONE\n-\n");
    free(message_text(table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_get_every_field),
        cmocka_unit_test(people_get_the_columns_that_were_asked_for),
    };

    return cmocka_run_group_tests_name("message_fields", tests, NULL, NULL);
}
