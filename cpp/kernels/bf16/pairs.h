// Operands as pairs of bfloat16 numbers, elements p and p + 1 of the sum side by side in 32 bits: what every
// instruction for their products reads. How they are rounded, and packed along the sum or across it.
#pragma once

#include <immintrin.h>

#include <utility>

#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {
namespace {

inline constexpr int kW = kLanes<float>;

typedef std::uint32_t Pair;  // the earlier one of k in the low half
typedef Pair Pairs __attribute__((vector_size(kVectorBytes), may_alias));
typedef std::uint16_t Words __attribute__((vector_size(kVectorBytes), may_alias));

/// The first n of the lanes.
inline __mmask16 first(Index n) {
  return n >= kW ? __mmask16(0xffff) : __mmask16((1u << max<Index>(n, 0)) - 1);
}

/// Both vectors rounded, `low` in the low half. NaN stays NaN.
inline Pairs rounded(__m512 low, __m512 high) { return (Pairs)_mm512_cvtne2ps_pbh(high, low); }

inline Pairs load(const Pair* p) { return *reinterpret_cast<const Pairs*>(p); }

inline void store(Pair* p, Pairs v) { *reinterpret_cast<Pairs*>(p) = v; }

/// Rounds `depth` elements of a row into pairs; what is missing of the last vector is 0. A vector of pairs
/// lies `next` pairs behind the one before it.
inline void pack_row(const float* row, Index depth, Pair* packed, Index next = kW) {
  for (Index p = 0; p < depth; p += 2 * kW, packed += next) {
    const __m512 low = _mm512_maskz_loadu_ps(first(depth - p), row + p);
    const __m512 high = _mm512_maskz_loadu_ps(first(depth - p - kW), row + p + kW);
    store(packed, rounded(low, high));
  }
}

// Rows fetched before they are packed: the processor does not foresee where the next one begins, and waiting
// for the weights, which a training step finds outside the caches, took a fifth of the product's time.
inline constexpr Index kAhead = 16;

/// Words of the low half and of the high half in turns.
template <std::size_t... kWord>
inline Words zip(Words both, std::index_sequence<kWord...>) {
  return __builtin_shufflevector(both, both, (kWord / 2 + (kWord % 2) * kW)...);
}

/// Rounds rows [p0, p0 + depth) of a matrix, `width` elements from `from` on, into rows of kVecs vectors of
/// pairs. Row p begins at from + p * stride. What lies behind the ends is 0.
template <int kVecs>
inline void pack_rows(const float* from, Index stride, Index p0, Index depth, Index width, Pair* packed) {
  const auto row = [=](Index p) { return from + (p0 + p) * stride; };
  for (Index p = 0; p < depth; p += 2, packed += kVecs * kW) {
    const bool odd = p + 1 == depth;
    const float *low = row(p), *high = odd ? low : row(p + 1);
    const float *next_low = row(p + kAhead), *next_high = row(p + 1 + kAhead);
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) {
      const __mmask16 mask = first(width - j * kW);
      __builtin_prefetch(next_low + j * kW);
      __builtin_prefetch(next_high + j * kW);
      const Words both = (Words)rounded(_mm512_maskz_loadu_ps(mask, low + j * kW),
                                        _mm512_maskz_loadu_ps(odd ? __mmask16(0) : mask, high + j * kW));
      store(packed + j * kW, (Pairs)zip(both, std::make_index_sequence<2 * kW>()));
    }
  }
}

/// Of rows kStep apart: where one bit of the lane's number is 0, `low` takes from the first, else from the
/// second row, kStep lanes below; `high` the other way round.
template <int kStep, std::size_t... kLane>
inline void exchange(Pairs& low, Pairs& high, std::index_sequence<kLane...>) {
  const Pairs a = low, b = high;
  low = __builtin_shufflevector(a, b, (kLane & kStep ? kW + kLane - kStep : kLane)...);
  high = __builtin_shufflevector(a, b, (kLane & kStep ? kW + kLane : kLane + kStep)...);
}

/// 16 x 16 pairs: rows become columns.
template <int kStep = kW / 2>
inline void transpose(Pairs (&row)[kW]) {
  if constexpr (kStep > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < kW; ++i)
      if (!(i & kStep)) exchange<kStep>(row[i], row[i + kStep], std::make_index_sequence<kW>());
    transpose<kStep / 2>(row);
  }
}

/// As pack_rows, of the transpose: column j of what is packed begins at from + j * stride.
template <int kVecs>
inline void pack_columns(const float* from, Index stride, Index depth, Index width, Pair* packed) {
  for (int j = 0; j < kVecs; ++j)
    for (Index p = 0; p < depth; p += 2 * kW) {
      const __mmask16 low = first(depth - p), high = first(depth - p - kW);
      Pairs block[kW];
#pragma GCC unroll 16
      for (int r = 0; r < kW; ++r) {
        const Index column = j * kW + r;
        const float* at = from + min(column, width - 1) * stride + p;
        __builtin_prefetch(at + kW * stride);
        __builtin_prefetch(at + kW * stride + kW);
        const bool there = column < width;
        block[r] = rounded(_mm512_maskz_loadu_ps(there ? low : __mmask16(0), at),
                           _mm512_maskz_loadu_ps(there ? high : __mmask16(0), at + kW));
      }
      transpose(block);
#pragma GCC unroll 16
      for (int q = 0; q < kW; ++q) store(packed + ((p / 2 + q) * kVecs + j) * kW, block[q]);
    }
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
