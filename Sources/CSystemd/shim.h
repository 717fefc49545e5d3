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

// Gives freed memory back to the system; the header that has it is in no module.
int malloc_trim(unsigned long pad);
static inline void csystemd_release_memory(void) { malloc_trim(0); }
