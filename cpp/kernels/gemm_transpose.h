// Transposition, for operands that a product reads the other way round.
#pragma once

#include "index.h"
#include "kernels/isa.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Of every 2 kBlock lanes of x, and of y, half number kHalf: those of x, then those of y.
template <int kBlock, int kHalf, int kSize, typename T>
INITCORE_INLINE ShortVector<T, kSize> exchanged(ShortVector<T, kSize> x, ShortVector<T, kSize> y) {
  constexpr auto lane = [](int i) {
    const int at = i % (2 * kBlock);
    return i - at + kHalf * kBlock + at % kBlock + at / kBlock * kSize;
  };
  return [&]<int... i>(std::integer_sequence<int, i...>) INITCORE_ALWAYS {
    return __builtin_shufflevector(x, y, lane(i)...);
  }(std::make_integer_sequence<int, kSize>{});
}

/// The rows of a square become its columns: blocks beside its diagonal change places, then those in each
/// block.
template <typename T, int kSize, int kBlock = kSize / 2>
INITCORE_INLINE void transpose_square(ShortVector<T, kSize> (&row)[kSize]) {
  if constexpr (kBlock > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < kSize; ++i) {
      if (i & kBlock) continue;
      const auto x = row[i], y = row[i + kBlock];
      row[i] = exchanged<kBlock, 0, kSize, T>(x, y);
      row[i + kBlock] = exchanged<kBlock, 1, kSize, T>(x, y);
    }
    transpose_square<T, kSize, kBlock / 2>(row);
  }
}

/// Every kDepth-th lane of these vectors in a row, from lane kFirst on, as far as the first kParts have them.
template <int kFirst, int kDepth, typename T, int kParts = kDepth>
INITCORE_INLINE Vector<T> every_lane(const Vector<T> (&part)[kDepth]) {
  if constexpr (kParts == 1) {
    return part[0];
  } else {
    constexpr int kW = kLanes<T>, kBefore = (kParts - 1) * kW;
    constexpr auto source = [](int lane) {
      const int at = kDepth * lane + kFirst;
      if (at >= kBefore + kW) return -1;
      return at >= kBefore ? kW + at - kBefore : kParts == 2 ? at : lane;
    };
    return [&]<int... i>(std::integer_sequence<int, i...>) INITCORE_ALWAYS {
      return __builtin_shufflevector(every_lane<kFirst, kDepth, T, kParts - 1>(part), part[kParts - 1],
                                     source(i)...);
    }(std::make_integer_sequence<int, kW>{});
  }
}

/// Longest rows, without gaps, of which columns are put together so: beyond, squares are faster.
template <typename T>
inline constexpr int kShortRow = kRegisters == 32 ? (sizeof(T) == 4 ? 7 : 6) : 3;

/// to (kDepth, to_stride)[p, j] = from (width, kDepth)[j, p], rows without gaps, and at least a vector of
/// them: dispatches to just that depth.
template <int kDepth, typename T>
void transpose_short(const T* from, Index width, Index depth, T* to, Index to_stride) {
  constexpr Index kW = kLanes<T>;
  if constexpr (kDepth < kShortRow<T>)
    if (depth > kDepth) return transpose_short<kDepth + 1>(from, width, depth, to, to_stride);
  const auto columns_at = [from, to, to_stride](Index j) INITCORE_ALWAYS {
    Vector<T> part[kDepth];
#pragma GCC unroll 8
    for (int i = 0; i < kDepth; ++i) part[i] = load(from + j * kDepth + i * kW);
    [&]<int... p>(std::integer_sequence<int, p...>) INITCORE_ALWAYS {
      (store<T>(to + p * to_stride + j, every_lane<p, kDepth, T>(part)), ...);
    }(std::make_integer_sequence<int, kDepth>{});
  };
  Index j = 0;
  for (; j + kW <= width; j += kW) columns_at(j);
  if (j < width) columns_at(width - kW);
}

/// to (depth, to_stride)[p, j] = from[j, p] for the first `width` columns: in squares as large as a vector is
/// long, or as fit in. The last ones reach back over what came before.
template <typename T, int kSize = kLanes<T>>
void transpose(const T* from, Index from_stride, Index width, Index depth, T* to, Index to_stride) {
  // Before squares of any size, or where these would be too small.
  if constexpr (kSize == (kRegisters == 32 ? kLanes<T> : 2))
    if (from_stride == depth && depth > 1 && depth <= kShortRow<T> && width >= kLanes<T>)
      return transpose_short<2>(from, width, depth, to, to_stride);
  if constexpr (kSize > 1)
    if (width < kSize || depth < kSize)
      return transpose<T, kSize / 2>(from, from_stride, width, depth, to, to_stride);
  if constexpr (kSize < 4)
    if (depth < 4) {  // too little for squares
      for (Index p = 0; p < depth; ++p)
#pragma GCC unroll 8
        for (Index j = 0; j < width; ++j) to[p * to_stride + j] = from[j * from_stride + p];
      return;
    }
  for (Index column = 0; column < width; column += kSize) {
    const Index j = min(column, width - kSize);
    for (Index q = 0; q < depth; q += kSize) {
      const Index p = min(q, depth - kSize);
      const T* const square = from + j * from_stride + p;
      ShortVector<T, kSize> row[kSize];
#pragma GCC unroll 16
      for (int i = 0; i < kSize; ++i) __builtin_memcpy(&row[i], square + i * from_stride, kSize * sizeof(T));
      transpose_square<T, kSize>(row);
#pragma GCC unroll 16
      for (int i = 0; i < kSize; ++i)
        __builtin_memcpy(to + (p + i) * to_stride + j, &row[i], kSize * sizeof(T));
    }
  }
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
