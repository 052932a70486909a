// The order in which a product of packed operands is computed, whatever the instruction.
//
// A part of b is rounded and packed, then block by block the rows of a that it is multiplied by. That costs
// little beside the products: each time it is rounded, an element of a meets all columns of the panels.
//
// A kernel K says how large the parts are, packs them and multiplies them:
//   kRows, kPairs           of a block of a;
//   kStep                   pairs that are multiplied at once: parts of the sum are whole steps;
//   kWide, kStrips          columns of b that are packed together, and how many such strips are a panel;
//   kPanels                 panels that share one rounding of a, where one thread computes all of them;
//   pack_a, pack_b          rows [i0, i1) of a, columns [j0, j0 + width) of b, elements [p0, p0 + depth) of
//                           the sum, not deeper than 2 kPairs;
//   multiply                c = a b, or c += a b, of packed parts. It is called on an object that lives for
//                           one block, so that it may hold registers.
#pragma once

#include "kernels/bf16/pairs.h"
#include "kernels/units.h"

namespace initcore::INITCORE_ISA {
namespace {

template <typename K>
inline constexpr Index kColumns = K::kStrips * K::kWide;

template <typename K>
struct Packed {
  alignas(64) Pair b[K::kPanels * K::kStrips][K::kPairs * K::kWide];
  alignas(64) Pair a[K::kRows * K::kPairs];
};

template <typename K>
void run(const Product<float>& s, Index begin, Index end) {
  each_panel(
      s, K::kRows, kColumns<K>, begin, end,
      [&s](Index j0, Index width, Index i0, Index i1) {
        Packed<K> packed;
        const Index steps = (s.k + 2 * K::kStep - 1) / (2 * K::kStep), most = K::kPairs / K::kStep;
        const Index chunks = max<Index>(1, (steps + most - 1) / most);
        Index p0 = 0;
        for (Index chunk = 1; chunk <= chunks; ++chunk) {  // once even with k = 0: c still becomes the bias
          const Index depth = min(s.k, 2 * K::kStep * (steps * chunk / chunks)) - p0;
          const bool from_c = s.accumulate || p0 > 0;
          const auto each_strip = [&](auto f) {
            for (Index j = 0; j < width; j += K::kWide)
              f(j0 + j, min(K::kWide, width - j), packed.b[j / K::kWide]);
          };
          each_strip([&](Index j, Index wide, Pair* b) { K::pack_b(s, j, wide, p0, depth, b); });
          for (Index block = i0; block < i1; block += K::kRows) {
            const Index stop = min(i1, block + K::kRows);
            K::pack_a(s, block, stop, p0, depth, packed.a);
            {
              K kernel;
              each_strip([&](Index j, Index wide, const Pair* b) {
                kernel.multiply(s, block, stop, j, wide, depth, packed.a, b, from_c);
              });
            }
            if (chunk == chunks) finish(s, block, stop - block, j0, width);
          }
          p0 += depth;
        }
      },
      K::kPanels);
}

template <typename K>
Way<float> way(const Product<float>& s) {
  return {count_units(s, K::kRows, kColumns<K>), run<K>};
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
