// Philox4x32-10: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4 and table 2.
//
// A word is the low half of a 64-bit lane, and what the high half holds does not matter: so the product of
// two words has room, and is there where the next round wants it.
#pragma once

#include <utility>

#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {

using std::uint32_t;
using std::uint64_t;

inline constexpr int kBlocks = 16;  // of a group
inline constexpr int kGroupWords = 4 * kBlocks;

using Words = Vector<uint64_t>;

/// The keys of the ten rounds, two words each.
struct RoundKeys {
  uint64_t words[20];

  explicit RoundKeys(uint64_t key) {
    for (uint32_t round = 0; round < 10; ++round) {  // golden ratio, sqrt(3) - 1
      words[2 * round] = static_cast<uint32_t>(key) + round * 0x9E3779B9u;
      words[2 * round + 1] = static_cast<uint32_t>(key >> 32) + round * 0xBB67AE85u;
    }
    for (uint64_t& word : words) word &= 0xffffffffu;
  }
};

/// A counter, or the words made of it, of as many blocks as there are lanes.
struct Block {
  Words a, b, c, d;
};

/// The products of words.
INITCORE_INLINE Words product(Words x, Words y) {
#if defined(__AVX__) && !defined(__clang__)
  Words z;  // the one instruction for it, which GCC 12 finds for no expression: it multiplies whole lanes
  asm("vpmuludq %2, %1, %0" : "=v"(z) : "v"(x), "v"(y));
  return z;
#elif defined(__SSE2__) && !defined(__clang__)
  asm("pmuludq %1, %0" : "+x"(x) : "x"(y));
  return x;
#else
  return (x & 0xffffffffu) * (y & 0xffffffffu);
#endif
}

/// Ten rounds. Several at a time, since a round waits for the one before.
template <int kCount>
INITCORE_INLINE void philox(Block (&blocks)[kCount], const RoundKeys& keys) {
  const Words m0 = Words{} + 0xD2511F53u, m1 = Words{} + 0xCD9E8D57u;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Words key0 = Words{} + keys.words[2 * round], key1 = Words{} + keys.words[2 * round + 1];
#pragma GCC unroll 4
    for (int i = 0; i < kCount; ++i) {
      Block& x = blocks[i];
      const Words a = product(x.a, m0), c = product(x.c, m1);
      x = {(c >> 32) ^ x.b ^ key0, c, (a >> 32) ^ x.d ^ key1, a};
    }
  }
}

inline constexpr int kBlockLanes = kLanes<uint64_t>;
inline constexpr int kAtOnce = 4;  // blocks in registers

/// The words of two vectors, one after the other, without the room between them.
template <std::size_t... kLane>
INITCORE_INLINE Vector<uint32_t> packed(Words x, Words y, std::index_sequence<kLane...>) {
  using Halves = Vector<uint32_t>;
  return __builtin_shufflevector(reinterpret_cast<Halves>(x), reinterpret_cast<Halves>(y), (2 * kLane)...);
}

INITCORE_INLINE void put(uint32_t* to, Words x, Words y) {
  store<uint32_t>(to, packed(x, y, std::make_index_sequence<kLanes<uint32_t>>()));
}

/// A word and, as the high half, the next one.
INITCORE_INLINE Words joined(Words low, Words high) { return (low & 0xffffffffu) | high << 32; }

namespace {

/// Groups first, first + 1, ...: the words as random.h has them. Writes whole passes.
template <typename Bits>
void draw(Bits* out, Index first, Index count, const RoundKeys& keys, uint64_t step) {
  constexpr int kStep = kAtOnce * kBlockLanes;  // blocks of a pass through the rounds
  constexpr Index kPlaces = kGroupWords * 4 / sizeof(Bits);
  Words lane = {};
  for (int j = 0; j < kBlockLanes; ++j) lane[j] = static_cast<uint64_t>(j);
  const Words c = Words{} + (step & 0xffffffffu), d = Words{} + (step >> 32);
  const uint64_t end = static_cast<uint64_t>(first + count) * kBlocks;
  Bits* group = out;
  for (uint64_t block = static_cast<uint64_t>(first) * kBlocks; block < end; block += kStep) {
    Block blocks[kAtOnce];
#pragma GCC unroll 4
    for (int i = 0; i < kAtOnce; ++i) {
      // The low words of a group's blocks do not carry: a group begins at a multiple of its size.
      const uint64_t number = block + static_cast<uint64_t>(i * kBlockLanes);
      blocks[i] = {lane + (number & 0xffffffffu), Words{} + (number >> 32), c, d};
    }
    philox(blocks, keys);
    const int at = static_cast<int>(block % kBlocks);
#pragma GCC unroll 4
    for (int i = 0; i < kAtOnce; i += sizeof(Bits) == 4 ? 2 : 1) {
      const int place = at + i * kBlockLanes;
      Bits* to = group + place / kBlocks * kPlaces + place % kBlocks;
      const Block& x = blocks[i];
      if constexpr (sizeof(Bits) == 4) {
        const Block& y = blocks[i + 1];
        put(to, x.a, y.a);
        put(to + kBlocks, x.b, y.b);
        put(to + 2 * kBlocks, x.c, y.c);
        put(to + 3 * kBlocks, x.d, y.d);
      } else {
        store<uint64_t>(to, joined(x.a, x.b));
        store<uint64_t>(to + kBlocks, joined(x.c, x.d));
      }
    }
    group += (at + kStep) / kBlocks * kPlaces;
  }
}

}  // namespace

}  // namespace initcore::INITCORE_ISA
