// Elementary functions without branches, so that a loop over them vectorizes. Each states its largest error,
// which tests/test_vmath.py measures. To add one: write it like its neighbours (no libm, no `if` on data, no
// conversion between 64-bit integers and double) and name it in functions.cpp.
//
// NaN gives NaN; infinities give the limit; results in the subnormal range are rounded once more. Selects
// are written so that a NaN falls through to the arithmetic. Polynomials were made by bench/fit_vmath.py.
#pragma once

#include "kernels/isa.h"

// Inlined even where the compiler thinks a function too big: a call would end the vectorization.
#define INITCORE_INLINE [[gnu::always_inline]] inline

namespace initcore::INITCORE_ISA {

template <typename T>
struct Format;

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int kFraction = 23;  // bits
  static constexpr Bits kBias = 127;    // of the exponent
  static constexpr Bits kSqrtHalf = 0x3f3504f3;
  static constexpr float kInfinity = __builtin_huge_valf();
  static constexpr float kLargest = __FLT_MAX__;
  static constexpr float kSmallestNormal = __FLT_MIN__;
  // e^x is infinite above the first, 0 below the second.
  static constexpr float kExpHigh = 89, kExpLow = -104;
  // ln 2 as a sum; the first has so few bits that its product with any exponent is exact.
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  static constexpr float kFarTail = 14.6f;  // P(z > 14.6) rounds to 0
};

template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int kFraction = 52;
  static constexpr Bits kBias = 1023;
  static constexpr Bits kSqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr double kInfinity = __builtin_huge_val();
  static constexpr double kLargest = __DBL_MAX__;
  static constexpr double kSmallestNormal = __DBL_MIN__;
  static constexpr double kExpHigh = 710, kExpLow = -746;
  static constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kFarTail = 39;
};

template <typename T>
using Bits = typename Format<T>::Bits;

template <typename T>
inline constexpr bool kSingle = sizeof(T) == sizeof(float);

template <typename T>
INITCORE_INLINE Bits<T> to_bits(T x) {
  return __builtin_bit_cast(Bits<T>, x);
}

template <typename T>
INITCORE_INLINE T from_bits(Bits<T> bits) {
  return __builtin_bit_cast(T, bits);
}

template <typename T>
INITCORE_INLINE T abs(T x) {
  return from_bits<T>(to_bits(x) & (Bits<T>(-1) >> 1));
}

/// x, or the end of [low, high] that it lies beyond.
template <typename T>
INITCORE_INLINE T clamp(T x, T low, T high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

/// c0 + x (c1 + x (c2 + ...)).
template <typename T>
INITCORE_INLINE T polynomial(T, T c0) {
  return c0;
}

template <typename T, typename... More>
INITCORE_INLINE T polynomial(T x, T c0, T c1, More... more) {
  return c0 + x * polynomial(x, c1, more...);
}

/// x = exponent ln 2 + r with |r| <= ln(2) / 2 (Cody & Waite 1980, chapter 6), where high + low = x.
/// 2^exponent is first * second: either alone could overflow.
template <typename T>
struct Reduced {
  T r;
  Bits<T> first, second;  // biased exponents

  INITCORE_INLINE Reduced(T high, T low) {
    using F = Format<T>;
    // Adding this rounds to an integer and leaves it, plus twice the bias, in the lowest bits.
    constexpr T kRound = T(3) * T(Bits<T>(1) << (F::kFraction - 1)) + T(2 * F::kBias);
    constexpr T kLog2E = T(1.4426950408889634);
    const T rounded = (high + low) * kLog2E + kRound;
    const T exponent = rounded - kRound;
    r = (high - exponent * F::kLn2High) + (low - exponent * F::kLn2Low);
    const Bits<T> biased_twice = to_bits(rounded) & ((Bits<T>(1) << (F::kFraction - 1)) - 1);
    first = biased_twice >> 1;
    second = biased_twice - first;
  }

  INITCORE_INLINE static T power(Bits<T> biased) { return from_bits<T>(biased << Format<T>::kFraction); }

  /// e^r - 1.
  INITCORE_INLINE T expm1_r() const {
    if constexpr (kSingle<T>) {
      return r + r * r * polynomial(r, 0.5f, 0.166665734f, 0.0416665455f, 0.00836377611f, 0.00139274265f);
    } else {
      return r + r * r *
                     polynomial(r, 0.50000000000000011, 0.16666666666666668, 0.041666666666620626,
                                0.0083333333333291913, 0.0013888888918945337, 0.00019841269866445851,
                                2.4801518632002832e-5, 2.755726384890582e-6, 2.762134304714863e-7,
                                2.5102395904495539e-8);
    }
  }

  INITCORE_INLINE T exp() const { return (1 + expm1_r()) * power(first) * power(second); }
};

/// e^x. Largest error: 1.1 ulp.
template <typename T>
INITCORE_INLINE T exp(T x) {
  return Reduced<T>(clamp(x, Format<T>::kExpLow, Format<T>::kExpHigh), T(0)).exp();
}

/// e^x - 1, also near 0. Largest error: 2.3 ulp.
template <typename T>
INITCORE_INLINE T expm1(T x) {
  const Reduced<T> e(clamp(x, Format<T>::kExpLow, Format<T>::kExpHigh), T(0));
  const T first = e.power(e.first), second = e.power(e.second);
  const T inverse_first = e.power(2 * Format<T>::kBias - e.first);
  return first * (second * e.expm1_r() + (second - inverse_first));
}

/// m = sqrt(1/2) to sqrt(2) and exponent with x = m 2^exponent, for normal positive x.
template <typename T>
struct Split {
  T m, exponent;

  INITCORE_INLINE explicit Split(T x) {
    using F = Format<T>;
    constexpr Bits<T> kOne = F::kBias << F::kFraction;
    constexpr T kTwo = T(Bits<T>(1) << F::kFraction);  // adding an integer's bits to it adds the integer
    const Bits<T> bits = to_bits(x);
    const Bits<T> biased = (bits + (kOne - F::kSqrtHalf)) >> F::kFraction;
    m = from_bits<T>(bits - (biased << F::kFraction) + kOne);
    exponent = from_bits<T>(to_bits(kTwo) | biased) - (kTwo + T(F::kBias));
  }
};

/// exponent ln 2 + log(1 + f) + correction, for 1 + f between sqrt(1/2) and sqrt(2). After Sun's fdlibm,
/// e_log.c and s_log1p.c: log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + R(s^2)) with s = f / (2 + f).
template <typename T>
INITCORE_INLINE T log_sum(T exponent, T f, T correction) {
  using F = Format<T>;
  const T s = f / (2 + f), z = s * s, half = T(0.5) * f * f;
  T r;
  if constexpr (kSingle<T>) {
    r = z * polynomial(z, 0.666666666f, 0.400001224f, 0.285507595f, 0.233321333f);
  } else {
    r = z * polynomial(z, 0.66666666666666697, 0.39999999999898612, 0.28571428626380082, 0.22222211068796615,
                       0.18182893930347405, 0.15331561995946066, 0.1461842103782396);
  }
  return exponent * F::kLn2High - ((half - (s * (half + r) + (exponent * F::kLn2Low + correction))) - f);
}

/// Natural logarithm; -inf at 0, NaN below. Largest error: 0.9 ulp.
template <typename T>
INITCORE_INLINE T log(T x) {
  using F = Format<T>;
  constexpr T kShift = T(Bits<T>(1) << 30) * T(Bits<T>(1) << 30);  // lifts subnormals to normal
  const bool subnormal = x < F::kSmallestNormal;
  const Split<T> split(subnormal ? x * kShift : x);
  const T y = log_sum(split.exponent - (subnormal ? T(60) : T(0)), split.m - 1, T(0));
  const T limit = x == 0 ? -F::kInfinity : x - x;  // x - x: NaN from NaN
  const T below = x < 0 ? (F::kInfinity - F::kInfinity) : limit;
  const T inside = x > F::kLargest ? x : y;
  return x > 0 ? inside : below;
}

/// log(1 + x), also near 0; -inf at -1, NaN below. Largest error: 0.9 ulp.
template <typename T>
INITCORE_INLINE T log1p(T x) {
  using F = Format<T>;
  const T u = 1 + x;
  const T lost = x < 1 ? x - (u - 1) : 1 - (u - x);  // what rounding took from u
  const Split<T> split(u);
  const T y = log_sum(split.exponent, split.m - 1, lost / u);
  const T limit = x == -1 ? -F::kInfinity : x - x;
  const T below = x < -1 ? (F::kInfinity - F::kInfinity) : limit;
  const T inside = x > F::kLargest ? x : y;
  return x > -1 ? inside : below;
}

/// log(1 + e^x) without overflow. Largest error: 1.7 ulp.
template <typename T>
INITCORE_INLINE T softplus(T x) {
  const T positive = x < 0 ? T(0) : x;
  return positive + log1p(exp(-abs(x)));
}

/// 1 / (1 + e^-x), with its relative accuracy kept where it is near 0. Largest error: 2.3 ulp.
template <typename T>
INITCORE_INLINE T sigmoid(T x) {
  const T e = exp(-abs(x));
  return (x < 0 ? e : T(1)) / (1 + e);
}

/// Largest error: 1.4 ulp. Cody & Waite 1980, chapter 13: x + x^3 R(x^2) near 0, else 1 - 2 / (e^2x + 1).
template <typename T>
INITCORE_INLINE T tanh(T x) {
  const T a = abs(x), z = x * x;
  T p, q;
  if constexpr (kSingle<T>) {
    p = polynomial(z, -0.333333289f, 0.133327697f, -0.0538509096f, 0.020997179f, -0.00609671417f);
    q = 1;
  } else {
    p = polynomial(z, -0.33333333333333333, -0.020498799708498873, -0.0001991780435861287);
    q = polynomial(z, 1.0, 0.46149639912549314, 0.023291331876298859, 0.0002065337374875025);
  }
  const bool far = a > T(0.625);
  const T numerator = far ? T(-2) : a * z * p, denominator = far ? exp(2 * a) + 1 : q;
  const T y = (far ? T(1) : a) + numerator / denominator;
  return from_bits<T>(to_bits(y) | (to_bits(x) & ~(Bits<T>(-1) >> 1)));
}

/// The standard normal law at a = |x|: how likely z > a is, and e^(-a^2 / 2).
template <typename T>
struct NormalTail {
  T tail, bell;

  INITCORE_INLINE explicit NormalTail(T x) {
    using F = Format<T>;
    const T a = abs(x) > F::kFarTail ? F::kFarTail : abs(x);
    // a^2 / 2 as an exact sum: where it is large, its rounding error would be large beside 1.
    constexpr Bits<T> kHalfOfFraction = (Bits<T>(1) << (F::kFraction / 2 + 1)) - 1;
    const T high = from_bits<T>(to_bits(a) & ~kHalfOfFraction);
    bell = Reduced<T>(T(-0.5) * high * high, T(-0.5) * (a - high) * (a + high)).exp();
    // (1 + 0.8 a) times the Mills ratio over sqrt(2 pi): between 0.32 and 0.51, smooth in q, flat at 0.
    const T q = (a - 4) / (a + 4);
    T p;
    if constexpr (kSingle<T>) {
      p = polynomial(q, 0.396524695f, -0.111442313f, 0.0360754517f, 0.00853835353f, -0.0195842751f,
                     0.012654723f, -0.00390319591f, -0.000116738562f, 0.000518224433f, -5.80155967e-5f,
                     -5.48918726e-5f);
    } else {
      p = polynomial(
          q, 0.39652469346826953, -0.11144232617091174, 0.036075558847392908, 0.0085388097752941054,
          -0.019585309121198657, 0.012650458887292313, -0.0039003904579689255, -0.0001007357077272939,
          0.00051848083137785041, -8.4655184064701404e-5, -6.4552889156990356e-5, 1.7926358887098444e-5,
          1.0040833598277463e-5, -2.9116533771367932e-6, -1.958168984303367e-6, 3.6477363524330193e-7,
          4.2303831569518835e-7, -9.2942219705335683e-9, -8.724664493638834e-8, -1.3714947352537522e-8,
          1.4356615209256029e-8, 4.7306112005225574e-9, -1.3306512892483098e-9, -6.3950539805499165e-10);
    }
    tail = bell * (p / (1 + T(0.8) * a));
  }
};

/// The standard normal distribution function, accurate in its tails. Largest error: 3.7 ulp.
template <typename T>
INITCORE_INLINE T normal_cdf(T x) {
  const T tail = NormalTail<T>(x).tail;
  return x < 0 ? tail : 1 - tail;
}

/// The error function. Largest error: 1.5 ulp. x P(x^2) near 0, else 1 - 2 P(z > |x| sqrt(2)).
template <typename T>
INITCORE_INLINE T erf(T x) {
  const T a = abs(x), z = a * a;
  T p;
  if constexpr (kSingle<T>) {
    p = polynomial(z, 0.12837917f, -0.376126267f, 0.112835947f, -0.026854212f, 0.00518908742f,
                   -0.000801686429f, 7.87587506e-5f);
  } else {
    p = polynomial(z, 0.12837916709551257, -0.37612638903183748, 0.11283791670954879, -0.026866170645076793,
                   0.0052239776248180145, -0.00085483269808337899, 0.00012055331111642711,
                   -1.4925595266831182e-5, 1.6461000484121368e-6, -1.6350312701054695e-7,
                   1.4659775274047436e-8, -1.1372848856791674e-9, 5.9571761477489114e-11);
  }
  const T far = 1 - 2 * NormalTail<T>(a * T(1.4142135623730951)).tail;
  const T y = a > 1 ? far : a + a * p;
  return from_bits<T>(to_bits(y) | (to_bits(x) & ~(Bits<T>(-1) >> 1)));
}

}  // namespace initcore::INITCORE_ISA
