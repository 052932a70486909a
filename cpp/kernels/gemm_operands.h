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
inline constexpr Index kColumnDepth = 512;

/// The rows of a that a tile reads: element (i, p) of a or of its transpose. What the next tile will read can
/// be fetched meanwhile, step by step: the processor foresees no jump to other rows.
template <typename T, int kRows>
struct RowsOfA {
  static constexpr Index kDeepest = kPackedDepth;
  const T* row[kRows];
  Index next;  // to what the next tile reads
  RowsOfA(const Product<T>& s, Index i0, Index p0)
      : next(s.rows || i0 + 2 * kRows > s.m ? 0 : kRows * s.lda) {
    for (int i = 0; i < kRows; ++i) row[i] = s.a + (s.rows ? s.rows[i0 + i] : i0 + i) * s.lda + p0;
  }
  T operator()(int i, Index p) const { return row[i][p]; }
  INITCORE_INLINE void fetch_next(Index p) const {
    if (p % kInLine<T>) return;
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) __builtin_prefetch(row[i] + next + p);
  }
};

template <typename T, int kRows>
struct ColumnsOfA {
  static constexpr Index kDeepest = kColumnDepth;
  const T* a;
  Index lda;
  ColumnsOfA(const Product<T>& s, Index i0, Index p0) : a(s.a + p0 * s.lda + i0), lda(s.lda) {}
  T operator()(int i, Index p) const { return a[p * lda + i]; }
  INITCORE_INLINE void fetch_next(Index p) const { __builtin_prefetch(a + p * lda + kInLine<T>); }
};

template <typename T, int kRows>
struct GatheredColumnsOfA {
  static constexpr Index kDeepest = kColumnDepth;
  const T* a;
  const std::int64_t* rows;
  Index lda;
  GatheredColumnsOfA(const Product<T>& s, Index i0, Index p0) : a(s.a + i0), rows(s.rows + p0), lda(s.lda) {}
  T operator()(int i, Index p) const { return a[rows[p] * lda + i]; }
  INITCORE_INLINE void fetch_next(Index p) const { __builtin_prefetch(a + rows[p] * lda + kInLine<T>); }
};

/// Rows of b, where they lie or packed, in whole vectors. What is read behind the end of a row goes into
/// lanes that c does not have. Behind the end of b there may be no memory: rows from `whole` on are at
/// `tail`.
template <typename T>
struct RowsOfB {
  const T* at;
  Index ld, whole;
  const T* tail;
};

}  // namespace
}  // namespace initcore::INITCORE_ISA
