/* check: is the machine fit, and what to do. */

#include "cli/checks.h"
#include "cli/verbs.h"

#include <stdlib.h>

static const char *word_of(enum verdict verdict)
{
    return verdict == VERDICT_OK ? "ok" : verdict == VERDICT_WARN ? "warn" : "fail";
}

static enum tone tone_of(enum verdict verdict)
{
    return verdict == VERDICT_OK ? TONE_GOOD : verdict == VERDICT_WARN ? TONE_WARN : TONE_BAD;
}

static status check(struct invocation *invocation)
{
    struct home home;

    TRY(arguments_end(invocation->arguments));
    TRY(home_find(invocation->arena, invocation->root, &home));
    for (const struct check *each = checks; each->name != NULL; each++) {
        struct finding finding = each->look(invocation->arena, &home);
        output_row(invocation->output,
                   FIELDS(field_text("check", each->name),
                          field_tone(tone_of(finding.verdict),
                                     field_text("verdict", word_of(finding.verdict))),
                          field_text("found", finding.found), field_text("next", finding.next)));
        if (finding.verdict == VERDICT_FAIL) {
            invocation->exit_code = EXIT_FAILURE;
        }
    }
    return status_ok();
}

const struct verb check_verbs[] = {
    { NULL, "check", "", "say whether this machine is fit, and what to do", check },
    { 0 },
};
