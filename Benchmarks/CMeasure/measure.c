#define _GNU_SOURCE
#include "measure.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define HAS_VALGRIND 1
#endif

// MARK: Instructions

static int counter = -1;

int measure_begin_instructions(void) {
    struct perf_event_attr wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.type = PERF_TYPE_HARDWARE;
    wanted.size = sizeof wanted;
    wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
    wanted.exclude_kernel = 1;
    wanted.exclude_hv = 1;
    wanted.inherit = 1;
    counter = (int)syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    return counter < 0 ? errno : 0;
}

unsigned long long measure_instructions(void) {
    unsigned long long count = 0;
    if (counter < 0 || read(counter, &count, sizeof count) != sizeof count) return 0;
    return count;
}

int measure_is_simulated(void) {
#ifdef HAS_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return 0;
#endif
}

void measure_begin_simulation(void) {
#ifdef HAS_VALGRIND
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
#endif
}

void measure_end_simulation(const char *name) {
#ifdef HAS_VALGRIND
    CALLGRIND_DUMP_STATS_AT(name);
    CALLGRIND_STOP_INSTRUMENTATION;
#else
    (void)name;
#endif
}

// MARK: Memory

static atomic_int counting;
static atomic_ullong allocations;
static atomic_ullong allocated;

void measure_set_counting(int wanted) { atomic_store(&counting, wanted); }
unsigned long long measure_allocations(void) { return atomic_load(&allocations); }
unsigned long long measure_allocated_bytes(void) { return atomic_load(&allocated); }

// A sanitizer stands in front of the allocator itself.
#if defined(__GLIBC__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

// The allocator itself, by its other names; what it hands out, its own `free` takes back.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static inline void note(size_t bytes) {
    if (!atomic_load_explicit(&counting, memory_order_relaxed)) return;
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&allocated, bytes, memory_order_relaxed);
}

void *malloc(size_t bytes) {
    note(bytes);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    note(count * bytes);
    return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes) {
    note(bytes);
    return __libc_realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    note(bytes);
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **place, size_t alignment, size_t bytes) {
    void *got = memalign(alignment, bytes);
    if (!got) return ENOMEM;
    *place = got;
    return 0;
}

int measure_can_count_allocations(void) { return 1; }

unsigned long long measure_heap_bytes(void) {
    struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
}

#else

int measure_can_count_allocations(void) { return 0; }
unsigned long long measure_heap_bytes(void) { return 0; }

#endif

// MARK: The rest

void measure_keep(unsigned long long value) { __asm__ volatile("" : : "r"(value) : "memory"); }

long long measure_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}
