/* The isolation matrix: every rpc of every service, called by bravo's administrator with every id
 * of acme's, alone and mixed with bravo's own.  No answer may hold anything of acme's that the
 * request did not, nor tell an absent thing from a foreign one, and nothing of acme's may change.
 *
 * The requests are made from the descriptors (requests.h); what must come of them is a row below. A
 * new rpc fails until it has one. */

#include "libs/base/text.h"
#include "libs/rpc/message.h"
#include "libs/testing/assert_status.h"
#include "tests/isolation/world.h"

#include <string.h>

/* What bravo may get who asks for acme's. */
enum attack {
    REFUSED, /* NOT_FOUND or PERMISSION_DENIED, always */
    OWN,     /* it may succeed, upon what is bravo's own or nobody's; never where the request says
                that it is about the tenant acme */
    OPEN,    /* it may succeed, and says nothing of anybody */
    MEMBERS, /* as REFUSED for a token; not asked with a certificate, which opens it to all members
                since they need it to decide on their own: keys, roles, standings, endpoints */
    NO_ID,   /* not asked: it is open to all, and a credential in the request says whose it is */
};

/* What acme gets who asks for its own: that the requests are good for something. */
enum owner {
    SEES,     /* OK, and something of acme's that the request did not say; again the same later */
    SEES_NEW, /* the same, but its next look differs: looking is itself written down */
    DOES,     /* OK, or there is one already */
    MAY_NOT,  /* PERMISSION_DENIED: the platform's own, or a member's */
    REFUSES,  /* FAILED_PRECONDITION: not as long as things are as they are here */
    NOT_ASKED,
};

/* X(service, rpc, what bravo gets, what acme gets) */
#define TENANT(X)                                               \
    X(tenant.v1.TenantService, CreateTenant, REFUSED, MAY_NOT)  \
    X(tenant.v1.TenantService, GetTenant, REFUSED, SEES)        \
    X(tenant.v1.TenantService, UpdateTenant, REFUSED, MAY_NOT)  \
    X(tenant.v1.TenantService, SuspendTenant, REFUSED, MAY_NOT) \
    X(tenant.v1.TenantService, ResumeTenant, REFUSED, MAY_NOT)  \
    X(tenant.v1.TenantService, DeleteTenant, REFUSED, MAY_NOT)  \
    X(tenant.v1.TenantService, ListTenants, REFUSED, MAY_NOT)   \
    X(tenant.v1.TenantService, CheckTenantId, OPEN, MAY_NOT)    \
    X(tenant.v1.TenantService, WatchTenants, REFUSED, MAY_NOT)
#define AUTH(X)                                                 \
    X(auth.v1.AuthService, CreateServiceAccount, OWN, DOES)     \
    X(auth.v1.AuthService, GetServiceAccount, REFUSED, SEES)    \
    X(auth.v1.AuthService, ListServiceAccounts, OWN, SEES)      \
    X(auth.v1.AuthService, DeleteServiceAccount, REFUSED, DOES) \
    X(auth.v1.AuthService, CreateApiKey, REFUSED, DOES)         \
    X(auth.v1.AuthService, ListApiKeys, OWN, SEES)              \
    X(auth.v1.AuthService, RevokeApiKey, REFUSED, DOES)         \
    X(auth.v1.AuthService, ExchangeApiKey, OPEN, MAY_NOT)       \
    X(auth.v1.AuthService, IssueJobToken, REFUSED, MAY_NOT)     \
    X(auth.v1.AuthService, IssueJobTokens, REFUSED, MAY_NOT)    \
    X(auth.v1.AuthService, GetJwks, OPEN, MAY_NOT)              \
    X(auth.v1.AuthService, WhoAmI, OWN, DOES)                   \
    X(auth.v1.AuthService, Subscribe, MEMBERS, MAY_NOT)
#define SEARCH(X)                                                \
    X(search.v1.SearchService, CreateCollection, OWN, DOES)      \
    X(search.v1.SearchService, GetCollection, REFUSED, DOES)     \
    X(search.v1.SearchService, ListCollections, OWN, SEES)       \
    X(search.v1.SearchService, DeleteCollection, REFUSED, DOES)  \
    X(search.v1.SearchService, RebuildCollection, REFUSED, DOES) \
    X(search.v1.SearchService, UpsertDocuments, OWN, DOES)       \
    X(search.v1.SearchService, GetDocument, REFUSED, SEES)       \
    X(search.v1.SearchService, DeleteDocuments, OWN, DOES)       \
    X(search.v1.SearchService, Search, REFUSED, SEES)
#define SCHEDULER(X)                                               \
    X(scheduler.v1.SchedulerService, EnqueueJob, OWN, DOES)        \
    X(scheduler.v1.SchedulerService, EnqueueJobs, OWN, DOES)       \
    X(scheduler.v1.SchedulerService, GetJob, REFUSED, SEES)        \
    X(scheduler.v1.SchedulerService, WatchJob, REFUSED, SEES)      \
    X(scheduler.v1.SchedulerService, ListJobs, OWN, SEES)          \
    X(scheduler.v1.SchedulerService, CancelJob, REFUSED, DOES)     \
    X(scheduler.v1.SchedulerService, RedriveJob, REFUSED, REFUSES) \
    X(scheduler.v1.SchedulerService, Work, OWN, SEES_NEW)
#define AUDIT(X)                                             \
    X(audit.v1.AuditService, AppendEvent, OWN, DOES)         \
    X(audit.v1.AuditService, AppendEvents, OWN, DOES)        \
    X(audit.v1.AuditService, StreamEvents, OWN, DOES)        \
    X(audit.v1.AuditService, GetEvent, REFUSED, SEES_NEW)    \
    X(audit.v1.AuditService, ListEvents, OWN, SEES_NEW)      \
    X(audit.v1.AuditService, GetCheckpoint, OWN, DOES)       \
    X(audit.v1.AuditService, GetConsistencyProof, OWN, DOES) \
    X(audit.v1.AuditService, EraseSubject, REFUSED, DOES)
#define REGISTRY(X)                                                  \
    X(registry.v1.RegistryService, Lease, MEMBERS, MAY_NOT)          \
    X(registry.v1.RegistryService, ListInstances, REFUSED, MAY_NOT)  \
    X(registry.v1.RegistryService, ListXdsClients, REFUSED, MAY_NOT) \
    X(registry.v1.RegistryService, GetPolicy, REFUSED, MAY_NOT)      \
    X(registry.v1.RegistryService, UpdatePolicy, REFUSED, MAY_NOT)   \
    X(registry.v1.CaService, AttestAgent, NO_ID, NOT_ASKED)          \
    X(registry.v1.CaService, SignWorkload, REFUSED, MAY_NOT)         \
    X(registry.v1.CaService, RenewAgent, REFUSED, MAY_NOT)           \
    X(registry.v1.CaService, WatchEntries, REFUSED, MAY_NOT)         \
    X(trace.v1.TraceService, ListSpans, REFUSED, MAY_NOT)

static const struct row {
    const char *service;
    const char *method;
    enum attack attack;
    enum owner owner;
} rows[] = {
#define X(service_, method_, attack_, owner_) \
    { .service = "weft." #service_, .method = #method_, .attack = (attack_), .owner = (owner_) },
    TENANT(X) AUTH(X) SEARCH(X) SCHEDULER(X) AUDIT(X) REGISTRY(X)
#undef X
};

enum { N_ROWS = sizeof rows / sizeof rows[0], MAX_REQUESTS = 16 };

/* ---- One call ---- */

struct exchange {
    struct world_answer answer;
    bytes asked; /* all requests, packed */
    bytes got;   /* all that came back */
};

static const ProtobufCMessageDescriptor *input_of(const struct world *world, const struct row *row)
{
    for (size_t i = 0; i < world->n_services; i++) {
        const ProtobufCServiceDescriptor *service = world->services[i].service->descriptor;
        if (strcmp(service->name, row->service) == 0) {
            return protobuf_c_service_descriptor_get_method_by_name(service, row->method)->input;
        }
    }
    fail_msg("no service '%s'", row->service);
    return NULL;
}

static bytes pack_all(struct arena *arena, const ProtobufCMessage *const *messages, size_t n)
{
    struct text text = text_new(arena);

    for (size_t i = 0; i < n; i++) {
        text_add_bytes(&text, message_pack(arena, messages[i]));
    }
    return text_bytes(&text);
}

static struct exchange ask(struct world *world, const struct row *row,
                           const struct world_caller *caller, unsigned mixture)
{
    const ProtobufCMessageDescriptor *type = input_of(world, row);
    const ProtobufCMessage *requests[MAX_REQUESTS];
    struct exchange exchange;
    size_t n = 0;

    while (n < MAX_REQUESTS &&
           (requests[n] = request_make(world->arena, type, &world->ids, mixture, n)) != NULL) {
        n++;
    }
    exchange.answer = world_ask(world, caller, row->service, row->method, requests, n);
    exchange.asked = pack_all(world->arena, requests, n);
    exchange.got = pack_all(world->arena, exchange.answer.messages, exchange.answer.n_messages);
    return exchange;
}

static bool holds(bytes data, const char *text)
{
    return data.size > 0 && memmem(data.data, data.size, text, strlen(text)) != NULL;
}

/* Something of acme's that the request did not say; NULL when there is none. */
static const char *find_of_acme(const struct world *world, const struct exchange *exchange)
{
    if (holds(exchange->got, WORLD_SECRET) && !holds(exchange->asked, WORLD_SECRET)) {
        return WORLD_SECRET;
    }
    for (size_t i = 0; i < world->ids.n; i++) {
        const char *id = world->ids.ids[i].acme;
        if (holds(exchange->got, id) && !holds(exchange->asked, id)) {
            return id;
        }
    }
    return NULL;
}

/* ---- What acme sees ---- */

struct view {
    bytes seen[N_ROWS];
};

static void look(struct world *world, struct view *ret_view)
{
    const struct world_caller acme = { .principal = &world_acme, .peer_id = "" };

    for (size_t i = 0; i < N_ROWS; i++) {
        ret_view->seen[i] = (bytes){ .data = NULL };
        if (rows[i].owner == SEES) {
            ret_view->seen[i] = ask(world, &rows[i], &acme, 0).got;
        }
    }
}

static void assert_same_view(struct world *world, const struct view *before, const char *after_what)
{
    struct view now;

    look(world, &now);
    for (size_t i = 0; i < N_ROWS; i++) {
        bytes then = before->seen[i];
        if (now.seen[i].size != then.size ||
            (then.size > 0 && memcmp(now.seen[i].data, then.data, then.size) != 0)) {
            fail_msg("%s has changed what acme gets of %s/%s", after_what, rows[i].service,
                     rows[i].method);
        }
    }
}

/* ---- The matrix ---- */

/* Whether the request is about the tenant acme by its own words. */
static bool names_acme(const struct world *world, const struct row *row, unsigned mixture)
{
    const char *fields[REQUEST_MAX_IDS];
    size_t n = request_id_fields(input_of(world, row), &world->ids, fields);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i], "tenant_id") == 0) {
            return (mixture >> i & 1) == 0;
        }
    }
    return false;
}

static bool is_allowed(const struct row *row, enum status_code code, bool about_acme)
{
    switch (code) {
    case STATUS_NOT_FOUND:
    case STATUS_PERMISSION_DENIED:
    case STATUS_UNAUTHENTICATED:
        return true;
    case STATUS_OK:
    case STATUS_INVALID_ARGUMENT:
        return row->attack == OPEN || (row->attack == OWN && !about_acme);
    default:
        return false; /* ALREADY_EXISTS, FAILED_PRECONDITION and the like tell of what is there */
    }
}

static void attack(struct world *world, const struct row *row, const char *peer_id,
                   unsigned mixture)
{
    const struct world_caller bravo = { .principal = &world_bravo, .peer_id = peer_id };
    struct exchange exchange = ask(world, row, &bravo, mixture);
    const char *found = find_of_acme(world, &exchange);
    status s = exchange.answer.result;

    if (!is_allowed(row, s.code, names_acme(world, row, mixture))) {
        fail_msg("%s/%s, certificate '%s', mixture %u: %s (%s)", row->service, row->method, peer_id,
                 mixture, status_code_name(s.code), s.message);
    }
    if (found != NULL || strstr(s.message, WORLD_SECRET) != NULL) {
        fail_msg("%s/%s, certificate '%s', mixture %u: bravo was told '%s'", row->service,
                 row->method, peer_id, mixture, found == NULL ? s.message : found);
    }
}

/* In a world of its own, so that what bravo may make for itself is in nobody's way later.  Returns
 * in how many ways the ids can be mixed, but for that of all bravo's own. */
static unsigned attack_new_world(const struct row *row, const char *peer_id, unsigned mixture)
{
    const char *fields[REQUEST_MAX_IDS];
    struct world world;
    struct view before;

    world_init(&world);
    size_t n = request_id_fields(input_of(&world, row), &world.ids, fields);
    look(&world, &before);
    attack(&world, row, peer_id, mixture);
    assert_same_view(&world, &before,
                     arena_printf(world.arena, "%s/%s, certificate '%s', mixture %u,", row->service,
                                  row->method, peer_id, mixture));
    world_reset(&world);
    return n == 0 ? 1 : (1U << n) - 1;
}

static void nobody_gets_anything_by_anothers_ids(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        unsigned n_mixtures = rows[i].attack == NO_ID ? 0 : 1;
        for (unsigned mixture = 0; mixture < n_mixtures; mixture++) {
            n_mixtures = attack_new_world(&rows[i], "", mixture);
            if (rows[i].attack != MEMBERS) {
                (void)attack_new_world(&rows[i], "spiffe://weft.local/app", mixture);
            }
        }
    }
}

/* ---- That it is no matrix of nothing ---- */

static void check_owner(struct world *world, const struct row *row)
{
    if (row->owner == NOT_ASKED) {
        return;
    }
    const struct world_caller acme = { .principal = &world_acme, .peer_id = "" };
    struct exchange exchange = ask(world, row, &acme, 0);
    enum status_code code = exchange.answer.result.code;
    bool is_seen = code == STATUS_OK && find_of_acme(world, &exchange) != NULL;
    bool is_good = false;

    switch (row->owner) {
    case SEES:
    case SEES_NEW:
        is_good = is_seen;
        break;
    case DOES:
        is_good = code == STATUS_OK || code == STATUS_ALREADY_EXISTS;
        break;
    case MAY_NOT:
        is_good = code == STATUS_PERMISSION_DENIED;
        break;
    case REFUSES:
        is_good = code == STATUS_FAILED_PRECONDITION;
        break;
    case NOT_ASKED:
        break;
    }
    if (!is_good) {
        fail_msg("%s/%s, asked by acme for its own: %s (%s)%s", row->service, row->method,
                 status_code_name(code), exchange.answer.result.message,
                 code == STATUS_OK && !is_seen ? ", and nothing of acme's in it" : "");
    }
}

static void everybody_gets_ones_own_by_the_same_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        struct world world;
        world_init(&world);
        check_owner(&world, &rows[i]);
        world_reset(&world);
    }
}

/* ---- Page tokens, which are ids too ---- */

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
}

/* A good request for one page of one; NULL: the rpc has no pages. */
static const ProtobufCMessage *page_request(struct world *world, const struct row *row,
                                            unsigned mixture, const char *token)
{
    union {
        const ProtobufCMessage *in;
        ProtobufCMessage *out;
    } request = { .in = request_make(world->arena, input_of(world, row), &world->ids, mixture, 0) };
    const ProtobufCFieldDescriptor *size = field_of(request.in, "page_size");
    const ProtobufCFieldDescriptor *after = field_of(request.in, "page_token");

    if (size == NULL || after == NULL) {
        return NULL;
    }
    *(int32_t *)((char *)request.out + size->offset) = 1;
    *(char **)((char *)request.out + after->offset) = message_text(token);
    return request.in;
}

/* What acme gets to ask for its second page with; "" when there is none. */
static const char *token_of_acme(struct world *world, const struct row *row)
{
    const struct world_caller acme = { .principal = &world_acme, .peer_id = "" };
    const ProtobufCMessage *request = page_request(world, row, 0, "");

    if (request == NULL) {
        return "";
    }
    struct world_answer answer = world_ask(world, &acme, row->service, row->method, &request, 1);
    if (answer.n_messages == 0) {
        return "";
    }
    const ProtobufCFieldDescriptor *next = field_of(answer.messages[0], "next_page_token");
    return next == NULL ? "" : *(char *const *)((const char *)answer.messages[0] + next->offset);
}

/* About bravo's own, but for the token. */
static bool try_token_of_acme(struct world *world, const struct row *row)
{
    const struct world_caller bravo = { .principal = &world_bravo, .peer_id = "" };
    const char *token = token_of_acme(world, row);
    const unsigned all_bravos = (1U << REQUEST_MAX_IDS) - 1;

    if (token[0] == '\0') {
        return false;
    }
    const ProtobufCMessage *request = page_request(world, row, all_bravos, token);
    struct world_answer answer = world_ask(world, &bravo, row->service, row->method, &request, 1);
    bytes got = pack_all(world->arena, answer.messages, answer.n_messages);
    if (holds(got, "acme") || holds(got, WORLD_SECRET)) {
        fail_msg("%s/%s: by acme's page token bravo was told of acme", row->service, row->method);
    }
    return true;
}

static void a_page_token_of_another_opens_nothing(void **state)
{
    int n_tried = 0;

    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        struct world world;
        world_init(&world);
        n_tried += rows[i].owner != NOT_ASKED && try_token_of_acme(&world, &rows[i]);
        world_reset(&world);
    }
    assert_int_equal(n_tried, 6); /* accounts, keys, collections, hits, jobs, events */
}

static bool has_row(const char *service, const char *method)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (strcmp(rows[i].service, service) == 0 && strcmp(rows[i].method, method) == 0) {
            return true;
        }
    }
    return false;
}

static void every_rpc_has_a_row(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    for (size_t i = 0; i < world.n_services; i++) {
        const ProtobufCServiceDescriptor *service = world.services[i].service->descriptor;
        for (unsigned k = 0; k < service->n_methods; k++) {
            if (!has_row(service->name, service->methods[k].name)) {
                fail_msg("%s/%s has no row: what may another tenant get of it?", service->name,
                         service->methods[k].name);
            }
        }
    }
    world_reset(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rpc_has_a_row),
        cmocka_unit_test(everybody_gets_ones_own_by_the_same_requests),
        cmocka_unit_test(nobody_gets_anything_by_anothers_ids),
        cmocka_unit_test(a_page_token_of_another_opens_nothing),
    };

    return cmocka_run_group_tests_name("isolation", tests, NULL, NULL);
}
