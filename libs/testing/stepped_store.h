/* stepped_store - a store whose asynchronous writes happen when the test says so.
 *
 * It passes everything on to a real one.  A blocking commit happens at once, and an asynchronous
 * one too, before store_commit_async() returns, so that what a test sees never depends on a thread;
 * unless the test holds them:
 *
 *     f->store.hold = true;
 *     ...                            writes gather, in order
 *     stepped_store_release(&f->store, 1);       the first happens, and is told
 *     stepped_store_lose(&f->store);             a crash: the rest never happen
 *
 * A blocking commit cannot be held, since nobody would be left to release it: set hold only around
 * what does not block.  Used by one thread at a time.
 */

#ifndef LIBS_TESTING_STEPPED_STORE_H_
#define LIBS_TESTING_STEPPED_STORE_H_

#include "libs/base/attributes.h"
#include "libs/store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct held_write;

/* Tests set hold and the counts: 1 is the next, 0 none. */
struct stepped_store {
    struct store store; /* what is passed in */
    struct store *real;
    bool hold;
    void (*before)(void *data); /* called once, before the next commit happens; NULL: nothing */
    void *data;
    unsigned fail_query;  /* the nth query is UNAVAILABLE */
    unsigned cut_commit;  /* the nth commit happens, and is UNAVAILABLE all the same */
    unsigned fail_commit; /* the nth commit is UNAVAILABLE, and has not happened */
    struct held_write *first;
    struct held_write **last;
    size_t n_held;
};

/* Borrows real, which may be used again after this one has gone. */
void stepped_store_init(struct stepped_store *self, struct store *real) NONNULL;

/* The oldest n held writes happen, and are told. */
void stepped_store_release(struct stepped_store *self, size_t n) NONNULL;

/* Those that are held never happen.  They are told so with CANCELLED, that their memory may be
 * freed; after a crash nobody should listen. */
void stepped_store_lose(struct stepped_store *self) NONNULL;

#endif
