// Vectors as wide as a register, and the loop that applies a function of vectors to whole arrays.
//
// A function that is written for any V runs on a vector or on a single number, with the same operators. In
// it, Scalar<V> is the number; a comparison is a mask that only ?: should read.
#pragma once

#include "kernels/isa.h"

// Inlined even where the compiler thinks a function too big: a call would end the vectorization.
#define INITCORE_INLINE [[gnu::always_inline]] inline

namespace initcore::INITCORE_ISA {

template <typename T>
struct VectorOf {
  typedef T Type __attribute__((vector_size(kVectorBytes)));
  typedef T Unaligned __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
};

template <typename T>
using Vector = typename VectorOf<T>::Type;

template <typename V>
struct Lane {
  using Scalar = V;
  template <typename Integer>
  using Same = Integer;  // as many integers as V has lanes
  static constexpr bool kAlone = true;
};

template <typename T>
struct VectorLane {
  using Scalar = T;
  template <typename Integer>
  using Same = Vector<Integer>;
  static constexpr bool kAlone = false;
};

template <>
struct Lane<Vector<float>> : VectorLane<float> {};

template <>
struct Lane<Vector<double>> : VectorLane<double> {};

template <typename V>
using Scalar = typename Lane<V>::Scalar;

template <typename T>
INITCORE_INLINE Vector<T> load(const T* x) {
  return *reinterpret_cast<const typename VectorOf<T>::Unaligned*>(x);
}

template <typename T>
INITCORE_INLINE void store(T* x, Vector<T> v) {
  *reinterpret_cast<typename VectorOf<T>::Unaligned*>(x) = v;
}

/// The first n lanes, n less than there are; zeros in the others.
template <typename T>
INITCORE_INLINE Vector<T> load_first(const T* x, Index n) {
  T lanes[kLanes<T>] = {};
  for (Index i = 0; i < n; ++i) lanes[i] = x[i];
  return load(lanes);
}

template <typename T>
INITCORE_INLINE void store_first(T* x, Vector<T> v, Index n) {
  T lanes[kLanes<T>];
  store(lanes, v);
  for (Index i = 0; i < n; ++i) x[i] = lanes[i];
}

/// The sum of all lanes: of the halves, their halves, and so on.
template <typename T>
INITCORE_INLINE T sum_of_lanes(Vector<T> v) {
  T lanes[kLanes<T>];
  store<T>(lanes, v);
#pragma GCC unroll 4
  for (int half = kLanes<T> / 2; half > 0; half /= 2)
#pragma omp simd
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

/// x, of whose value the optimizer knows nothing. GCC 12 makes a comparison and a blend of x < c ? c : x,
/// instead of one maximum, wherever it sees that c is constant or x comes from integers.
template <typename V>
INITCORE_INLINE V held(V x) {
#if defined(__SSE2__) && !defined(__clang__)
  if constexpr (!Lane<V>::kAlone) asm("" : "+v"(x));
#endif
  return x;
}

/// The larger of x and low; NaN if x is.
template <typename V>
INITCORE_INLINE V at_least(V x, Scalar<V> low) {
  const V value = held(x), bound = held(V{} + low);
  return value < bound ? bound : value;
}

/// The smaller of x and high; NaN if x is.
template <typename V>
INITCORE_INLINE V at_most(V x, Scalar<V> high) {
  const V value = held(x), bound = held(V{} + high);
  return value > bound ? bound : value;
}

/// x, or the end of [low, high] that it lies beyond.
template <typename V>
INITCORE_INLINE V clamp(V x, Scalar<V> low, Scalar<V> high) {
  return at_most(at_least(x, low), high);
}

namespace {

/// to[i] = f(from[i]...), f a function of vectors. `to` may be one of `from`.
template <typename T, typename F, typename... From>
INITCORE_INLINE void map(F f, Index n, T* to, const From*... from) {
  constexpr Index kStep = kLanes<T>;
  if (n >= kStep) {
    // The last vector reaches back over what came before; so it must read before anything is written.
    const Vector<T> last = f(load(from + (n - kStep))...);
    for (Index i = 0; i < n - kStep; i += kStep) store(to + i, f(load(from + i)...));
    store(to + (n - kStep), last);
  } else if (n > 0) {
    store_first(to, f(load_first(from, n)...), n);
  }
}

}  // namespace

}  // namespace initcore::INITCORE_ISA
