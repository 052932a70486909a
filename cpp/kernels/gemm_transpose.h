// Transposition, for operands that a product reads the other way round.
#pragma once

#include "index.h"
#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {
namespace {

/// A 4 x 4 block, transposed: rows of `from` become columns of `to`.
template <typename T>
inline void transpose_4x4(const T* from, Index from_stride, T* to, Index to_stride) {
  typedef T Quad __attribute__((vector_size(4 * sizeof(T))));
  typedef T Unaligned __attribute__((vector_size(4 * sizeof(T)), aligned(alignof(T)), may_alias));
  Quad row[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) row[i] = *reinterpret_cast<const Unaligned*>(from + i * from_stride);
  const Quad low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
  const Quad low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
  const Quad high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
  const Quad high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
  const Quad column[4] = {__builtin_shufflevector(low01, low23, 0, 1, 4, 5),
                          __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                          __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                          __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) *reinterpret_cast<Unaligned*>(to + i * to_stride) = column[i];
}

/// to (depth, stride)[p, j] = from[j, p] for the first `width` columns.
template <typename T>
void transpose(const T* from, Index from_stride, Index width, Index depth, T* to, Index to_stride) {
  // Long rows lie far apart: the processor cannot guess the next ones.
  constexpr Index kAhead = 16, kLine = 64 / Index(sizeof(T));
  const bool fetch = depth >= 4 * kLine;
  const Index whole = depth - depth % 4;
  Index j = 0;
  for (; j + 4 <= width; j += 4)
    for (Index p = 0; p < whole; p += 4) {
      if (fetch && p % kLine == 0)
        for (Index r = 0; r < 4; ++r) __builtin_prefetch(from + (j + kAhead + r) * from_stride + p);
      transpose_4x4(from + j * from_stride + p, from_stride, to + p * to_stride + j, to_stride);
    }
  for (Index r = j; r < width; ++r)
    for (Index p = 0; p < whole; ++p) to[p * to_stride + r] = from[r * from_stride + p];
  for (Index p = whole; p < depth; ++p)
    for (Index r = 0; r < width; ++r) to[p * to_stride + r] = from[r * from_stride + p];
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
