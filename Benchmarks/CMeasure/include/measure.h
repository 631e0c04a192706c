// What the micro-benchmarks count: instructions, allocations, memory. Only Benchmarks/Micro imports this.
#ifndef APUS_MEASURE_H
#define APUS_MEASURE_H

// Begins to count the instructions that this process executes outside the kernel, in the calling thread and in those that
// it starts from now on. Returns 0, or the errno that says why the machine does not let it.
int measure_begin_instructions(void);

// Instructions since measure_begin_instructions; 0 without it.
unsigned long long measure_instructions(void);

// Whether the process runs on Valgrind's processor, where wall time says nothing.
int measure_is_simulated(void);

// Under Callgrind: counts from here on.
void measure_begin_simulation(void);

// Under Callgrind: counts no more, and writes what was counted to a file that names this text.
void measure_end_simulation(const char *name);

// Whether allocations can be counted here: with glibc, whose allocator this library stands in front of.
int measure_can_count_allocations(void);

// Counts calls of malloc, calloc, realloc and their aligned kin in all threads, or stops to.
void measure_set_counting(int counting);

// Allocations and their requested bytes while they were counted, since the process began.
unsigned long long measure_allocations(void);
unsigned long long measure_allocated_bytes(void);

// Bytes that the allocator has handed out and not got back, its bookkeeping included; 0 where it does not tell.
unsigned long long measure_heap_bytes(void);

// Makes the compiler believe that a value is used.
void measure_keep(unsigned long long value);

// Nanoseconds of the monotonic clock.
long long measure_nanoseconds(void);

#endif
