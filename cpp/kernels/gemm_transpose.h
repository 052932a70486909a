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

/// Every kDepth-th lane of these vectors in a row, from lane kFirst on.
template <int kFirst, int kDepth, typename T>
INITCORE_INLINE Vector<T> every_lane(const Vector<T> (&part)[kDepth]) {
  constexpr int kW = kLanes<T>;
  return [&]<int... i>(std::integer_sequence<int, i...>) INITCORE_ALWAYS {
    const Vector<T> two = __builtin_shufflevector(
        part[0], part[1], (kDepth * i + kFirst < 2 * kW ? kDepth * i + kFirst : -1)...);
    if constexpr (kDepth == 2) return two;
    return __builtin_shufflevector(two, part[kDepth - 1],
                                   (kDepth * i + kFirst < 2 * kW ? i : kDepth * i + kFirst - kW)...);
  }(std::make_integer_sequence<int, kW>{});
}

/// to (kDepth, to_stride)[p, j] = from (width, kDepth)[j, p], rows without gaps and shorter than a square.
template <int kDepth, typename T>
void transpose_short(const T* from, Index width, T* to, Index to_stride) {
  constexpr Index kW = kLanes<T>;
  Index j = 0;
  for (; j + kW <= width; j += kW, from += kDepth * kW) {
    Vector<T> part[kDepth];
    for (int i = 0; i < kDepth; ++i) part[i] = load(from + i * kW);
    [&]<int... p>(std::integer_sequence<int, p...>) INITCORE_ALWAYS {
      (store<T>(to + p * to_stride + j, every_lane<p, kDepth, T>(part)), ...);
    }(std::make_integer_sequence<int, kDepth>{});
  }
  for (; j < width; ++j, from += kDepth)
    for (int p = 0; p < kDepth; ++p) to[p * to_stride + j] = from[p];
}

/// to (depth, to_stride)[p, j] = from[j, p] for the first `width` columns: in squares as large as a vector is
/// long, or as fit in. The last ones reach back over what came before.
template <typename T, int kSize = kLanes<T>>
void transpose(const T* from, Index from_stride, Index width, Index depth, T* to, Index to_stride) {
  if constexpr (kSize > 1)
    if (width < kSize || depth < kSize)
      return transpose<T, kSize / 2>(from, from_stride, width, depth, to, to_stride);
  if constexpr (kSize < 4)
    if (depth < 4) {  // too little for squares
      if (depth == 2 && from_stride == 2) return transpose_short<2>(from, width, to, to_stride);
      if (depth == 3 && from_stride == 3) return transpose_short<3>(from, width, to, to_stride);
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
