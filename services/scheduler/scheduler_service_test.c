#include "services/scheduler/scheduler_service.h"

#include "libs/audit/outbox.h"
#include "libs/base/text.h"
#include "libs/peers/scheduler_peer.h"
#include "libs/rpc/message.h"
#include "libs/rpc/method_options.h"
#include "libs/testing/assert_status.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/loopback_peer.h"
#include "libs/testing/seeded_random.h"
#include "libs/testing/stepped_store.h"
#include "libs/testing/test_call.h"
#include "libs/testing/test_stream.h"
#include "services/scheduler/job_store.h"
#include "weft/scheduler/v1/scheduler_service_descriptors.h"

#include <string.h>

typedef Weft__Scheduler__V1__Job job_msg;
typedef Weft__Scheduler__V1__WorkResponse work_response;

/* The service over an engine that moves when the test says so, called as user:ada of acme. */
struct fixture {
    struct store *real;
    struct stepped_store store;
    struct fake_clock clock;
    struct seeded_random random;
    struct engine *engine;
    struct scheduler_service *service;
    struct loopback_peer loopback;
    struct peer *peer;
    struct principal principal;
    struct call call;
    struct test_stream work;
};

static const char *const granted[] = { "project:debian:**" };

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ .peer = &f.loopback.peer, .call = test_call() };
    f.principal = *f.call.principal;
    f.principal.permissions = granted;
    f.principal.n_permissions = 1;
    f.call.principal = &f.principal;
    assert_status(store_open(f.call.arena, ":memory:", &f.real), STATUS_OK);
    assert_status(job_store_migrate(f.real, f.call.arena), STATUS_OK);
    assert_status(outbox_migrate(f.real, f.call.arena), STATUS_OK);
    stepped_store_init(&f.store, f.real);
    fake_clock_init(&f.clock, 1700000000123);
    seeded_random_init(&f.random, 1);
    f.engine = engine_new(&(struct engine_options){
        .store = &f.store.store, .clock = &f.clock.clock, .random = &f.random.source });
    assert_status(engine_recover(f.engine, f.call.arena), STATUS_OK);
    f.service = scheduler_service_new(&(struct scheduler_service_options){
        .engine = f.engine,
        .store = &f.store.store,
        .clock = &f.clock.clock,
        .random = &f.random.source,
    });
    loopback_peer_init(&f.loopback, &scheduler_service_methods, f.service);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    scheduler_service_free(f->service);
    engine_free(f->engine);
    store_close(f->real);
    arena_free(f->call.arena);
    return 0;
}

static Weft__Scheduler__V1__EnqueueJobRequest a_request(void)
{
    Weft__Scheduler__V1__EnqueueJobRequest request;

    weft__scheduler__v1__enqueue_job_request__init(&request);
    request.project_id = message_text("debian");
    request.capability = message_text("ingest.apt");
    request.payload = message_data(bytes_of("work"));
    return request;
}

static const job_msg *enqueue(struct fixture *f,
                              const Weft__Scheduler__V1__EnqueueJobRequest *request)
{
    const Weft__Scheduler__V1__EnqueueJobResponse *response = NULL;

    assert_status(scheduler_peer_enqueue_job(f->peer, &f->call, request, &response), STATUS_OK);
    return response->job;
}

static status get(struct fixture *f, const char *project, const char *id, const job_msg **ret_job)
{
    Weft__Scheduler__V1__GetJobRequest request;
    const Weft__Scheduler__V1__GetJobResponse *response;

    weft__scheduler__v1__get_job_request__init(&request);
    request.project_id = message_text(project);
    request.job_id = message_text(id);
    TRY(scheduler_peer_get_job(f->peer, &f->call, &request, &response));
    *ret_job = response->job;
    return status_ok();
}

static Weft__Scheduler__V1__JobState state_of(struct fixture *f, const char *id)
{
    const job_msg *job = NULL;

    assert_status(get(f, "debian", id, &job), STATUS_OK);
    return job->state;
}

static status cancel(struct fixture *f, const char *project, const char *id)
{
    Weft__Scheduler__V1__CancelJobRequest request;
    const Weft__Scheduler__V1__CancelJobResponse *response;

    weft__scheduler__v1__cancel_job_request__init(&request);
    request.project_id = message_text(project);
    request.job_id = message_text(id);
    return scheduler_peer_cancel_job(f->peer, &f->call, &request, &response);
}

static status redrive(struct fixture *f, const char *project, const char *id)
{
    Weft__Scheduler__V1__RedriveJobRequest request;
    const Weft__Scheduler__V1__RedriveJobResponse *response;

    weft__scheduler__v1__redrive_job_request__init(&request);
    request.project_id = message_text(project);
    request.job_id = message_text(id);
    return scheduler_peer_redrive_job(f->peer, &f->call, &request, &response);
}

/* How often action was done, as the outbox has it. */
static int64_t n_events(struct fixture *f, const char *action)
{
    const struct audit_event *events;
    size_t n_found;
    int64_t n = 0;

    assert_status(outbox_read(f->real, f->call.arena, 500, &events, &n_found), STATUS_OK);
    for (size_t i = 0; i < n_found; i++) {
        n += strcmp(events[i].action, action) == 0;
    }
    return n;
}

/* ---- A worker at the other end ---- */

static status say(struct fixture *f, Weft__Scheduler__V1__WorkRequest *request)
{
    status s = test_stream_message(&f->work, &request->base);

    engine_step(f->engine);
    return s;
}

static status say_hello(struct fixture *f)
{
    static const char *const names[] = { "ingest.apt" };
    char *capabilities[] = { message_text(names[0]) };
    Weft__Scheduler__V1__Hello hello;
    Weft__Scheduler__V1__WorkRequest request;

    weft__scheduler__v1__hello__init(&hello);
    hello.worker_id = message_text("w1");
    hello.capabilities = capabilities;
    hello.n_capabilities = 1;
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HELLO;
    request.hello = &hello;
    return say(f, &request);
}

static status say_credit(struct fixture *f, int32_t n)
{
    Weft__Scheduler__V1__WorkRequest request;

    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_CREDIT;
    request.credit = n;
    return say(f, &request);
}

static status say_beat(struct fixture *f)
{
    Weft__Scheduler__V1__Heartbeat beat;
    Weft__Scheduler__V1__WorkRequest request;

    weft__scheduler__v1__heartbeat__init(&beat);
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_HEARTBEAT;
    request.heartbeat = &beat;
    return say(f, &request);
}

static status say_progress(struct fixture *f, const char *id, int64_t done, const char *message)
{
    Weft__Scheduler__V1__Progress progress;
    Weft__Scheduler__V1__ProgressReport report;
    Weft__Scheduler__V1__WorkRequest request;

    weft__scheduler__v1__progress__init(&progress);
    progress.done = done;
    progress.total = 100;
    progress.message = message_text(message);
    weft__scheduler__v1__progress_report__init(&report);
    report.job_id = message_text(id);
    report.attempt = 1;
    report.progress = &progress;
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_PROGRESS;
    request.progress = &report;
    return say(f, &request);
}

static status say_chunk(struct fixture *f, const char *id, const char *data)
{
    Weft__Scheduler__V1__ResultChunk chunk;
    Weft__Scheduler__V1__WorkRequest request;

    weft__scheduler__v1__result_chunk__init(&chunk);
    chunk.job_id = message_text(id);
    chunk.attempt = 1;
    chunk.data = message_data(bytes_of(data));
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_RESULT;
    request.result = &chunk;
    return say(f, &request);
}

static status say_done(struct fixture *f, const char *id, int32_t attempt)
{
    Weft__Scheduler__V1__Completion completion;
    Weft__Scheduler__V1__WorkRequest request;

    weft__scheduler__v1__completion__init(&completion);
    completion.job_id = message_text(id);
    completion.attempt = attempt;
    completion.result = message_data(bytes_of("63,600 records"));
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_COMPLETION;
    request.completion = &completion;
    return say(f, &request);
}

static status say_failed(struct fixture *f, const char *id, const char *message)
{
    Weft__Scheduler__V1__Failure failure;
    Weft__Scheduler__V1__WorkRequest request;

    weft__scheduler__v1__failure__init(&failure);
    failure.job_id = message_text(id);
    failure.attempt = 1;
    failure.message = message_text(message);
    failure.permanent = true;
    weft__scheduler__v1__work_request__init(&request);
    request.kind_case = WEFT__SCHEDULER__V1__WORK_REQUEST__KIND_FAILURE;
    request.failure = &failure;
    return say(f, &request);
}

/* The next message must be of that kind. */
static const work_response *hear(struct fixture *f, int kind)
{
    engine_step(f->engine);
    assert_status(test_stream_wake(&f->work), STATUS_OK);
    const work_response *response = (const work_response *)test_stream_take(&f->work);
    if (response == NULL) {
        fail_msg("nothing was said, want kind %d", kind);
    } else if ((int)response->kind_case != kind) {
        fail_msg("kind %d was said, want %d", (int)response->kind_case, kind);
    }
    return response;
}

static void start_worker(struct fixture *f)
{
    test_stream_init(&f->work, &scheduler_service_methods, "Work", f->service, &f->call);
    assert_status(say_hello(f), STATUS_OK);
}

#define HEAR(f, kind) hear(f, WEFT__SCHEDULER__V1__WORK_RESPONSE__KIND_##kind)

/* ---- Unary ---- */

static void an_enqueued_job_can_be_got(void **state)
{
    struct fixture *f = *state;
    Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    char *permissions[] = { message_text("project:debian:data:publish") };
    const job_msg *job = NULL;

    request.permissions = permissions;
    request.n_permissions = 1;
    request.priority = 7;
    const char *id = enqueue(f, &request)->job_id;
    assert_status(get(f, "debian", id, &job), STATUS_OK);
    assert_string_equal(job->job_id, id);
    assert_string_equal(job->project_id, "debian");
    assert_string_equal(job->capability, "ingest.apt");
    assert_string_equal(job->subject, "user:ada");
    assert_int_equal(job->state, WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_READY);
    assert_int_equal(job->priority, 7);
    assert_int_equal(job->max_attempts, 5);
    assert_int_equal(job->create_time->seconds, 1700000000);
    assert_int_equal(job->create_time->nanos, 123000000);
    assert_null(job->end_time);
    assert_null(job->progress);
    assert_memory_equal(job->payload.data, "work", 4);
    assert_int_equal(n_events(f, "job.enqueue"), 1);
}

static void the_same_key_gives_the_first_job_and_no_second_event(void **state)
{
    struct fixture *f = *state;
    Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const Weft__Scheduler__V1__EnqueueJobResponse *response;

    request.idempotency_key = message_text("k");
    const char *id = enqueue(f, &request)->job_id;
    assert_string_equal(enqueue(f, &request)->job_id, id);
    assert_int_equal(n_events(f, "job.enqueue"), 1);
    request.payload = message_data(bytes_of("other"));
    assert_status(scheduler_peer_enqueue_job(f->peer, &f->call, &request, &response),
                  STATUS_ALREADY_EXISTS);
}

static void a_job_and_its_event_happen_together(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const Weft__Scheduler__V1__EnqueueJobResponse *response;

    f->store.fail_commit = 1;
    assert_status(scheduler_peer_enqueue_job(f->peer, &f->call, &request, &response),
                  STATUS_UNAVAILABLE);
    assert_int_equal(n_events(f, "job.enqueue"), 0);
}

static void enqueue_refuses_what_it_should(void **state)
{
    struct fixture *f = *state;
    char *permissions[] = { message_text("project:fedora:data:publish") };
    char *stars[] = { message_text("project:debian:*:***") };
    Google__Protobuf__Timestamp time;
    google__protobuf__timestamp__init(&time);
    time.seconds = -1;
    struct {
        const char *field; /* whose value is wrong */
        enum status_code want;
        Weft__Scheduler__V1__EnqueueJobRequest request;
    } cases[] = {
        { "project_id", STATUS_INVALID_ARGUMENT, a_request() },
        { "capability", STATUS_INVALID_ARGUMENT, a_request() },
        { "priority", STATUS_INVALID_ARGUMENT, a_request() },
        { "max_attempts", STATUS_INVALID_ARGUMENT, a_request() },
        { "not_before", STATUS_INVALID_ARGUMENT, a_request() },
        { "deadline", STATUS_INVALID_ARGUMENT, a_request() },
        { "permissions", STATUS_INVALID_ARGUMENT, a_request() },
        { "a permission not held", STATUS_PERMISSION_DENIED, a_request() },
    };

    cases[0].request.project_id = message_text("Debian");
    cases[1].request.capability = message_text("");
    cases[2].request.priority = -1;
    cases[3].request.max_attempts = 101;
    cases[4].request.not_before = &time;
    cases[5].request.deadline = &time;
    cases[6].request.permissions = stars;
    cases[6].request.n_permissions = 1;
    cases[7].request.permissions = permissions;
    cases[7].request.n_permissions = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const Weft__Scheduler__V1__EnqueueJobResponse *response;
        status s = scheduler_peer_enqueue_job(f->peer, &f->call, &cases[i].request, &response);
        if (s.code != cases[i].want) {
            fail_msg("%s: got %s (%s), want %s", cases[i].field, status_code_name(s.code),
                     s.message, status_code_name(cases[i].want));
        }
    }
    assert_int_equal(n_events(f, "job.enqueue"), 0);
}

static void another_tenants_and_another_projects_jobs_are_not_there(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const char *id = enqueue(f, &request)->job_id;
    const job_msg *job;

    assert_status(get(f, "fedora", id, &job), STATUS_NOT_FOUND);
    assert_status(cancel(f, "fedora", id), STATUS_NOT_FOUND);
    assert_status(redrive(f, "fedora", id), STATUS_NOT_FOUND);
    f->principal.tenant_id = "globex";
    assert_status(get(f, "debian", id, &job), STATUS_NOT_FOUND);
    assert_status(cancel(f, "debian", id), STATUS_NOT_FOUND);
    assert_status(redrive(f, "debian", id), STATUS_NOT_FOUND);
}

static void names_must_be_well_formed(void **state)
{
    struct fixture *f = *state;
    const job_msg *job;

    assert_status(get(f, "debian", "no such id", &job), STATUS_INVALID_ARGUMENT);
    assert_status(get(f, "", "01hf7ye4ctjd60a4ffany43xcy", &job), STATUS_INVALID_ARGUMENT);
    assert_status(get(f, "debian", "01hf7ye4ctjd60a4ffany43xcy", &job), STATUS_NOT_FOUND);
    assert_status(cancel(f, "debian", ""), STATUS_INVALID_ARGUMENT);
    assert_status(redrive(f, "debian", ""), STATUS_INVALID_ARGUMENT);
}

static void a_job_is_cancelled_once(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const char *id = enqueue(f, &request)->job_id;

    assert_status(cancel(f, "debian", id), STATUS_OK);
    assert_int_equal(state_of(f, id), WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_CANCELLED);
    assert_status(cancel(f, "debian", id), STATUS_FAILED_PRECONDITION);
    assert_status(redrive(f, "debian", id), STATUS_FAILED_PRECONDITION);
    assert_int_equal(n_events(f, "job.cancel"), 1);
}

static void a_list_goes_through_all_pages(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    Weft__Scheduler__V1__ListJobsRequest list;
    const Weft__Scheduler__V1__ListJobsResponse *page = NULL;
    const char *ids[3];

    for (int i = 0; i < 3; i++) {
        ids[i] = enqueue(f, &request)->job_id;
        fake_clock_advance_ms(&f->clock, 1);
    }
    weft__scheduler__v1__list_jobs_request__init(&list);
    list.project_id = message_text("debian");
    list.page_size = 2;
    assert_status(scheduler_peer_list_jobs(f->peer, &f->call, &list, &page), STATUS_OK);
    assert_int_equal(page->n_jobs, 2);
    assert_string_equal(page->jobs[0]->job_id, ids[2]);
    assert_string_not_equal(page->next_page_token, "");
    list.page_token = page->next_page_token;
    assert_status(scheduler_peer_list_jobs(f->peer, &f->call, &list, &page), STATUS_OK);
    assert_int_equal(page->n_jobs, 1);
    assert_string_equal(page->jobs[0]->job_id, ids[0]);
    assert_string_equal(page->next_page_token, "");
    list.page_token = message_text("");
    list.state = WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_DEAD;
    assert_status(scheduler_peer_list_jobs(f->peer, &f->call, &list, &page), STATUS_OK);
    assert_int_equal(page->n_jobs, 0);
    list.page_token = message_text("x");
    assert_status(scheduler_peer_list_jobs(f->peer, &f->call, &list, &page),
                  STATUS_INVALID_ARGUMENT);
    list.page_token = message_text("");
    list.page_size = -1;
    assert_status(scheduler_peer_list_jobs(f->peer, &f->call, &list, &page),
                  STATUS_INVALID_ARGUMENT);
    list.page_size = 0;
    list.state = (Weft__Scheduler__V1__JobState)7;
    assert_status(scheduler_peer_list_jobs(f->peer, &f->call, &list, &page),
                  STATUS_INVALID_ARGUMENT);
    list.state = WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_UNSPECIFIED;
    list.project_id = message_text("*");
    assert_status(scheduler_peer_list_jobs(f->peer, &f->call, &list, &page),
                  STATUS_INVALID_ARGUMENT);
}

/* ---- Work ---- */

static void a_worker_does_a_job_from_hello_to_the_answer(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const char *id = enqueue(f, &request)->job_id;
    const job_msg *job = NULL;

    start_worker(f);
    assert_status(say_credit(f, 1), STATUS_OK);
    const Weft__Scheduler__V1__Assignment *assignment = HEAR(f, ASSIGNMENT)->assignment;
    assert_string_equal(assignment->job_id, id);
    assert_string_equal(assignment->tenant_id, "acme");
    assert_string_equal(assignment->project_id, "debian");
    assert_string_equal(assignment->capability, "ingest.apt");
    assert_memory_equal(assignment->payload.data, "work", 4);
    assert_int_equal(assignment->attempt, 1);
    assert_int_equal(assignment->lease_expire_time->seconds, 1700000030);
    assert_status(say_beat(f), STATUS_OK);
    assert_status(say_progress(f, id, 40, "reading"), STATUS_OK);
    assert_status(say_chunk(f, id, "so far: "), STATUS_OK);
    assert_status(get(f, "debian", id, &job), STATUS_OK);
    assert_int_equal(job->progress->done, 40);
    assert_string_equal(job->progress->message, "reading");
    assert_int_equal(job->result.len, 8);
    assert_status(say_done(f, id, 1), STATUS_OK);
    const Weft__Scheduler__V1__ReportResult *result = HEAR(f, REPORT_RESULT)->report_result;
    assert_int_equal(result->code, STATUS_OK);
    assert_string_equal(result->job_id, id);
    assert_status(get(f, "debian", id, &job), STATUS_OK);
    assert_int_equal(job->state, WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_int_equal(job->result.len, 22);
    assert_memory_equal(job->result.data, "so far: 63,600 records", 22);
    assert_int_equal(job->end_time->seconds, 1700000000);
    test_stream_close(&f->work);
}

static void a_report_on_an_attempt_that_is_over_is_refused_and_the_stream_goes_on(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const char *id = enqueue(f, &request)->job_id;

    start_worker(f);
    assert_status(say_done(f, id, 1), STATUS_OK); /* it was never given */
    assert_int_equal(HEAR(f, REPORT_RESULT)->report_result->code, STATUS_ABORTED);
    assert_status(say_credit(f, 1), STATUS_OK);
    (void)HEAR(f, ASSIGNMENT);
    assert_status(say_done(f, id, 2), STATUS_OK); /* another attempt */
    assert_int_equal(HEAR(f, REPORT_RESULT)->report_result->code, STATUS_ABORTED);
    assert_int_equal(state_of(f, id), WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_RUNNING);
    test_stream_close(&f->work);
}

static void a_dead_letter_says_why_and_is_redriven(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const char *id = enqueue(f, &request)->job_id;
    const job_msg *job = NULL;

    start_worker(f);
    assert_status(say_credit(f, 2), STATUS_OK);
    (void)HEAR(f, ASSIGNMENT);
    assert_status(say_failed(f, id, "no such mirror"), STATUS_OK);
    assert_int_equal(HEAR(f, REPORT_RESULT)->report_result->code, STATUS_OK);
    assert_status(get(f, "debian", id, &job), STATUS_OK);
    assert_int_equal(job->state, WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_DEAD);
    assert_int_equal(job->n_errors, 1);
    assert_string_equal(job->errors[0]->message, "no such mirror");
    assert_int_equal(job->errors[0]->attempt, 1);
    const char *etag = job->etag;
    assert_status(redrive(f, "debian", id), STATUS_OK);
    assert_int_equal(n_events(f, "job.redrive"), 1);
    assert_int_equal(HEAR(f, ASSIGNMENT)->assignment->attempt, 2);
    assert_status(get(f, "debian", id, &job), STATUS_OK);
    assert_string_not_equal(job->etag, etag);
    test_stream_close(&f->work);
}

static void a_cancelled_job_is_withdrawn(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const char *id = enqueue(f, &request)->job_id;

    start_worker(f);
    assert_status(say_credit(f, 1), STATUS_OK);
    (void)HEAR(f, ASSIGNMENT);
    assert_status(cancel(f, "debian", id), STATUS_OK);
    assert_string_equal(HEAR(f, WITHDRAWAL)->withdrawal->job_id, id);
    engine_drain(f->engine);
    (void)HEAR(f, DRAIN);
    test_stream_close(&f->work);
}

static void a_worker_with_a_token_gets_its_tenants_jobs_and_one_of_the_platform_all(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();

    f->principal.tenant_id = "globex";
    start_worker(f); /* with a token of globex */
    f->principal.tenant_id = "acme";
    (void)enqueue(f, &request);
    assert_status(say_credit(f, 1), STATUS_OK);
    assert_null(test_stream_take(&f->work));
    test_stream_close(&f->work);
    f->principal.credential = CREDENTIAL_SVID;
    f->principal.tenant_id = PLATFORM_TENANT;
    start_worker(f);
    assert_status(say_credit(f, 1), STATUS_OK);
    assert_string_equal(HEAR(f, ASSIGNMENT)->assignment->tenant_id, "acme");
    test_stream_close(&f->work);
}

static void a_worker_must_speak_as_agreed(void **state)
{
    struct fixture *f = *state;
    Weft__Scheduler__V1__WorkRequest empty;
    char long_text[JOB_MAX_ERROR_BYTES + 2];

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    weft__scheduler__v1__work_request__init(&empty);
    test_stream_init(&f->work, &scheduler_service_methods, "Work", f->service, &f->call);
    assert_status(say_credit(f, 1), STATUS_INVALID_ARGUMENT); /* no hello */
    test_stream_close(&f->work);
    start_worker(f);
    assert_status(say_hello(f), STATUS_INVALID_ARGUMENT); /* twice */
    test_stream_close(&f->work);
    start_worker(f);
    assert_status(say(f, &empty), STATUS_INVALID_ARGUMENT);
    test_stream_close(&f->work);
    start_worker(f);
    assert_status(say_credit(f, 0), STATUS_INVALID_ARGUMENT);
    test_stream_close(&f->work);
    start_worker(f);
    assert_status(say_progress(f, "j", -1, ""), STATUS_INVALID_ARGUMENT);
    test_stream_close(&f->work);
    start_worker(f);
    assert_status(say_progress(f, "j", 1, long_text), STATUS_INVALID_ARGUMENT);
    test_stream_close(&f->work);
    start_worker(f);
    assert_status(say_failed(f, "j", long_text), STATUS_INVALID_ARGUMENT);
    test_stream_close(&f->work);
}

static void a_silent_worker_is_cut_off(void **state)
{
    struct fixture *f = *state;

    start_worker(f);
    fake_clock_advance_ms(&f->clock, 31000);
    engine_step(f->engine);
    assert_status(test_stream_wake(&f->work), STATUS_DEADLINE_EXCEEDED);
    test_stream_close(&f->work);
}

static void a_worker_that_says_its_last_has_gone(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const char *id = enqueue(f, &request)->job_id;

    start_worker(f);
    assert_status(say_credit(f, 1), STATUS_OK);
    (void)HEAR(f, ASSIGNMENT);
    assert_status(test_stream_half_close(&f->work), STATUS_OK);
    assert_true(f->work.ended);
    test_stream_close(&f->work);
    engine_step(f->engine);
    assert_int_equal(state_of(f, id), WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_SCHEDULED);
}

static void a_worker_that_reads_slowly_is_sent_no_more_than_it_has_room_for(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();

    start_worker(f);
    f->work.is_full = true;
    (void)enqueue(f, &request);
    assert_status(say_credit(f, 1), STATUS_OK);
    engine_step(f->engine);
    assert_status(test_stream_wake(&f->work), STATUS_OK);
    assert_null(test_stream_take(&f->work));
    f->work.is_full = false;
    assert_status(test_stream_writable(&f->work), STATUS_OK);
    assert_non_null(test_stream_take(&f->work));
    test_stream_close(&f->work);
}

/* ---- Watching and batches ---- */

static void watch(struct fixture *f, struct test_stream *stream, const char *id)
{
    Weft__Scheduler__V1__WatchJobRequest request;

    weft__scheduler__v1__watch_job_request__init(&request);
    request.project_id = message_text("debian");
    request.job_id = message_text(id);
    test_stream_init(stream, &scheduler_service_methods, "WatchJob", f->service, &f->call);
    assert_status(test_stream_message(stream, &request.base), STATUS_OK);
}

static const job_msg *seen(struct test_stream *stream)
{
    assert_status(test_stream_wake(stream), STATUS_OK);
    const Weft__Scheduler__V1__WatchJobResponse *response =
        (const Weft__Scheduler__V1__WatchJobResponse *)test_stream_take(stream);
    return response != NULL ? response->job : NULL;
}

static void who_watches_sees_each_change_until_the_end(void **state)
{
    struct fixture *f = *state;
    const Weft__Scheduler__V1__EnqueueJobRequest request = a_request();
    const char *id = enqueue(f, &request)->job_id;
    struct test_stream stream;

    watch(f, &stream, id);
    assert_int_equal(seen(&stream)->state, WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_READY);
    assert_null(seen(&stream)); /* nothing has changed */
    assert_status(test_stream_writable(&stream), STATUS_OK);
    assert_null(seen(&stream));
    start_worker(f);
    assert_status(say_credit(f, 1), STATUS_OK);
    assert_int_equal(seen(&stream)->state, WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_RUNNING);
    stream.is_full = true; /* a slow reader: what comes meanwhile is merged */
    assert_status(say_progress(f, id, 10, ""), STATUS_OK);
    assert_status(say_progress(f, id, 20, ""), STATUS_OK);
    assert_null(seen(&stream));
    stream.is_full = false;
    assert_status(test_stream_writable(&stream), STATUS_OK);
    assert_int_equal(seen(&stream)->progress->done, 20);
    assert_null(seen(&stream));
    assert_status(say_done(f, id, 1), STATUS_OK);
    assert_int_equal(seen(&stream)->state, WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_true(stream.ended);
    test_stream_close(&stream);
    test_stream_close(&f->work);
}

static void a_watch_on_nothing_ends(void **state)
{
    struct fixture *f = *state;
    Weft__Scheduler__V1__WatchJobRequest request;
    struct test_stream stream;

    weft__scheduler__v1__watch_job_request__init(&request);
    request.project_id = message_text("debian");
    request.job_id = message_text("01hf7ye4ctjd60a4ffany43xcy");
    test_stream_init(&stream, &scheduler_service_methods, "WatchJob", f->service, &f->call);
    assert_status(test_stream_message(&stream, &request.base), STATUS_NOT_FOUND);
    test_stream_close(&stream);
    request.job_id = message_text("x");
    test_stream_init(&stream, &scheduler_service_methods, "WatchJob", f->service, &f->call);
    assert_status(test_stream_message(&stream, &request.base), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
}

static status send_batch(struct test_stream *stream, Weft__Scheduler__V1__EnqueueJobRequest *jobs,
                         size_t n_jobs)
{
    Weft__Scheduler__V1__EnqueueJobRequest *pointers[1001];
    Weft__Scheduler__V1__EnqueueJobsRequest request;

    for (size_t i = 0; i < n_jobs; i++) {
        pointers[i] = &jobs[i];
    }
    weft__scheduler__v1__enqueue_jobs_request__init(&request);
    request.project_id = message_text("debian");
    request.jobs = pointers;
    request.n_jobs = n_jobs;
    return test_stream_message(stream, &request.base);
}

static void a_stream_of_batches_is_answered_in_order(void **state)
{
    struct fixture *f = *state;
    Weft__Scheduler__V1__EnqueueJobRequest jobs[3] = { a_request(), a_request(), a_request() };
    struct test_stream stream;

    for (int i = 0; i < 3; i++) {
        jobs[i].project_id = message_text("");
    }
    test_stream_init(&stream, &scheduler_service_methods, "EnqueueJobs", f->service, &f->call);
    assert_status(send_batch(&stream, jobs, 3), STATUS_OK);
    assert_status(send_batch(&stream, jobs, 0), STATUS_OK);
    const Weft__Scheduler__V1__EnqueueJobsResponse *response =
        (const Weft__Scheduler__V1__EnqueueJobsResponse *)test_stream_take(&stream);
    assert_int_equal(response->n_job_ids, 3);
    assert_int_equal(state_of(f, response->job_ids[2]),
                     WEFT__SCHEDULER__V1__JOB_STATE__JOB_STATE_READY);
    response = (const Weft__Scheduler__V1__EnqueueJobsResponse *)test_stream_take(&stream);
    assert_int_equal(response->n_job_ids, 0);
    assert_int_equal(n_events(f, "job.enqueue"), 1); /* one for each request that adds something */
    assert_status(test_stream_half_close(&stream), STATUS_OK);
    assert_true(stream.ended);
    test_stream_close(&stream);
}

static void a_batch_is_refused_whole(void **state)
{
    static Weft__Scheduler__V1__EnqueueJobRequest jobs[1001];
    struct fixture *f = *state;
    struct test_stream stream;

    for (size_t i = 0; i < 1001; i++) {
        jobs[i] = a_request();
        jobs[i].project_id = message_text("");
    }
    test_stream_init(&stream, &scheduler_service_methods, "EnqueueJobs", f->service, &f->call);
    assert_status(send_batch(&stream, jobs, 1001), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
    jobs[1].priority = 10;
    test_stream_init(&stream, &scheduler_service_methods, "EnqueueJobs", f->service, &f->call);
    assert_status(send_batch(&stream, jobs, 2), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
    jobs[1] = a_request(); /* names a project itself */
    test_stream_init(&stream, &scheduler_service_methods, "EnqueueJobs", f->service, &f->call);
    assert_status(send_batch(&stream, jobs, 2), STATUS_INVALID_ARGUMENT);
    test_stream_close(&stream);
    assert_int_equal(n_events(f, "job.enqueue"), 0);
}

/* ---- The table ---- */

static void every_rpc_has_a_handler(void **state)
{
    (void)state;
    assert_null(service_first_unhandled(&scheduler_service_methods));
}

static void every_rpc_has_a_permission(void **state)
{
    struct fixture *f = *state;
    const ProtobufCServiceDescriptor *service = scheduler_service_methods.descriptor;

    for (unsigned i = 0; i < service->n_methods; i++) {
        struct method_options options;
        assert_status(method_options_read(f->call.arena, scheduler_service_descriptors,
                                          service->name, service->methods[i].name, &options),
                      STATUS_OK);
        if (options.permission[0] == '\0') {
            fail_msg("%s has no permission", service->methods[i].name);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_enqueued_job_can_be_got),
        TEST(the_same_key_gives_the_first_job_and_no_second_event),
        TEST(a_job_and_its_event_happen_together),
        TEST(enqueue_refuses_what_it_should),
        TEST(another_tenants_and_another_projects_jobs_are_not_there),
        TEST(names_must_be_well_formed),
        TEST(a_job_is_cancelled_once),
        TEST(a_list_goes_through_all_pages),
        TEST(a_worker_does_a_job_from_hello_to_the_answer),
        TEST(a_report_on_an_attempt_that_is_over_is_refused_and_the_stream_goes_on),
        TEST(a_dead_letter_says_why_and_is_redriven),
        TEST(a_cancelled_job_is_withdrawn),
        TEST(a_worker_with_a_token_gets_its_tenants_jobs_and_one_of_the_platform_all),
        TEST(a_worker_must_speak_as_agreed),
        TEST(a_silent_worker_is_cut_off),
        TEST(a_worker_that_says_its_last_has_gone),
        TEST(a_worker_that_reads_slowly_is_sent_no_more_than_it_has_room_for),
        TEST(who_watches_sees_each_change_until_the_end),
        TEST(a_watch_on_nothing_ends),
        TEST(a_stream_of_batches_is_answered_in_order),
        TEST(a_batch_is_refused_whole),
        TEST(every_rpc_has_a_permission),
        cmocka_unit_test(every_rpc_has_a_handler),
    };

    return cmocka_run_group_tests_name("scheduler_service", tests, NULL, NULL);
}
