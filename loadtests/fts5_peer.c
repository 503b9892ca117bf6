#include "loadtests/fts5_peer.h"

#include "libs/base/text.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char schema[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                             "CREATE VIRTUAL TABLE record USING fts5(name, summary, text,"
                             " tokenize = 'porter unicode61')";
static const char insert_sql[] = "INSERT INTO record VALUES (?1, ?2, ?3)";
/* The weights are those of the collection that it is compared with. */
static const char search_sql[] = "SELECT name, snippet(record, 2, '', '', '...', 24) FROM record"
                                 " WHERE record MATCH ?1 ORDER BY bm25(record, 3, 2, 1) LIMIT 10";

struct fts5_peer {
    sqlite3 *db;
    sqlite3_stmt *insert;
    sqlite3_stmt *search;
    const char *path; /* arena */
};

static status failed(struct arena *arena, struct fts5_peer *self)
{
    return status_error(arena, STATUS_UNAVAILABLE, "fts5: %s", sqlite3_errmsg(self->db));
}

status fts5_peer_new(struct arena *arena, const char *folder, struct fts5_peer **ret)
{
    struct fts5_peer *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->path = arena_printf(arena, "%s/fts5_peer.db", folder);
    (void)unlink(self->path);
    if (sqlite3_open(self->path, &self->db) != SQLITE_OK ||
        sqlite3_exec(self->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(self->db, insert_sql, -1, &self->insert, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(self->db, search_sql, -1, &self->search, NULL) != SQLITE_OK) {
        status s = failed(arena, self);
        fts5_peer_free(self);
        return s;
    }
    *ret = self;
    return status_ok();
}

void fts5_peer_free(struct fts5_peer *self)
{
    if (self == NULL) {
        return;
    }
    (void)sqlite3_finalize(self->insert);
    (void)sqlite3_finalize(self->search);
    (void)sqlite3_close(self->db);
    (void)unlink(self->path);
    free(self);
}

static bool add_one(struct fts5_peer *self, const struct fts5_record *record)
{
    const char *const values[] = { record->name, record->summary, record->text };

    for (int i = 0; i < 3; i++) {
        (void)sqlite3_bind_text(self->insert, i + 1, values[i], -1, SQLITE_STATIC);
    }
    bool ok = sqlite3_step(self->insert) == SQLITE_DONE;
    (void)sqlite3_reset(self->insert);
    return ok;
}

status fts5_peer_add(struct fts5_peer *self, struct arena *arena, const struct fts5_record *records,
                     size_t n)
{
    bool ok = sqlite3_exec(self->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK;

    for (size_t i = 0; ok && i < n; i++) {
        ok = add_one(self, &records[i]);
    }
    ok = ok && sqlite3_exec(self->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    return ok ? status_ok() : failed(arena, self);
}

/* Each in quotes, so that it is no operator; joined by OR. */
static const char *match_of(struct arena *arena, const char *words)
{
    struct text match = text_new(arena);
    char *rest = arena_strdup(arena, words);
    char *word;

    while ((word = strsep(&rest, " \"")) != NULL) {
        if (word[0] != '\0') {
            text_add(&match, "%s\"%s\"", match.size > 0 ? " OR " : "", word);
        }
    }
    return text_string(&match);
}

status fts5_peer_search(struct fts5_peer *self, struct arena *arena, const char *words,
                        size_t *ret_n_hits)
{
    size_t n = 0;
    int code;

    (void)sqlite3_bind_text(self->search, 1, match_of(arena, words), -1, SQLITE_STATIC);
    while ((code = sqlite3_step(self->search)) == SQLITE_ROW) {
        n++;
    }
    (void)sqlite3_reset(self->search);
    if (code != SQLITE_DONE) {
        return failed(arena, self);
    }
    *ret_n_hits = n;
    return status_ok();
}
