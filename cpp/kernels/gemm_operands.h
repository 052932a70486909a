// How a tile of a product finds the numbers of a and of b that it multiplies.
#pragma once

#include "kernels/gemm.h"
#include "kernels/isa.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Numbers in a line of the cache.
template <typename T>
inline constexpr Index kInLine = 64 / Index(sizeof(T));

/// Rows of a and of b that are multiplied at a time. A panel of so many packed rows of b, up to 256 KB, is
/// read from the L2 cache, in order, as fast as it is used; so what counts is to read and write c, and to
/// begin with other rows of a, as seldom as can be.
inline constexpr Index kPackedDepth = 1024;

/// So many where a lies along columns: each of its rows is in a line of its own, of which a tile uses a part.
/// With 16 registers tiles are low, and the next one uses more of these lines: they should still be in L1.
inline constexpr Index kColumnDepth = kRegisters == 32 ? 512 : 128;

/// The rows of a that a tile reads: element i of those at(p), of a or of its transpose. What the next tile
/// will read can be fetched meanwhile, step by step: the processor foresees no jump to other rows.
template <typename T, int kRows>
struct RowsOfA {
  static constexpr Index kDeepest = kPackedDepth;
  const T* row[kRows];
  Index next;  // to what the next tile reads
  RowsOfA(const Product<T>& s, Index i0, Index p0) : next(i0 + 2 * kRows > s.m ? 0 : kRows * s.lda) {
    row[0] = s.a + i0 * s.lda + p0;
    for (int i = 1; i < kRows; ++i) row[i] = row[i - 1] + s.lda;
  }
  Index at(Index p) const { return held(p); }  // else each row has a pointer to advance
  T operator()(int i, Index at) const { return row[i][at]; }
  INITCORE_INLINE void fetch_next(Index at) const {
    if (at % kInLine<T>) return;
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) __builtin_prefetch(row[i] + next + at);
  }
};

template <typename T, int kRows>
struct ColumnsOfA {
  static constexpr Index kDeepest = kColumnDepth;
  const T* a;
  Index lda;
  ColumnsOfA(const Product<T>& s, Index i0, Index p0) : a(s.a + p0 * s.lda + i0), lda(s.lda) {}
  Index at(Index p) const { return p * lda; }
  T operator()(int i, Index at) const { return a[at + i]; }
  INITCORE_INLINE void fetch_next(Index at) const { __builtin_prefetch(a + at + kInLine<T>); }
};

/// Rows of b, where they lie or packed, in whole vectors. What is read behind the end of a row goes into
/// lanes that c does not have. Behind the end of b there may be no memory: rows from `whole` on are at
/// `tail`.
template <typename T>
struct RowsOfB {
  const T* at;
  Index ld, whole;
  const T* tail;
  /// What the next panel reads of this row, into the L2 cache. Of each line the last number: the first line
  /// may be one that this panel reads.
  template <int kWidth>
  INITCORE_INLINE static void fetch_next(const T* row) {
#pragma GCC unroll 4
    for (Index j = 0; j < kWidth; j += kInLine<T>)
      __builtin_prefetch(row + kWidth + min<Index>(j + kInLine<T>, kWidth) - 1, 0, 2);
  }
};

}  // namespace
}  // namespace initcore::INITCORE_ISA
