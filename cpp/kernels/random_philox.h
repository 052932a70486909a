// Philox4x32-10: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4 and table 2.
#pragma once

#include <type_traits>

#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {

using std::uint32_t;
using std::uint64_t;

inline constexpr int kBlocks = 16;  // of a group: one to a lane of the widest vector
inline constexpr int kGroupWords = 4 * kBlocks;

/// A counter, or the words made of it: the low 32 bits of four integers.
template <typename Word>
struct Block {
  Word a, b, c, d;
};

/// The product of the low 32 bits of x, and y.
static inline uint64_t product(uint64_t x, uint32_t y) { return (x & 0xffffffffu) * y; }

/// Rounds kRound to 9. The recursion unrolls them, so that a loop over blocks vectorizes.
template <int kRound = 0, typename Word>
inline __attribute__((always_inline)) Block<Word> philox(Block<Word> x, uint32_t key0, uint32_t key1) {
  if constexpr (kRound == 10) {
    return x;
  } else {
    const uint64_t a = product(x.a, 0xD2511F53), c = product(x.c, 0xCD9E8D57);
    const Block<Word> y{static_cast<Word>(c >> 32) ^ x.b ^ key0, static_cast<Word>(c),
                        static_cast<Word>(a >> 32) ^ x.d ^ key1, static_cast<Word>(a)};
    return philox<kRound + 1>(y, key0 + 0x9E3779B9, key1 + 0xBB67AE85);  // golden ratio, sqrt(3) - 1
  }
}

// AVX-512 multiplies 64-bit lanes, so words that stay in such lanes need no shuffle: 0.35 ns a word instead
// of 0.62, GCC 12. Elsewhere that multiplication is slow, and 32-bit lanes take half the registers.
using Lane = std::conditional_t<kVectorBytes == 64, uint64_t, uint32_t>;

/// The 64 words of a group: word w of its block j at out[16 w + j].
static inline void group(uint64_t number, uint64_t key, uint64_t step, uint32_t* out) {
  const uint64_t first = number * kBlocks;
  const uint32_t low = static_cast<uint32_t>(first), high = static_cast<uint32_t>(first >> 32);
  const uint32_t c = static_cast<uint32_t>(step), d = static_cast<uint32_t>(step >> 32);
  const uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
#pragma omp simd
  for (int j = 0; j < kBlocks; ++j) {
    const Block<Lane> x = philox(Block<Lane>{low + static_cast<uint32_t>(j), high, c, d}, key0, key1);
    out[j] = static_cast<uint32_t>(x.a);
    out[j + kBlocks] = static_cast<uint32_t>(x.b);
    out[j + 2 * kBlocks] = static_cast<uint32_t>(x.c);
    out[j + 3 * kBlocks] = static_cast<uint32_t>(x.d);
  }
}

}  // namespace initcore::INITCORE_ISA
