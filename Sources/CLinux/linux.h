// System calls that Swift's Glibc module leaves out. Only ApusLoop imports this.
#ifndef APUS_CLINUX_H
#define APUS_CLINUX_H
// Only headers that Swift's Glibc module does not have: a header belongs to one module.
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

// glibc declares these only with _GNU_SOURCE, which Swift does not set.
struct sockaddr;
extern int accept4(int, struct sockaddr *, unsigned int *, int);
extern long syscall(long, ...);
extern const char *strerrorname_np(int);
extern const char *strerrordesc_np(int);

// epoll_event is packed and holds a union; these keep both out of Swift.
static inline int apus_epoll_add(int poller, int descriptor, unsigned int events, unsigned long long token) {
    struct epoll_event event;
    event.events = events;
    event.data.u64 = token;
    return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

static inline int apus_epoll_remove(int poller, int descriptor) {
    struct epoll_event event = {0};
    return epoll_ctl(poller, EPOLL_CTL_DEL, descriptor, &event);
}

static inline unsigned long long apus_epoll_token(const struct epoll_event *event) { return event->data.u64; }
static inline unsigned int apus_epoll_events(const struct epoll_event *event) { return event->events; }

// Waits as epoll_wait does, in nanoseconds; a kernel before 5.11 waits in milliseconds, rounded up.
static inline int apus_epoll_wait_nanoseconds(int poller, struct epoll_event *events, int count, long long nanoseconds) {
    // As struct timespec, whose header belongs to Swift's module.
    struct {
        long long seconds;
        long long nanoseconds;
    } timeout = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    long found = syscall(SYS_epoll_pwait2, poller, events, (long)count, &timeout, 0L, 0L);
    if (found >= 0 || errno != ENOSYS) return (int)found;
    long long milliseconds = (nanoseconds + 999999) / 1000000;
    return epoll_wait(poller, events, count, milliseconds > 0x7FFFFFFF ? 0x7FFFFFFF : (int)milliseconds);
}

// How much later than asked the kernel may wake the calling thread, in order to wake less often.
static inline void apus_set_timer_slack(unsigned long nanoseconds) { prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0); }

// The name of the calling thread; cut at 15 bytes by the kernel.
static inline void apus_name_thread(const char *name) { prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0); }

// How many processors this process may use; 0 when that cannot be told.
static inline int apus_processor_count(void) {
    unsigned long mask[128] = {0};
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    int count = 0;
    for (long index = 0; index < bytes / (long)sizeof mask[0]; index++) count += __builtin_popcountl(mask[index]);
    return count;
}

// What of a file is in memory already, without waiting for the disk: as pread, but with errno EAGAIN where it would wait.
static inline long apus_read_now(int descriptor, void *buffer, unsigned long count, long offset) {
    // As struct iovec, whose header belongs to Swift's module.
    struct {
        void *base;
        unsigned long count;
    } part = {buffer, count};
    const unsigned long nowait = 8;
    return syscall(SYS_preadv2, descriptor, &part, 1UL, offset, 0L, nowait);
}

// glibc declares it only with _GNU_SOURCE.
extern int fallocate(int, int, long, long);

#include <malloc.h>

/* From which size on a block is mapped by itself, and how much freed memory the process keeps. */
static inline void apus_keep_freed_memory(int mapped_from_bytes, int kept_bytes) {
    mallopt(M_MMAP_THRESHOLD, mapped_from_bytes);
    mallopt(M_TRIM_THRESHOLD, kept_bytes);
}

#endif
