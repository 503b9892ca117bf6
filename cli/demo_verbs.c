/* demo: the platform's main job on real data. */

#include "cli/demo.h"
#include "cli/verbs.h"

#include <stdlib.h>

static status run(struct demo *self)
{
    TRY(demo_tenant_and_key(self));
    TRY(demo_publish(self));
    TRY(demo_questions(self));
    TRY(demo_refusals(self));
    TRY(demo_kill(self));
    TRY(demo_proof(self));
    return demo_trace(self);
}

static status demo(struct invocation *invocation)
{
    struct demo self = { .invocation = invocation };
    int64_t begin_ms = clock_monotonic_ms(&system_clock);
    struct call call;

    TRY(api_begin(invocation, &call));
    TRY(home_find(invocation->arena, invocation->root, &self.home));
    self.admin_token = arena_strdup(invocation->arena, call.token);
    status s = run(&self);
    demo_clean_up(&self);
    TRY(advise(invocation, s, "./weft status; ./weft logs"));
    output_say(invocation->output, TONE_PLAIN, "%s", "");
    double seconds = (double)(clock_monotonic_ms(&system_clock) - begin_ms) / 1000;
    if (self.n_failed == 0) {
        output_say(invocation->output, TONE_GOOD, "all of it holds (%.1f s)", seconds);
        output_say(invocation->output, TONE_DIM,
                   "questions of your own: ./weft key create " DEMO_TENANT " publisher --save mine "
                   "&& ./weft search " DEMO_PROJECT " " DEMO_COLLECTION " WORD... --as mine");
    } else {
        output_say(invocation->output, TONE_BAD, "%d checks do not hold (%.1f s)", self.n_failed,
                   seconds);
    }
    invocation->exit_code = self.n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    return status_ok();
}

const struct verb demo_verbs[] = {
    { NULL, "demo", "",
      "publish this Debian's packages, ask questions, break things, and prove what happened",
      demo },
    { 0 },
};
