// Vectors as wide as a register, and the loop that applies a function of vectors to whole arrays.
//
// A function that is written for any V runs on a vector or on a single number, with the same operators. In
// it, Scalar<V> is the number; a comparison is a mask that only ?: should read.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/isa.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

// Inlined even where the compiler thinks a function too big: a call would end the vectorization.
#define INITCORE_INLINE [[gnu::always_inline]] inline
#define INITCORE_ALWAYS __attribute__((always_inline))

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

/// Copies the first n lanes, n less than there are, in halves, quarters ... of a vector.
template <typename T, int kPiece = kLanes<T> / 2>
INITCORE_INLINE void copy_first(T* to, const T* from, Index n) {
  if constexpr (kPiece > 0) {
    const Index at = n & ~Index(2 * kPiece - 1);
    if (n & kPiece) __builtin_memcpy(to + at, from + at, kPiece * sizeof(T));
    copy_first<T, kPiece / 2>(to, from, n);
  }
}

#if defined(__AVX512F__)
// The first n lanes, n less than there are, under a mask of their bits: no loop is compiled to that.

template <typename T>
using Mask = std::conditional_t<sizeof(T) == 4, __mmask16, __mmask8>;

/// Zeros in the other lanes.
template <typename T>
INITCORE_INLINE Vector<T> load_first(const T* x, Index n) {
  const auto mask = static_cast<Mask<T>>((1u << n) - 1);
  if constexpr (sizeof(T) == 4) {
    return (Vector<T>)_mm512_maskz_loadu_epi32(mask, x);
  } else {
    return (Vector<T>)_mm512_maskz_loadu_epi64(mask, x);
  }
}

template <typename T>
INITCORE_INLINE void store_first(T* x, Vector<T> v, Index n) {
  const auto mask = static_cast<Mask<T>>((1u << n) - 1);
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_epi32(x, mask, (__m512i)v);
  } else {
    _mm512_mask_storeu_epi64(x, mask, (__m512i)v);
  }
}
#else
/// The first n lanes, n less than there are; zeros in the others.
template <typename T>
INITCORE_INLINE Vector<T> load_first(const T* x, Index n) {
  T lanes[kLanes<T>] = {};
  copy_first(lanes, x, n);
  return load(lanes);
}

template <typename T>
INITCORE_INLINE void store_first(T* x, Vector<T> v, Index n) {
  T lanes[kLanes<T>];
  store(lanes, v);
  copy_first(x, lanes, n);
}
#endif

/// The last `rest` of n numbers, rest less than a vector has lanes and n not; zeros in the lanes before them.
template <typename T>
INITCORE_INLINE Vector<T> load_last(const T* x, Index n, Index rest) {
  using Integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  Vector<Integer> lane;
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = i;
  const Vector<T> last = load(x + n - kLanes<T>);
  return lane >= Vector<Integer>{} + Integer(kLanes<T> - rest) ? last : Vector<T>{};
}

template <typename T, int kCount>
struct ShortVectorOf {
  typedef T Type __attribute__((vector_size(kCount * sizeof(T))));
};

/// kCount numbers of T.
template <typename T, int kCount>
using ShortVector = typename ShortVectorOf<T, kCount>::Type;

/// Lanes [kAt, kAt + kCount) of v.
template <int kAt, int kCount, typename T>
INITCORE_INLINE ShortVector<T, kCount> lanes_from(Vector<T> v) {
  return [v]<int... i>(std::integer_sequence<int, i...>) INITCORE_ALWAYS {
    return __builtin_shufflevector(v, v, (kAt + i)...);
  }(std::make_integer_sequence<int, kCount>{});
}

/// Columns and rows of totals that sums_of_lanes makes at once: pieces of 16 bytes, as many as fit.
template <typename T>
inline constexpr int kSumColumns = 16 / int(sizeof(T));
template <typename T>
inline constexpr int kSumRows = kLanes<T> / kSumColumns<T>;

/// x and y hold segments of kBlock lanes each: the halves of every segment, added; those of x before those of
/// y, in each group of kGroup lanes.
template <typename T, int kGroup, int kBlock>
INITCORE_INLINE Vector<T> halved(Vector<T> x, Vector<T> y) {
  constexpr auto lane = [](int i, int odd) {
    constexpr int kHalf = kBlock / 2, kSegments = kGroup / kBlock;
    const int segment = i % kGroup / kHalf;
    return i / kGroup * kGroup + segment % kSegments * kBlock + i % kHalf + odd * kHalf +
           segment / kSegments * kLanes<T>;
  };
  return [&]<int... i>(std::integer_sequence<int, i...>) INITCORE_ALWAYS {
    return __builtin_shufflevector(x, y, lane(i, 0)...) + __builtin_shufflevector(x, y, lane(i, 1)...);
  }(std::make_integer_sequence<int, kLanes<T>>{});
}

/// The sums of all lanes of as many vectors as each has lanes: of v[column * kSumRows + row] in lane
/// row * kSumColumns + column.
template <typename T, int kBlock = kLanes<T>>
INITCORE_INLINE Vector<T> sums_of_lanes(const Vector<T> (&v)[kBlock]) {
  if constexpr (kBlock == 1) {
    return v[0];
  } else {
    Vector<T> half[kBlock / 2];
#pragma GCC unroll 8
    for (int i = 0; i < kBlock / 2; ++i)
      half[i] =
          halved<T, (kBlock > kSumColumns<T> ? kLanes<T> : kSumColumns<T>), kBlock>(v[2 * i], v[2 * i + 1]);
    return sums_of_lanes<T, kBlock / 2>(half);
  }
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

/// The same of an address or an index: what follows from it is worked out where it is used, not kept in
/// registers until then.
template <typename T>
INITCORE_INLINE T* held(T* x) {
  asm("" : "+r"(x));
  return x;
}

INITCORE_INLINE Index held(Index x) {
  asm("" : "+r"(x));
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

// Vectors in one turn of the loop. With short ones it is a few instructions, which take up to 1.5 times as
// long where they happen to lie in two lines of code and another program shares the core.
inline constexpr int kVectorsPerTurn = kRegisters == 32 ? 1 : 2;

/// to[i] = f(from[i]...), f a function of vectors. `to` may be one of `from`.
template <typename T, typename F, typename... From>
INITCORE_INLINE void map(F f, Index n, T* to, const From*... from) {
  constexpr Index kStep = kLanes<T>;
  if (n >= kStep) {
    // The last vector reaches back over what came before; so it must read before anything is written.
    const Vector<T> last = f(load(from + (n - kStep))...);
#pragma GCC unroll kVectorsPerTurn
    for (Index i = 0; i < n - kStep; i += kStep) store(to + i, f(load(from + i)...));
    store(to + (n - kStep), last);
  } else if (n > 0) {
    store_first(to, f(load_first(from, n)...), n);
  }
}

}  // namespace

}  // namespace initcore::INITCORE_ISA
