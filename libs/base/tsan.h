/* tsan - tells ThreadSanitizer what it cannot see.
 *
 * Debian's libraries are not instrumented, so memory that goes through one of them from thread to
 * thread looks as if nothing had ordered the two.  Who gives it away says tsan_release(), who gets
 * it tsan_acquire(), with the same address.  Nothing in all other builds.
 */

#ifndef LIBS_BASE_TSAN_H_
#define LIBS_BASE_TSAN_H_

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif

#ifdef THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#define tsan_release(address) __tsan_release(address)
#define tsan_acquire(address) __tsan_acquire(address)
#else
/* Refuses an address of something const, as the other does. */
static inline void tsan_ignore_(void *address)
{
    (void)address;
}
#define tsan_release(address) tsan_ignore_(address)
#define tsan_acquire(address) tsan_ignore_(address)
#endif

#endif
