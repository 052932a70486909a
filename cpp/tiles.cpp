// AMX tiles are registers that a program has to ask the operating system for.
#include "tiles.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace initcore {

#if defined(__x86_64__) && defined(__linux__)

namespace {

// Intel, Software Developer's Manual, volume 1, sections 13.1 to 13.3 and 18.2.
constexpr unsigned kXgetbvAllowed = 1u << 27;            // CPUID 1, ECX
constexpr unsigned kTileProducts = 1u << 22 | 1u << 24;  // CPUID 7, EDX: AMX-BF16, AMX-TILE
constexpr unsigned kTileState = 1u << 17 | 1u << 18;     // XCR0: TILECFG, TILEDATA
constexpr long kAskFor = 0x1023, kTileData = 18;         // Linux: ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA

bool saved() {
  unsigned low, high;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileState) == kTileState;
}

}  // namespace

bool tiles_granted() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & kXgetbvAllowed) && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
         (d & kTileProducts) == kTileProducts && saved() && syscall(SYS_arch_prctl, kAskFor, kTileData) == 0;
}

#else

bool tiles_granted() { return false; }

#endif

}  // namespace initcore
