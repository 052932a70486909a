// Philox4x32-10: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4 and table 2.
#pragma once

#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {

using std::uint32_t;
using std::uint64_t;

inline constexpr int kBlocks = 16;  // of a group: one to a lane of the widest vector
inline constexpr int kGroupWords = 4 * kBlocks;

struct Block {
  uint32_t a, b, c, d;
};

static inline uint32_t high_word(uint32_t x, uint32_t y) {
  return static_cast<uint32_t>(uint64_t(x) * y >> 32);
}

/// Rounds kRound to 9. The recursion unrolls them, so that a loop over blocks vectorizes.
template <int kRound = 0>
inline __attribute__((always_inline)) Block philox(Block x, uint32_t key0, uint32_t key1) {
  if constexpr (kRound == 10) {
    return x;
  } else {
    constexpr uint32_t kA = 0xD2511F53, kC = 0xCD9E8D57;  // the multipliers
    const Block y{high_word(kC, x.c) ^ x.b ^ key0, kC * x.c, high_word(kA, x.a) ^ x.d ^ key1, kA * x.a};
    return philox<kRound + 1>(y, key0 + 0x9E3779B9, key1 + 0xBB67AE85);  // golden ratio, sqrt(3) - 1
  }
}

/// The 64 words of a group: word w of its block j at out[16 w + j].
static inline void group(uint64_t number, uint64_t key, uint64_t step, uint32_t* out) {
  const uint64_t first = number * kBlocks;
  const uint32_t low = static_cast<uint32_t>(first), high = static_cast<uint32_t>(first >> 32);
  const uint32_t c = static_cast<uint32_t>(step), d = static_cast<uint32_t>(step >> 32);
  const uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
#pragma omp simd
  for (int j = 0; j < kBlocks; ++j) {
    const Block x = philox(Block{low + static_cast<uint32_t>(j), high, c, d}, key0, key1);
    out[j] = x.a;
    out[j + kBlocks] = x.b;
    out[j + 2 * kBlocks] = x.c;
    out[j + 3 * kBlocks] = x.d;
  }
}

}  // namespace initcore::INITCORE_ISA
