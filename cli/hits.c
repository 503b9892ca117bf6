#include "cli/hits.h"

#include "cli/message_fields.h"
#include "libs/base/text.h"

#include <string.h>

/* Ranges come from the network, so they may be anything. */
static size_t clamp(int32_t at, size_t low, size_t high)
{
    size_t place = at < 0 ? 0 : (size_t)at;

    return place < low ? low : place > high ? high : place;
}

static void add_plain(struct text *into, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool is_control = (unsigned char)text[i] < ' ' || text[i] == 0x7f;
        text_add_bytes(into, (bytes){ (const uint8_t *)(is_control ? " " : text + i), 1 });
    }
}

const char *snippet_marked(struct arena *arena, const Weft__Search__V1__Snippet *snippet,
                           const char *open, const char *close)
{
    struct text marked = text_new(arena);
    size_t size = strlen(snippet->text);
    size_t at = 0;

    for (size_t i = 0; i < snippet->n_highlights; i++) {
        size_t start = clamp(snippet->highlights[i]->start, at, size);
        size_t end = clamp(snippet->highlights[i]->end, start, size);
        add_plain(&marked, snippet->text + at, start - at);
        text_add(&marked, "%s", open);
        add_plain(&marked, snippet->text + start, end - start);
        text_add(&marked, "%s", close);
        at = end;
    }
    add_plain(&marked, snippet->text + at, size - at);
    return text_string(&marked);
}

static void show_hit(struct output *output, struct arena *arena, const Weft__Search__V1__Hit *hit)
{
    const char *id = hit->document != NULL ? hit->document->document_id : "";
    struct text document = text_new(arena);

    if (hit->document != NULL) {
        message_add_json(&document, &hit->document->base);
    }
    output_row(
        output,
        FIELDS(
            field_shown(arena_printf(arena, "%.2f", hit->score), field_real("score", hit->score)),
            field_tone(TONE_STRONG, field_text("document_id", id)),
            field_text("snippet", hit->snippet != NULL
                                      ? snippet_marked(arena, hit->snippet, "**", "**")
                                      : NULL),
            field_raw("document", hit->document != NULL ? text_string(&document) : "null", NULL)));
}

void hits_show(struct output *output, struct arena *arena,
               const Weft__Search__V1__SearchResponse *response)
{
    for (size_t i = 0; i < response->n_hits; i++) {
        show_hit(output, arena, response->hits[i]);
    }
    output_end(output);
}
