/* Steps 3 and 4: real questions, and who gets no answer. */

#include "cli/demo.h"
#include "cli/hits.h"
#include "libs/peers/search_peer.h"

#include <string.h>

/* ---- Step 3 ---- */

struct question {
    const char *query;
    const char *filter;
    const char *wanted[4]; /* one of them ... */
    size_t within;         /* ... is among so many; 0: nothing is asked for */
};

static const struct question questions[] = {
    { "convert video files on the command line", "", { "handbrake-cli", "ffmpeg" }, 5 },
    { "convert video files on the command line", "section = video", { NULL }, 0 },
    { "find duplicate photos", "", { "dupeguru", "fdupes", "rdfind" }, 3 },
    { "play chess against the computer", "", { "gnuchess", "gnome-chess" }, 5 },
};

/* The place of the first of the wanted, from 1; 0 when none is there. */
static size_t place_of(const struct question *question,
                       const Weft__Search__V1__SearchResponse *response, const char **ret_name)
{
    for (size_t i = 0; i < response->n_hits; i++) {
        for (size_t j = 0; j < 4 && question->wanted[j] != NULL; j++) {
            if (strcmp(response->hits[i]->document->document_id, question->wanted[j]) == 0) {
                *ret_name = question->wanted[j];
                return i + 1;
            }
        }
    }
    return 0;
}

static const char *section_of(const Weft__Search__V1__Document *document)
{
    for (size_t i = 0; i < document->n_fields; i++) {
        if (strcmp(document->fields[i]->name, "section") == 0) {
            return document->fields[i]->text;
        }
    }
    return "";
}

static bool all_are_of(const Weft__Search__V1__SearchResponse *response, const char *section)
{
    for (size_t i = 0; i < response->n_hits; i++) {
        if (strcmp(section_of(response->hits[i]->document), section) != 0) {
            return false;
        }
    }
    return response->n_hits > 0;
}

static status ask(struct demo *self, const struct question *question)
{
    const Weft__Search__V1__SearchResponse *response;
    int64_t begin_us = clock_monotonic_us(&system_clock);
    const char *name = "";

    TRY(demo_search(self, self->publisher.token, question->query, question->filter, &response));
    double ms = (double)(clock_monotonic_us(&system_clock) - begin_us) / 1000;
    demo_say(self, "\"%s\"%s%s: %.1f ms", question->query, question->filter[0] != '\0' ? ", " : "",
             question->filter, ms);
    hits_show(self->invocation->output, self->invocation->arena, response);
    if (question->within == 0) {
        demo_check(self, all_are_of(response, "video"), "all hits are of section 'video'");
        return status_ok();
    }
    size_t place = place_of(question, response, &name);
    bool found = place > 0 && place <= question->within;
    if (place > 0) {
        demo_check(self, found, "'%s' is number %zu", name, place);
    } else {
        demo_check(self, found, "'%s' is among the first %zu", question->wanted[0],
                   question->within);
    }
    return status_ok();
}

status demo_questions(struct demo *self)
{
    demo_step(self, "real questions");
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        TRY(ask(self, &questions[i]));
    }
    return status_ok();
}

/* ---- Step 4 ---- */

static status another_tenant_finds_nothing(struct demo *self)
{
    static const char *const everything[] = { "project:**", NULL };
    const Weft__Search__V1__SearchResponse *response;
    const Weft__Registry__V1__Receipt *receipt;
    struct demo_key key;

    TRY(demo_make_key(self, DEMO_OTHER, "curious", everything, &key));
    status s = demo_search(self, key.token, "chess", "", &response);
    bool nothing = s.code == STATUS_NOT_FOUND || (status_is_ok(s) && response->n_hits == 0);
    demo_check(self, nothing, "tenant '%s', who may do all in its own projects, finds nothing: %s",
               DEMO_OTHER, s.message);
    return demo_revoke_key(self, DEMO_OTHER, key.key_id, &receipt);
}

static status a_permission_that_lacks_is_named(struct demo *self)
{
    static const char *const reading[] = { "project:" DEMO_PROJECT ":data:read", NULL };
    const Weft__Search__V1__SearchResponse *response;
    const Weft__Registry__V1__Receipt *receipt;
    const char *job_id = "";
    struct demo_key key;

    TRY(demo_make_key(self, DEMO_TENANT, "reader", reading, &key));
    status s = demo_search(self, key.token, "chess", "", &response);
    demo_check(self, status_is_ok(s), "a key for reading reads");
    s = demo_enqueue(self, key.token, 1, &job_id);
    demo_check(self,
               s.code == STATUS_PERMISSION_DENIED &&
                   strstr(s.message, "project:" DEMO_PROJECT ":jobs:enqueue") != NULL,
               "and may not enqueue: %s", s.message);
    return demo_revoke_key(self, DEMO_TENANT, key.key_id, &receipt);
}

static status a_revoked_key_stops_working_everywhere(struct demo *self)
{
    static const char *const all[] = { "project:" DEMO_PROJECT ":**", NULL };
    const Weft__Search__V1__SearchResponse *response;
    const Weft__Registry__V1__Receipt *receipt = NULL;
    const char *job_id = "";
    const char *token = "";
    struct demo_key key;

    TRY(demo_make_key(self, DEMO_TENANT, "leaver", all, &key));
    status s = demo_search(self, key.token, "chess", "", &response);
    demo_check(self, status_is_ok(s), "a key works");
    TRY(demo_revoke_key(self, DEMO_TENANT, key.key_id, &receipt));
    demo_check(self,
               receipt != NULL &&
                   receipt->acknowledged + (int)receipt->n_fenced == receipt->enforcement_points,
               "revoked: %d of %d enforcement points acknowledged in %.1f ms",
               receipt != NULL ? receipt->acknowledged : 0,
               receipt != NULL ? receipt->enforcement_points : 0,
               receipt != NULL ? (double)receipt->elapsed_us / 1000 : 0.0);
    s = demo_search(self, key.token, "chess", "", &response);
    demo_check(self, s.code == STATUS_UNAUTHENTICATED, "search refuses its token: %s", s.message);
    s = demo_enqueue(self, key.token, 1, &job_id);
    demo_check(self, s.code == STATUS_UNAUTHENTICATED, "scheduler refuses its token: %s",
               s.message);
    s = session_exchange(self->invocation->session, self->invocation->arena, key.secret, &token);
    demo_check(self, s.code == STATUS_UNAUTHENTICATED, "auth gives no new token: %s", s.message);
    return status_ok();
}

status demo_refusals(struct demo *self)
{
    demo_step(self, "who gets no answer");
    TRY(another_tenant_finds_nothing(self));
    TRY(a_permission_that_lacks_is_named(self));
    return a_revoked_key_stops_working_everywhere(self);
}
