/* api - what the verbs of all APIs share: how a call begins, and how its answer is shown. */

#ifndef CLI_API_H_
#define CLI_API_H_

#include "cli/message_fields.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "libs/rpc/message.h"

enum {
    API_TIMEOUT_MS = 30 * 1000,
    API_PAGE = 500,      /* rows fetched at once by list verbs */
    API_MAX_ROWS = 1000, /* shown without --limit: more is for programs, which can say so */
};

/* Ends the arguments, joins the mesh, gets the token, and makes *ret_call. */
static inline status api_begin(struct invocation *invocation, struct call *ret_call)
{
    TRY(arguments_end(invocation->arguments));
    TRY(session_open_with_token(invocation));
    *ret_call = session_call(invocation->session, invocation->arena, API_TIMEOUT_MS);
    return status_ok();
}

/* The same for what our certificate alone allows. */
static inline status api_begin_without_token(struct invocation *invocation, struct call *ret_call)
{
    TRY(arguments_end(invocation->arguments));
    TRY(session_open(invocation));
    *ret_call = session_call(invocation->session, invocation->arena, API_TIMEOUT_MS);
    return status_ok();
}

static inline struct peer *api_peer(struct invocation *invocation, const char *service)
{
    return session_peer(invocation->session, service);
}

static inline void api_show(struct invocation *invocation, const ProtobufCMessage *message,
                            const char *columns)
{
    message_row(invocation->output, invocation->arena, message, columns);
}

/* The text of the next argument, for a string field. */
static inline char *api_next(struct invocation *invocation, const char *what)
{
    return message_text(arguments_next(invocation->arguments, what));
}

/* All pages of a list, up to --limit, which must have been asked for before:
 *
 *     for (int64_t left = limit; left > 0; left = api_next_page(...)) */
static inline int64_t api_limit(struct invocation *invocation)
{
    return arguments_number(invocation->arguments, "--limit", API_MAX_ROWS, 1, 1000000);
}

static inline int32_t api_page_size(int64_t left)
{
    return left < API_PAGE ? (int32_t)left : API_PAGE;
}

/* Says that there is more, or nothing. */
static inline void api_end_list(struct invocation *invocation, const char *next_page_token)
{
    output_end(invocation->output);
    if (output_n_rows(invocation->output) == 0) {
        output_say(invocation->output, TONE_DIM, "there are none");
    }
    if (next_page_token[0] != '\0') {
        output_say(invocation->output, TONE_DIM, "there are more: --limit N");
    }
}

#endif
