// Smooth activations that follow the identity on the right, and the exponential.
#pragma once

#include "kernels/activations.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {

/// x, cut off where x f(x) has long reached its limit: there infinity times 0 would be NaN.
template <typename T>
INITCORE_INLINE T bounded(T x) {
  return clamp(x, T(-1000), T(1000));
}

template <typename T>
INITCORE_INLINE T bounded_below(T x) {
  return x < -1000 ? T(-1000) : x;
}

template <typename T>
struct Softplus {
  static constexpr const char* kName = "softplus";
  static constexpr const char* kFormula = "maximum(x, 0) + log1p(exp(-abs(x)))";
  static constexpr const char* kSource = "Dugas et al. 2001, NIPS 13, section 3";
  static constexpr bool kSlopeNeedsInput = false;
  static T forward(T x) { return softplus(x); }
  static T slope(T, T y) { return -expm1(-y); }
};

template <typename T>
struct Silu {
  static constexpr const char* kName = "silu";
  static constexpr const char* kFormula = "x / (1 + exp(-x))";
  static constexpr const char* kSource = "Elfwing et al. 2017, arXiv:1702.03118, equation 5";
  static constexpr bool kSlopeNeedsInput = true;
  static T forward(T x) { return bounded_below(x) * sigmoid(x); }
  static T slope(T x, T) {
    const T s = sigmoid(x);
    return s * (1 + bounded(x) * (1 - s));
  }
};

template <typename T>
struct HardSwish {
  static constexpr const char* kName = "hard_swish";
  static constexpr const char* kFormula = "x * clip(x / 6 + 1 / 2, 0, 1)";
  static constexpr const char* kSource = "Howard et al. 2019, arXiv:1905.02244, section 5.2";
  static constexpr bool kSlopeNeedsInput = true;
  static T forward(T x) {
    const T inside = x * (x * T(1.0 / 6) + T(0.5));
    const T left = x <= -3 ? T(0) : inside;
    return x >= 3 ? x : left;
  }
  static T slope(T x, T) {
    const T inside = x * T(1.0 / 3) + T(0.5);
    const T left = x <= -3 ? T(0) : inside;
    return x >= 3 ? T(1) : left;
  }
};

template <typename T>
struct Gelu {
  static constexpr const char* kName = "gelu";
  static constexpr const char* kFormula = "x * (1 + erf(x / 2 ** 0.5)) / 2";
  static constexpr const char* kSource = "Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2";
  static constexpr bool kSlopeNeedsInput = true;
  static T forward(T x) { return bounded_below(x) * normal_cdf(x); }
  static T slope(T x, T) {
    constexpr T kPeak = T(0.3989422804014327);  // 1 / sqrt(2 pi), the bell at 0
    const NormalTail<T> normal(x);
    return (x < 0 ? normal.tail : 1 - normal.tail) + bounded(x) * (normal.bell * kPeak);
  }
};

template <typename T>
struct GeluTanh {
  static constexpr const char* kName = "gelu_tanh";
  static constexpr const char* kFormula =
      "x * (1 + tanh((2 / 3.141592653589793) ** 0.5 * (x + 0.044715 * x**3))) / 2";
  static constexpr const char* kSource = "Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2";
  static constexpr bool kSlopeNeedsInput = true;
  static constexpr T kTwice = T(1.5957691216057308);  // 2 sqrt(2 / pi): (1 + tanh u) / 2 = sigmoid(2 u)
  static T forward(T x) {
    const T b = bounded(x);
    return bounded_below(x) * sigmoid(kTwice * b * (1 + T(0.044715) * b * b));
  }
  static T slope(T x, T) {
    const T b = bounded(x), square = T(0.044715) * b * b;
    const T s = sigmoid(kTwice * b * (1 + square));
    return s + s * (1 - s) * (kTwice * b * (1 + 3 * square));
  }
};

// With w = e^x: tanh(softplus(x)) = (w^2 + 2 w) / (w^2 + 2 w + 2); for x > 0 in powers of e^-x instead.
template <typename T>
struct Mish {
  static constexpr const char* kName = "mish";
  static constexpr const char* kFormula = "x * tanh(maximum(x, 0) + log1p(exp(-abs(x))))";
  static constexpr const char* kSource = "Misra 2019, arXiv:1908.08681, equation 1";
  static constexpr bool kSlopeNeedsInput = true;
  static T forward(T x) {
    const T e = exp(-abs(x));
    const T n = x < 0 ? e * (e + 2) : 1 + 2 * e;
    return bounded_below(x) * (n / (n + (x < 0 ? T(2) : 2 * e * e)));
  }
  static T slope(T x, T) {
    const T e = exp(-abs(x));
    const T n = x < 0 ? e * (e + 2) : 1 + 2 * e;
    const T d = 1 / (n + (x < 0 ? T(2) : 2 * e * e));
    return n * d + bounded(x) * (4 * e * (1 + e) * d * d) * (x < 0 ? T(1) : e);
  }
};

template <typename T>
struct Exponential {
  static constexpr const char* kName = "exponential";
  static constexpr const char* kFormula = "exp(x)";
  static constexpr const char* kSource = "";
  static constexpr bool kSlopeNeedsInput = false;
  static T forward(T x) { return exp(x); }
  static T slope(T, T y) { return y; }
};

}  // namespace initcore::INITCORE_ISA
