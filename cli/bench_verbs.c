/* bench: how fast and how large it is. */

#include "cli/bench.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>

static const char command[] = "./weft bench";

void bench_report(struct invocation *invocation, const struct bench_figure *figure, const char *how)
{
    double ratio = figure->reference > 0 ? figure->value / figure->reference : 0;
    bool met = figure->reference <= 0 || (figure->at_most ? ratio <= 1 : ratio >= 1);
    const char *bar = figure->reference <= 0 ? "" : figure->at_most ? "at most" : "at least";

    if (!met) {
        invocation->exit_code = EXIT_FAILURE;
    }
    output_row(invocation->output,
               FIELDS(field_text("name", figure->name), field_real("value", figure->value),
                      field_text("unit", figure->unit),
                      field_only(FIELD_TABLE_ONLY, field_text("bar", bar)),
                      field_real("reference", figure->reference), field_real("ratio", ratio),
                      field_tone(met ? TONE_GOOD : TONE_BAD,
                                 field_text("verdict", figure->reference <= 0 ? NULL
                                                       : met                  ? "met"
                                                                              : "missed")),
                      field_only(FIELD_JSON_ONLY, field_text("command", how))));
}

static status bench(struct invocation *invocation)
{
    const char *only = arguments_next_or(invocation->arguments, "");
    const char *folder = arena_printf(invocation->arena, "%s/bench", invocation->programs);
    struct home home;

    TRY(arguments_end(invocation->arguments));
    TRY(home_find(invocation->arena, invocation->root, &home));
    TRY(make_folder(invocation->arena, home.root, 0700));
    const char *scratch = home_path(invocation->arena, &home, "bench");
    TRY(make_folder(invocation->arena, scratch, 0700));
    if (strstr("mesh", only) != NULL) {
        TRY(advise(invocation, bench_mesh(invocation, scratch), "./weft check"));
    }
    if (strcmp(only, "mesh") != 0) {
        TRY(bench_programs(invocation, folder, scratch, only));
    }
    output_end(invocation->output);
    output_say(invocation->output, TONE_DIM, "again: %s%s%s", command, only[0] != '\0' ? " " : "",
               only);
    return status_ok();
}

const struct verb bench_verbs[] = {
    { NULL, "bench", "[mesh|NAME]", "measure a mesh of its own, and run the load tests", bench },
    { 0 },
};
