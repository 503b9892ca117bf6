/* search_engine_write(): a caller's documents, made into one unit to be committed. */

#include "libs/base/status_details.h"
#include "services/search/engine.h"
#include "services/search/pack.h"

struct batch {
    struct write_op *ops;
    size_t n_ops;
    size_t n_bytes;
};

static status prepare_upsert(struct arena *arena, struct analyzer *analyzer,
                             const struct search_schema *schema, const struct search_write *write,
                             struct write_op *op)
{
    struct indexed_document *indexed = ARENA_NEW(arena, struct indexed_document);

    TRY(search_document_check(write->document, schema, arena));
    op->data = search_document_encode(write->document, arena);
    if (!indexed_document_make(analyzer, arena, op->data, indexed)) {
        return status_error(arena, STATUS_INTERNAL, "a document cannot be read as it was written");
    }
    op->kind = WRITE_UPSERT;
    op->document = indexed;
    return status_ok();
}

static status prepare_delete(struct arena *arena, const struct search_write *write,
                             struct write_op *op)
{
    if (write->id.size == 0 || write->id.size > MAX_DOCUMENT_ID_BYTES) {
        return status_bad_field(arena, "document_id", "is not 1 to %d bytes",
                                MAX_DOCUMENT_ID_BYTES);
    }
    op->kind = WRITE_DELETE;
    op->data = write->id;
    return status_ok();
}

/* Makes operations of the writes that are good, and says of the others why they are not. */
static struct batch prepare(struct search_engine *engine, struct arena *arena,
                            const struct search_schema *schema, struct search_write *writes,
                            size_t n_writes)
{
    struct batch batch = { .ops = ARENA_NEW_ARRAY(arena, struct write_op, n_writes) };
    struct analyzer *analyzer = engine_take_analyzer(engine);

    for (size_t i = 0; i < n_writes; i++) {
        struct search_write *write = &writes[i];
        struct write_op *op = &batch.ops[batch.n_ops];
        write->result = write->document != NULL ? prepare_upsert(arena, analyzer, schema, write, op)
                                                : prepare_delete(arena, write, op);
        if (status_is_ok(write->result)) {
            op->result = &write->result;
            batch.n_bytes += op->data.size;
            batch.n_ops++;
        }
    }
    engine_give_analyzer(engine, analyzer);
    return batch;
}

static bool is_kept(const struct batch *batch, size_t n_kept, bytes id)
{
    for (size_t i = 0; i < n_kept; i++) {
        const struct write_op *op = &batch->ops[i];
        if (bytes_compare(op->kind == WRITE_UPSERT ? op->document->id : op->data, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether just this document is there; when that cannot be told, no. */
static bool is_there(const struct collection *collection, struct arena *arena,
                     const struct indexed_document *document)
{
    struct source *source = NULL;
    uint32_t doc = NO_DOC;
    bytes stored;

    return status_is_ok(collection_find(collection, arena, document->id, &source, &doc)) &&
           source != NULL && status_is_ok(source_stored(source, arena, doc, &stored)) &&
           bytes_compare(stored, document->stored) == 0;
}

/* Takes out what is there already, and so is durable: who publishes everything again each night
 * costs no log.  What an earlier write of the batch is about stays, for the last one counts. */
static void drop_unchanged(struct collection *collection, struct arena *arena, struct batch *batch)
{
    size_t n = 0;

    if (!status_is_ok(collection_lock_shared(collection, arena))) {
        return;
    }
    for (size_t i = 0; i < batch->n_ops; i++) {
        const struct write_op *op = &batch->ops[i];
        if (op->kind == WRITE_UPSERT && is_there(collection, arena, op->document) &&
            !is_kept(batch, n, op->document->id)) {
            batch->n_bytes -= op->data.size;
        } else {
            batch->ops[n++] = *op;
        }
    }
    batch->n_ops = n;
    collection_unlock(collection);
}

static status write_to(struct search_engine *engine, struct arena *arena,
                       struct collection *collection, struct search_write *writes, size_t n_writes)
{
    struct batch batch = prepare(engine, arena, &collection->schema, writes, n_writes);

    if (batch.n_bytes > MAX_WRITE_BYTES) {
        return status_error(arena, STATUS_INVALID_ARGUMENT,
                            "the documents have %zu bytes together, more than %d", batch.n_bytes,
                            MAX_WRITE_BYTES);
    }
    drop_unchanged(collection, arena, &batch);
    if (batch.n_ops == 0) {
        return status_ok();
    }
    struct write_unit unit = {
        .key = collection->key,
        .collection = collection,
        .ops = batch.ops,
        .n_ops = batch.n_ops,
        .n_bytes = batch.n_bytes,
    };
    return engine_commit(engine, arena, &unit);
}

status search_engine_write(struct search_engine *engine, struct arena *arena,
                           const struct collection_name *name, struct search_write *writes,
                           size_t n_writes)
{
    struct collection *collection = NULL;

    if (n_writes > MAX_WRITES) {
        return status_error(arena, STATUS_INVALID_ARGUMENT, "there are %zu documents, more than %d",
                            n_writes, MAX_WRITES);
    }
    TRY(engine_find(engine, arena, name, &collection));
    status s = write_to(engine, arena, collection, writes, n_writes);
    collection_unref(collection);
    return s;
}
