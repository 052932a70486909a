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

/// ((e^(t r) - 1) / t - r) / r^2 for |t r| <= ln(2) / 2, t a power of 2.
template <typename V>
INITCORE_INLINE V exp_tail(V r, Scalar<V> t = 1) {
  const Scalar<V> t2 = t * t, t4 = t2 * t2;
  if constexpr (kSingle<V>) {
    return polynomial(r, t * 0.5f, t2 * 0.166665734f, t * t2 * 0.0416665455f, t4 * 0.00836377611f,
                      t * t4 * 0.00139274265f);
  } else {
    return polynomial(r, t * 0.50000000000000011, t2 * 0.16666666666666668, t * t2 * 0.041666666666620626,
                      t4 * 0.0083333333333291913, t * t4 * 0.0013888888918945337,
                      t2 * t4 * 0.00019841269866445851, t * t2 * t4 * 2.4801518632002832e-5,
                      t4 * t4 * 2.755726384890582e-6, t * t4 * t4 * 2.762134304714863e-7,
                      t2 * t4 * t4 * 2.5102395904495539e-8);
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

  /// Of high + low, where low is too small to change k.
  INITCORE_INLINE Reduced(V high, V low)
      : k(high * kLog2E), r((high - k.value * F::kLn2High) + (low - k.value * F::kLn2Low)) {}

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

/// log(1 + e^x) without overflow. Largest error: 1.7 ulp.
template <typename V>
INITCORE_INLINE V softplus(V x) {
  const V e = exp_below(-abs(x));
  if constexpr (kSingle<V> && kFused) {  // log(1 + e) = e + e^2 P(e)
    const V p = polynomial(e, -0.49999997f, 0.333328419f, -0.249865262f, 0.198541062f, -0.158475657f,
                           0.115618454f, -0.0667577251f, 0.0252240543f, -0.0044662116f);
    return at_least(x, 0) + (e + e * e * p);
  } else {
    return at_least(x, 0) + log1p(e);
  }
}

/// 1 / (1 + e^-x), with its relative accuracy kept where it is near 0. Largest error: 2.3 ulp.
template <typename V>
INITCORE_INLINE V sigmoid(V x) {
  constexpr Scalar<V> kOne = Scalar<V>(0x1p-64);  // in the scale of e: then no power leaves the normal range
  const V e = Reduced<V, -64>(clamp(-x, -40, -FormatOf<V>::kExpLow)).shifted_exp();
  return kOne / (kOne + e);
}

/// Largest error: 2 ulp (double: 1.4 ulp).
template <typename V>
INITCORE_INLINE V tanh(V x) {
  using S = Scalar<V>;
  if constexpr (kSingle<V>) {
    // (1 - e) / (1 + e) for e = e^-2|x| = 2^k e^2r, numerator and denominator each as an exact number and a
    // small product: nothing cancels near 0.
    const V a = at_least(-abs(x), -20);
    const Exponent<V, 1> k(a * 2.885390082f);
    const V r = a - k.value * 0.34657359f;                         // ln(2) / 2, by chance to 30 bits
    const V twice = k.power(), half = r + r * r * exp_tail(r, 2);  // 2 2^k and (e^2r - 1) / 2
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

/// The standard normal law at a = |x|: how likely z > a is, and kScale e^(-a^2 / 2).
template <typename V>
struct NormalTail {
  using S = Scalar<V>;
  static constexpr int kShift = 100;
  static constexpr S kScale =
      S(0x1p100);  // of bell: it would be subnormal far out, where the tail is not yet

  V tail, bell;

  INITCORE_INLINE explicit NormalTail(V x) {
    using F = FormatOf<V>;
    const V a = at_most(abs(x), F::kFarTail);
    // a^2 / 2 as an exact sum: where it is large, its rounding error would be large beside 1.
    constexpr Bits<S> kHalfOfFraction = (Bits<S>(1) << (F::kFraction / 2 + 1)) - 1;
    const V high = from_bits<V>(to_bits(a) & ~kHalfOfFraction), half = S(-0.5) * (a - high);
    bell = Reduced<V, kShift>(S(-0.5) * high * high, half * (a + high)).shifted_exp();
    // (1 + 0.8 a) times the Mills ratio over sqrt(2 pi): between 0.32 and 0.51, smooth in q, flat at 0.
    const V q = (a - 4) / (a + 4);
    V p;
    if constexpr (kSingle<V>) {
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
    tail = bell * (p / (kScale + S(0.8) * kScale * a));
  }
};

/// The standard normal distribution function, accurate in its tails. Largest error: 3.7 ulp.
template <typename V>
INITCORE_INLINE V normal_cdf(V x) {
  const V tail = NormalTail<V>(x).tail;
  return x < 0 ? tail : 1 - tail;
}

/// The error function. Largest error: 1.5 ulp. x P(x^2) near 0, else 1 - 2 P(z > |x| sqrt(2)).
template <typename V>
INITCORE_INLINE V erf(V x) {
  const V a = abs(x), z = a * a;
  V p;
  if constexpr (kSingle<V>) {
    p = polynomial(z, 0.12837917f, -0.376126267f, 0.112835947f, -0.026854212f, 0.00518908742f,
                   -0.000801686429f, 7.87587506e-5f);
  } else {
    p = polynomial(z, 0.12837916709551257, -0.37612638903183748, 0.11283791670954879, -0.026866170645076793,
                   0.0052239776248180145, -0.00085483269808337899, 0.00012055331111642711,
                   -1.4925595266831182e-5, 1.6461000484121368e-6, -1.6350312701054695e-7,
                   1.4659775274047436e-8, -1.1372848856791674e-9, 5.9571761477489114e-11);
  }
  const V far = 1 - 2 * NormalTail<V>(a * Scalar<V>(1.4142135623730951)).tail;
  return with_sign<V>(a > 1 ? far : a + a * p, x);
}

}  // namespace initcore::INITCORE_ISA
