// Rows of a matrix on vectors: wide ones along the row, narrow ones side by side, one in each lane.
#pragma once

#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {
namespace {

// Rows shorter than this are computed side by side, so that no lane idles.
template <typename T>
inline constexpr Index kNarrow = 2 * kLanes<T>;

/// op over all lanes, halves upon halves.
template <typename T, int kCount, typename Op>
INITCORE_INLINE T across(const T (&lanes)[kCount], Op op) {
  if constexpr (kCount == 1) {
    return lanes[0];
  } else {
    T half[kCount / 2];
    for (int l = 0; l < kCount / 2; ++l) half[l] = op(lanes[l], lanes[l + kCount / 2]);
    return across(half, op);
  }
}

template <typename T, typename Op>
INITCORE_INLINE T across_lanes(Vector<T> v, Op op) {
  T lanes[kLanes<T>];
  store(lanes, v);
  return across(lanes, op);
}

template <typename T>
INITCORE_INLINE T sum_across(Vector<T> v) {
  return across_lanes<T>(v, [](T a, T b) { return a + b; });
}

template <typename T>
INITCORE_INLINE T max_across(Vector<T> v) {
  return across_lanes<T>(v, [](T a, T b) { return max(a, b); });
}

/// 0, 1, 2, ...
template <typename T>
INITCORE_INLINE Vector<typename Format<T>::Bits> lane_numbers() {
  typename Format<T>::Bits lanes[kLanes<T>];
  for (int l = 0; l < kLanes<T>; ++l) lanes[l] = static_cast<typename Format<T>::Bits>(l);
  return load(lanes);
}

template <typename V>
INITCORE_INLINE V larger(V a, V b) {
  return a > b ? a : b;
}

/// v in the first n lanes, 0 in the others.
template <typename T>
INITCORE_INLINE Vector<T> only_first(Vector<T> v, Index n) {
  using B = typename Format<T>::Bits;
  return lane_numbers<T>() < static_cast<B>(n) ? v : Vector<T>{};
}

/// A wide row as vectors at 0, kLanes, ... below `last`, and one at `last` that reaches back over some of
/// the others' elements: those are not fresh.
template <typename T>
struct WideRow {
  static constexpr Index kStep = kLanes<T>;
  using Bits = typename Format<T>::Bits;
  using Mask = Vector<Bits>;

  Index last;
  Mask fresh;  // all bits of the lanes whose elements are in no other vector

  INITCORE_INLINE explicit WideRow(Index columns) : last(columns - kStep) {
    const Index seen = (kStep - columns % kStep) % kStep;
    fresh = lane_numbers<T>() >= static_cast<Bits>(seen) ? Bits(-1) : Bits(0);
  }

  /// v, or 0 where it is not fresh.
  INITCORE_INLINE Vector<T> only_fresh(Vector<T> v) const { return from_bits<Vector<T>>(to_bits(v) & fresh); }

  /// The largest of each lane; a NaN may or may not count.
  INITCORE_INLINE Vector<T> largest(const T* x) const {
    Vector<T> top = load(x + last);
    each([&](Index j) { top = larger(top, load(x + j)); });
    return top;
  }

  /// f(j) for the start of every vector but the last.
  template <typename F>
  INITCORE_INLINE void each(F f) const {
    for (Index j = 0; j < last; j += kStep) f(j);
  }
};

/// Up to kLanes narrow rows: columns[j] has element j of each. Lanes past the last row repeat it.
template <typename T>
struct SideBySide {
  Vector<T> column[kNarrow<T>];

  INITCORE_INLINE void read(const T* x, Index columns, Index rows) {
    if (columns == 2 && rows == kLanes<T>) {  // as of two classes: worth a way of their own
      const Vector<T> low = load(x), high = load(x + kLanes<T>);
      [&]<int... l>(std::integer_sequence<int, l...>) INITCORE_ALWAYS {
        column[0] = __builtin_shufflevector(low, high, 2 * l...);
        column[1] = __builtin_shufflevector(low, high, (2 * l + 1)...);
      }(std::make_integer_sequence<int, kLanes<T>>{});
      return;
    }
    Index at[kLanes<T>];
    for (Index l = 0; l < kLanes<T>; ++l) at[l] = min(l, rows - 1) * columns;
    for (Index j = 0; j < columns; ++j) {
      T lanes[kLanes<T>];
      for (Index l = 0; l < kLanes<T>; ++l) lanes[l] = x[at[l] + j];
      column[j] = load(lanes);
    }
  }

  INITCORE_INLINE void write(T* x, Index columns, Index rows) const {
    if (columns == 2 && rows == kLanes<T>) {
      constexpr int kW = kLanes<T>;
      [&]<int... l>(std::integer_sequence<int, l...>) INITCORE_ALWAYS {
        store<T>(x, __builtin_shufflevector(column[0], column[1], (l / 2 + l % 2 * kW)...));
        store<T>(x + kW, __builtin_shufflevector(column[0], column[1], ((kW + l) / 2 + l % 2 * kW)...));
      }(std::make_integer_sequence<int, kW>{});
      return;
    }
    for (Index j = 0; j < columns; ++j) {
      T lanes[kLanes<T>];
      store(lanes, column[j]);
      for (Index l = 0; l < rows; ++l) x[l * columns + j] = lanes[l];
    }
  }
};

}  // namespace
}  // namespace initcore::INITCORE_ISA
