// Two independent standard normals of two words: a point's distance from the origin and its direction (Box &
// Muller 1958, doi:10.1214/aoms/1177706645). Coefficients: bench/fit_random_normal.py.
#pragma once

#include "kernels/random_normal.h"

namespace initcore::INITCORE_ISA {

template <typename T>
struct Circle;

template <>
struct Circle<float> {
  using Bits = uint32_t;
  // In t^2, for |t| <= 1/2: sin(pi t / 2) / t to 3e-9, cos(pi t / 2) to 3e-8, relatively.
  static constexpr float kSine[] = {1.570796322f, -0.6459634602f, 0.07968003248f, -0.004601657147f};
  static constexpr float kCosine[] = {1.0f, -1.233696662f, 0.2535949375f, -0.02039855841f};
};

template <>
struct Circle<double> {
  using Bits = uint64_t;
  static constexpr double kSine[] = {
      1.570796326794896614,     -0.645964097506244241,   0.07969262624603954471, -0.004681754132282280158,
      0.0001604411502912494485, -3.59864175471423507e-6, 5.633721218668996193e-8};
  static constexpr double kCosine[] = {1.0,
                                       -1.23370055013616981,
                                       0.2536695079010465744,
                                       -0.02086348076330800341,
                                       0.000919260274146772901,
                                       -0.00002520203665822641639,
                                       4.710603581963482108e-7,
                                       -6.320557431137710561e-9};
};

/// sqrt(-2 log u), u = (k + 1/2) 2^-31 (2^-63), k the word without its last bit. At most 6.7 (9.4).
template <typename T>
INITCORE_INLINE T radius(typename Circle<T>::Bits word) {
  using Bits = typename Circle<T>::Bits;
  constexpr Bits kMost = Bits(-1) >> 1;
  constexpr Bits kRootHalf = static_cast<Bits>(0.70710678118654752L * kMost);
  constexpr int kWidth = 8 * sizeof(T) - 1;
  const Bits k = word >> 1;
  const bool near = k > kRootHalf;  // to 1: what has all its digits is 1 - u
  const T x = to_float(near ? kMost - k : k) + T(0.5);
  const Split<T> split(x);
  const T e = near ? T(0) : split.e - kWidth, f = near ? x * (T(-0.5) / (Bits(1) << (kWidth - 1))) : split.f;
  const T y = minus_log(e, f);
  return square_root(y + y);
}

/// Cosine and sine of an angle: one of each sign and order for each of the four values of the first two bits.
template <typename T>
struct Direction {
  T x, y;

  INITCORE_INLINE explicit Direction(typename Circle<T>::Bits word) {
    using Bits = typename Circle<T>::Bits;
    constexpr Bits kSign = Bits(1) << (8 * sizeof(T) - 1);
    constexpr T kUnit = T(0.25) / (kSign >> 1);
    const T t = from_signed(word << 2 | 2) * kUnit, u = t * t;  // in quarters of a turn, from -1/2 to 1/2
    const T cosine = horner(u, Circle<T>::kCosine), sine = t * horner(u, Circle<T>::kSine);
    const T either = __builtin_bit_cast(T, __builtin_bit_cast(Bits, cosine) ^ (word & kSign));
    const bool swap = (word << 1 & kSign) != 0;
    x = swap ? sine : either;
    y = swap ? either : sine;
  }
};

}  // namespace initcore::INITCORE_ISA
