// Elementary functions without branches, of a number or of a vector. Each states its largest error, which
// tests/test_vmath.py measures. To add one: write it like its neighbours (no libm, no `if` on data, no
// conversion between 64-bit integers and double) and name it in functions.cpp.
//
// NaN gives NaN; infinities give the limit; results in the subnormal range are rounded once more. Selects
// are written so that a NaN falls through to the arithmetic. Polynomials were made by bench/fit_vmath.py.
#pragma once

#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {

template <typename T>
struct Format;

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int kFraction = 23;                                    // bits
  static constexpr Bits kBias = 127;                                      // of the exponent
  static constexpr Bits kMagnitude = 0x7fffffff, kExponent = 0x7f800000;  // the bits of each
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
  static constexpr Bits kMagnitude = 0x7fffffffffffffff, kExponent = 0x7ff0000000000000;
  static constexpr Bits kSqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr double kInfinity = __builtin_huge_val();
  static constexpr double kLargest = __DBL_MAX__;
  static constexpr double kSmallestNormal = __DBL_MIN__;
  static constexpr double kExpHigh = 710, kExpLow = -746;
  static constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  static constexpr double kFarTail = 39;
};

template <typename V>
using FormatOf = Format<Scalar<V>>;

template <typename V>
using Bits = typename Lane<V>::template Same<typename FormatOf<V>::Bits>;

template <typename V>
inline constexpr bool kSingle = sizeof(Scalar<V>) == sizeof(float);

template <typename V>
INITCORE_INLINE Bits<V> to_bits(V x) {
  return __builtin_bit_cast(Bits<V>, x);
}

template <typename V>
INITCORE_INLINE V from_bits(Bits<V> bits) {
  return __builtin_bit_cast(V, bits);
}

template <typename V>
INITCORE_INLINE V abs(V x) {
  return from_bits<V>(to_bits(x) & FormatOf<V>::kMagnitude);
}

/// -|x|, in one operation.
template <typename V>
INITCORE_INLINE V minus_abs(V x) {
  return from_bits<V>(to_bits(x) | ~FormatOf<V>::kMagnitude);
}

/// y >= 0 with the sign of x.
template <typename V>
INITCORE_INLINE V with_sign(V y, V x) {
  return from_bits<V>(to_bits(y) | (to_bits(x) & ~FormatOf<V>::kMagnitude));
}

/// c0 + x (c1 + x (c2 + ...)).
template <typename V>
INITCORE_INLINE Scalar<V> polynomial(V, Scalar<V> c0) {
  return c0;
}

template <typename V, typename... More>
INITCORE_INLINE V polynomial(V x, Scalar<V> c0, Scalar<V> c1, More... more) {
  return c0 + x * polynomial(x, c1, more...);
}

/// The integer nearest to x, and 2^(value + kShift), where that is a normal number: kShift moves the range.
template <typename V, int kShift = 0>
struct Exponent {
  using S = Scalar<V>;
  using F = Format<S>;

  V value;
  Bits<V> biased;  // below bits that do not matter

  INITCORE_INLINE explicit Exponent(V x) {
    // Adding this rounds to an integer and leaves it, biased, in the lowest bits.
    constexpr S kRound = S(3) * S(Bits<S>(1) << (F::kFraction - 1)) + S(int(F::kBias) + kShift);
    const V rounded = x + kRound;
    biased = to_bits(rounded);
    value = rounded - kRound;
  }

  INITCORE_INLINE V power() const { return from_bits<V>(biased << F::kFraction); }
};

/// The series of e^(t r) from its second power on, over r^2 and times factor / t^2, for |t r| <= ln(2) / 2; t
/// and factor are powers of 2.
template <typename V>
INITCORE_INLINE V exp_tail(V r, Scalar<V> t = 1, Scalar<V> factor = 1) {
  const Scalar<V> t2 = t * t, t4 = t2 * t2, f = factor, f4 = f * t4;
  if constexpr (kSingle<V>) {
    const Scalar<V> c0 = f * 0.5f, c1 = f * t * 0.166665448f, c2 = f * t2 * 0.0416668455f,
                    c3 = f * t * t2 * 0.00836641481f, c4 = f4 * 0.00138990544f;
    if constexpr (kFused) return polynomial(r, c0, c1, c2, c3, c4);
    // Multiplying and adding apart takes long: two halves side by side.
    return polynomial(r, c0, c1) + r * r * (polynomial(r, c2, c3) + r * r * c4);
  } else {
    return polynomial(r, f * 0.50000000000000011, f * t * 0.16666666666666668, f * t2 * 0.041666666666620626,
                      f * t * t2 * 0.0083333333333291913, f4 * 0.0013888888918945337,
                      f4 * t * 0.00019841269866445851, f4 * t2 * 2.4801518632002832e-5,
                      f4 * t * t2 * 2.755726384890582e-6, f4 * t4 * 2.762134304714863e-7,
                      f4 * t4 * t * 2.5102395904495539e-8);
  }
}

/// x = k ln 2 + r with |r| <= ln(2) / 2 (Cody & Waite 1980, chapter 6).
template <typename V, int kShift = 0>
struct Reduced {
  using F = FormatOf<V>;
  static constexpr Scalar<V> kLog2E = Scalar<V>(1.4426950408889634);

  Exponent<V, kShift> k;
  V r;

  INITCORE_INLINE explicit Reduced(V x)
      : k(x * kLog2E), r((x - k.value * F::kLn2High) - k.value * F::kLn2Low) {}

  INITCORE_INLINE V exp_r() const {
    if constexpr (kFused) {  // an operation less
      return 1 + r * (1 + r * exp_tail(r));
    } else {
      return 1 + expm1_r();
    }
  }
  INITCORE_INLINE V expm1_r() const { return r + r * r * exp_tail(r); }

  /// e^x 2^kShift.
  INITCORE_INLINE V shifted_exp() const { return exp_r() * k.power(); }
};

/// 2^k = first * second for a k that is shifted by the bias, where 2^k itself could overflow.
template <typename V>
struct Halves {
  using F = FormatOf<V>;
  V first, second;

  INITCORE_INLINE explicit Halves(const Exponent<V, int(F::kBias)>& k) {
    const Bits<V> half = (k.biased << (F::kFraction - 1)) & F::kExponent;
    first = from_bits<V>(half);
    second = from_bits<V>((k.biased << F::kFraction) - half);
  }
};

/// e^x. Largest error: 1.1 ulp.
template <typename V>
INITCORE_INLINE V exp(V x) {
  using F = FormatOf<V>;
  const Reduced<V, int(F::kBias)> e(clamp(x, F::kExpLow, F::kExpHigh));
  const Halves<V> power(e.k);
  return e.exp_r() * power.first * power.second;
}

/// e^x for x <= 0, else without meaning. Largest error: 1.1 ulp.
template <typename V>
INITCORE_INLINE V exp_below(V x) {
  return Reduced<V, 100>(at_least(x, FormatOf<V>::kExpLow)).shifted_exp() * Scalar<V>(0x1p-100);
}

/// e^x - 1, also near 0. Largest error: 2.3 ulp.
template <typename V>
INITCORE_INLINE V expm1(V x) {
  using F = FormatOf<V>;
  const Reduced<V, int(F::kBias)> e(clamp(x, F::kExpLow, F::kExpHigh));
  const Halves<V> power(e.k);
  const V inverse_first = from_bits<V>((2 * F::kBias << F::kFraction) - to_bits(power.first));
  return power.first * (power.second * e.expm1_r() + (power.second - inverse_first));
}

/// e^x - 1 for x <= 0, else without meaning. Largest error: 2.3 ulp.
template <typename V>
INITCORE_INLINE V expm1_below(V x) {
  const Reduced<V> e(at_least(x, -40));  // e^-40 is nothing beside 1
  const V power = e.k.power();
  return power * e.expm1_r() + (power - 1);
}

/// m = sqrt(1/2) to sqrt(2) and exponent with x = m 2^exponent, for normal positive x.
template <typename V>
struct Split {
  using S = Scalar<V>;
  using F = Format<S>;
  V m, exponent;

  INITCORE_INLINE explicit Split(V x) {
    constexpr Bits<S> kOne = F::kBias << F::kFraction;
    constexpr S kTwo = S(Bits<S>(1) << F::kFraction);  // adding an integer's bits to it adds the integer
    const Bits<V> bits = to_bits(x);
    const Bits<V> biased = (bits + (kOne - F::kSqrtHalf)) >> F::kFraction;
    m = from_bits<V>(bits - (biased << F::kFraction) + kOne);
    exponent = from_bits<V>(to_bits(kTwo) | biased) - (kTwo + S(F::kBias));
  }
};

/// exponent ln 2 + log(1 + f) + correction, for 1 + f between sqrt(1/2) and sqrt(2). After Sun's fdlibm,
/// e_log.c and s_log1p.c: log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + R(s^2)) with s = f / (2 + f).
template <typename V>
INITCORE_INLINE V log_sum(V exponent, V f, V correction) {
  using F = FormatOf<V>;
  const V s = f / (2 + f), z = s * s, half = Scalar<V>(0.5) * f * f;
  V r;
  if constexpr (kSingle<V>) {
    r = z * polynomial(z, 0.666666666f, 0.400001224f, 0.285507595f, 0.233321333f);
  } else {
    r = z * polynomial(z, 0.66666666666666697, 0.39999999999898612, 0.28571428626380082, 0.22222211068796615,
                       0.18182893930347405, 0.15331561995946066, 0.1461842103782396);
  }
  return exponent * F::kLn2High - ((half - (s * (half + r) + (exponent * F::kLn2Low + correction))) - f);
}

/// Natural logarithm; -inf at 0, NaN below. Largest error: 0.9 ulp.
template <typename V>
INITCORE_INLINE V log(V x) {
  using S = Scalar<V>;
  using F = Format<S>;
  constexpr S kShift = S(Bits<S>(1) << 30) * S(Bits<S>(1) << 30);  // lifts subnormals to normal
  const auto subnormal = x < F::kSmallestNormal;
  const Split<V> split(subnormal ? x * kShift : x);
  const V y = log_sum<V>(split.exponent - (subnormal ? S(60) : S(0)), split.m - 1, V{});
  const V limit = x == 0 ? -F::kInfinity : x - x;  // x - x: NaN from NaN
  const V below = x < 0 ? (F::kInfinity - F::kInfinity) : limit;
  const V inside = x > F::kLargest ? x : y;
  return x > 0 ? inside : below;
}

/// log(1 + x), also near 0; -inf at -1, NaN below. Largest error: 0.9 ulp.
template <typename V>
INITCORE_INLINE V log1p(V x) {
  using F = FormatOf<V>;
  const V u = 1 + x;
  const V lost = x < 1 ? x - (u - 1) : 1 - (u - x);  // what rounding took from u
  const Split<V> split(u);
  const V y = log_sum<V>(split.exponent, split.m - 1, lost / u);
  const V limit = x == -1 ? -F::kInfinity : x - x;
  const V below = x < -1 ? (F::kInfinity - F::kInfinity) : limit;
  const V inside = x > F::kLargest ? x : y;
  return x > -1 ? inside : below;
}

/// log(1 + e^x) for x <= 0, else without meaning. Largest error: 1.9 ulp.
template <typename V>
INITCORE_INLINE V softplus_below(V x) {
  const V e = exp_below(x);
  if constexpr (kSingle<V> && kFused) {  // e + e^2 P(e)
    return e + e * e *
                   polynomial(e, -0.49999997f, 0.333328419f, -0.249865262f, 0.198541062f, -0.158475657f,
                              0.115618454f, -0.0667577251f, 0.0252240543f, -0.0044662116f);
  } else {
    return log1p(e);
  }
}

/// log(1 + e^x) without overflow. Largest error: 1.9 ulp.
template <typename V>
INITCORE_INLINE V softplus(V x) {
  return at_least(x, 0) + softplus_below(minus_abs(x));
}

/// 1 / (1 + e^-x) for x from kExpLow to 40. Largest error: 2.3 ulp.
template <typename V>
INITCORE_INLINE V logistic(V x) {
  constexpr Scalar<V> kOne = Scalar<V>(0x1p-64);  // in the scale of e: then no power leaves the normal range
  const V e = Reduced<V, -64>(-x).shifted_exp();
  return kOne / (kOne + e);
}

/// The same for any x, with its relative accuracy kept where it is near 0. Largest error: 2.3 ulp.
template <typename V>
INITCORE_INLINE V sigmoid(V x) {
  return logistic(clamp(x, FormatOf<V>::kExpLow, 40));
}

/// Largest error: 2 ulp (double: 1.4 ulp).
template <typename V>
INITCORE_INLINE V tanh(V x) {
  using S = Scalar<V>;
  if constexpr (kSingle<V>) {
    // (1 - e) / (1 + e) for e = e^-2|x| = 2^k e^2r, numerator and denominator each as an exact number and a
    // small product: nothing cancels near 0.
    const V a = at_least(minus_abs(x), -20);
    const Exponent<V, 1> k(a * 2.885390082f);
    const V r = a - k.value * 0.34657359f;                            // ln(2) / 2, by chance to 30 bits
    const V twice = k.power(), half = r + r * r * exp_tail(r, 2, 2);  // 2 2^k and (e^2r - 1) / 2
    const V numerator = (1 - 0.5f * twice) - twice * half;
    return with_sign<V>(numerator / ((1 + 0.5f * twice) + twice * half), x);
  } else {
    // Cody & Waite 1980, chapter 13: x + x^3 R(x^2) near 0, else 1 - 2 / (e^2x + 1).
    const V a = abs(x), z = x * x;
    const V p = polynomial(z, -0.33333333333333333, -0.020498799708498873, -0.0001991780435861287);
    const V q = polynomial(z, 1.0, 0.46149639912549314, 0.023291331876298859, 0.0002065337374875025);
    const auto far = a > S(0.625);
    const V numerator = far ? S(-2) : a * z * p, denominator = far ? exp<V>(2 * a) + 1 : q;
    return with_sign<V>((far ? S(1) : a) + numerator / denominator, x);
  }
}

}  // namespace initcore::INITCORE_ISA
