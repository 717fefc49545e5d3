#pragma once
// Without _GNU_SOURCE: the C types below are then the same as those of the other modules.
#include <stdint.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

// The kernel's `struct ucred` (SO_PEERCRED), which the system's headers only show to _GNU_SOURCE.
struct csystemd_peer {
  int32_t pid;
  uint32_t uid;
  uint32_t gid;
};

// What the C library tells of its heap; the header that has these is in no module.
struct mallinfo2 {
  unsigned long arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
struct mallinfo2 mallinfo2(void);
int malloc_trim(unsigned long pad);
int mallopt(int parameter, int value);
// Two heaps for all threads instead of eight a processor, and large blocks always by mmap, so that freeing them gives
// them back: by itself the library learns to keep them. Before the threads start that allocate.
static inline void csystemd_keep_heap_small(void) {
  enum { ARENA_MAX = -8, MMAP_THRESHOLD = -3 };
  mallopt(ARENA_MAX, 2);
  mallopt(MMAP_THRESHOLD, 512 << 10);
}
// Gives freed memory back to the system.
static inline void csystemd_release_memory(void) { malloc_trim(0); }
// Bytes that were allocated and not freed.
static inline unsigned long csystemd_allocated_bytes(void) {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
