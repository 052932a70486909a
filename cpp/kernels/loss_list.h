// The elementwise losses and, at the end, the list of all losses. To add one: write a struct like its
// neighbours and name it in `LossList`; then its dataclass in python/initcore/losses.py. A loss with two
// forms, of probabilities and of logits, is two structs; the second's name ends in _logits.
#pragma once

#include "kernels/crossentropy.h"
#include "kernels/losses.h"
#include "kernels/type_list.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {
namespace {

// An elementwise loss of prediction p and target y:
// value(p, y)  one element's share; a row's loss is the mean of its elements, or their sum if kSum.
// slope(p, y)  d value / d p; 0 where the value has a kink or is clipped. NaN stays NaN in both.

template <typename T>
struct MeanSquaredError {
  static constexpr const char* kName = "mean_squared_error";
  static constexpr const char* kFormula = "mean((p - y)**2)";
  static constexpr const char* kSource = "Legendre 1805, Nouvelles methodes, appendix";
  static constexpr bool kSum = false;
  INITCORE_INLINE static T value(T p, T y) { return (p - y) * (p - y); }
  INITCORE_INLINE static T slope(T p, T y) { return 2 * (p - y); }
};

template <typename T>
struct MeanAbsoluteError {
  static constexpr const char* kName = "mean_absolute_error";
  static constexpr const char* kFormula = "mean(abs(p - y))";
  static constexpr const char* kSource = "Laplace 1774";
  static constexpr bool kSum = false;
  INITCORE_INLINE static T value(T p, T y) { return abs(p - y); }
  INITCORE_INLINE static T slope(T p, T y) { return p > y ? T(1) : p < y ? T(-1) : p - y; }
};

template <typename T>
struct Huber {
  static constexpr const char* kName = "huber";
  static constexpr const char* kFormula =
      "mean(where(abs(p - y) <= delta, (p - y)**2 / 2, delta * (abs(p - y) - delta / 2)))";
  static constexpr const char* kSource = "Huber 1964, doi:10.1214/aoms/1177703732";
  static constexpr Parameter kParameters[] = {{"delta", 1}};
  static constexpr bool kSum = false;
  T delta;
  INITCORE_INLINE T value(T p, T y) const {
    const T a = abs(p - y);
    return a <= delta ? T(0.5) * a * a : delta * (a - T(0.5) * delta);
  }
  INITCORE_INLINE T slope(T p, T y) const {
    const T e = p - y;
    return e < -delta ? -delta : e > delta ? delta : e;
  }
};

template <typename T>
struct Quantile {
  static constexpr const char* kName = "quantile";
  static constexpr const char* kFormula = "mean(maximum(q * (y - p), (q - 1) * (y - p)))";
  static constexpr const char* kSource = "Koenker & Bassett 1978, doi:10.2307/1913643";
  static constexpr Parameter kParameters[] = {{"q", 0.5}};
  static constexpr bool kSum = false;
  T q;
  INITCORE_INLINE T value(T p, T y) const { return (y > p ? q : q - 1) * (y - p); }
  INITCORE_INLINE T slope(T p, T y) const { return y > p ? -q : y < p ? 1 - q : y - p; }
};

template <typename T>
struct LogCosh {
  static constexpr const char* kName = "log_cosh";
  static constexpr const char* kFormula = "mean(logaddexp(p - y, y - p) - log(2))";
  static constexpr const char* kSource = "Green 1990, doi:10.1109/42.52985";
  static constexpr bool kSum = false;
  INITCORE_INLINE static T value(T p, T y) {
    // Near 0 by cosh(a) - 1 = t^2 / (2 + 2 t) with t = e^a - 1; beyond by cosh(a) = e^a (1 + e^-2a) / 2.
    const T a = abs(p - y);
    const bool near = a < 1;
    const T t = expm1(near ? a : -2 * a);
    return log1p(near ? t * t / (2 + 2 * t) : 1 + t) + (near ? T(0) : a - T(0.693147180559945309));
  }
  INITCORE_INLINE static T slope(T p, T y) { return tanh(p - y); }
};

// Keras's epsilon: probabilities are kept this far from 0, where the logarithm has no value.
template <typename T>
inline constexpr T kEpsilon = T(1e-7);

template <typename T>
struct BinaryCrossentropy {
  static constexpr const char* kName = "binary_crossentropy";
  static constexpr const char* kFormula =
      "-mean((y * (1 - label_smoothing) + label_smoothing / 2) * log(clip(p, 1e-7, 1 - 1e-7))"
      " + (1 - y * (1 - label_smoothing) - label_smoothing / 2) * log(clip(1 - p, 1e-7, 1 - 1e-7)))";
  static constexpr const char* kSource = "Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x";
  static constexpr Parameter kParameters[] = {{"label_smoothing", 0}};
  static constexpr bool kSum = false;
  T label_smoothing;
  INITCORE_INLINE T smooth(T y) const { return y * (1 - label_smoothing) + T(0.5) * label_smoothing; }
  INITCORE_INLINE T value(T p, T y) const {
    const T s = smooth(y), low = kEpsilon<T>, high = 1 - kEpsilon<T>;
    return -(s * log(clamp(p, low, high)) + (1 - s) * log(clamp(1 - p, low, high)));
  }
  INITCORE_INLINE T slope(T p, T y) const {
    const T s = smooth(y);
    return p < kEpsilon<T> ? T(0) : p > 1 - kEpsilon<T> ? T(0) : (1 - s) / (1 - p) - s / p;
  }
};

template <typename T>
struct BinaryCrossentropyLogits {
  static constexpr const char* kName = "binary_crossentropy_logits";
  static constexpr const char* kFormula =
      "mean(logaddexp(0, p) - p * (y * (1 - label_smoothing) + label_smoothing / 2))";
  static constexpr const char* kSource = "Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x";
  static constexpr Parameter kParameters[] = {{"label_smoothing", 0}};
  static constexpr bool kSum = false;
  T label_smoothing;
  INITCORE_INLINE T smooth(T y) const { return y * (1 - label_smoothing) + T(0.5) * label_smoothing; }
  INITCORE_INLINE T value(T p, T y) const {
    const T s = smooth(y);
    return (p < 0 ? -p * s : p * (1 - s)) + log1p(exp(-abs(p)));
  }
  INITCORE_INLINE T slope(T p, T y) const {
    // (1 - s) sigmoid(p) - s sigmoid(-p): no cancellation where the prediction is right.
    const T s = smooth(y), e = exp(-abs(p));
    return ((p < 0 ? e : T(1)) * (1 - s) - (p < 0 ? T(1) : e) * s) / (1 + e);
  }
};

template <typename T>
struct Hinge {
  static constexpr const char* kName = "hinge";
  static constexpr const char* kFormula = "mean(maximum(1 - y * p, 0))";
  static constexpr const char* kSource = "Cortes & Vapnik 1995, doi:10.1007/BF00994018";
  static constexpr bool kSum = false;
  INITCORE_INLINE static T value(T p, T y) {
    const T short_of = 1 - y * p;
    return short_of < 0 ? T(0) : short_of;
  }
  INITCORE_INLINE static T slope(T p, T y) {
    const T short_of = 1 - y * p;
    return short_of > 0 ? -y : short_of < 0 ? T(0) : short_of;
  }
};

template <typename T>
struct Poisson {
  static constexpr const char* kName = "poisson";
  static constexpr const char* kFormula = "mean(p - y * log(p + 1e-7))";
  static constexpr const char* kSource = "Nelder & Wedderburn 1972, doi:10.2307/2344614";
  static constexpr bool kSum = false;
  INITCORE_INLINE static T value(T p, T y) { return p - y * log(p + kEpsilon<T>); }
  INITCORE_INLINE static T slope(T p, T y) { return 1 - y / (p + kEpsilon<T>); }
};

template <typename T>
struct KlDivergence {
  static constexpr const char* kName = "kl_divergence";
  static constexpr const char* kFormula = "sum(clip(y, 1e-7, 1) * log(clip(y, 1e-7, 1) / clip(p, 1e-7, 1)))";
  static constexpr const char* kSource = "Kullback & Leibler 1951, doi:10.1214/aoms/1177729694";
  static constexpr bool kSum = true;
  INITCORE_INLINE static T value(T p, T y) {
    const T s = clamp(y, kEpsilon<T>, T(1));
    return s * log(s / clamp(p, kEpsilon<T>, T(1)));
  }
  INITCORE_INLINE static T slope(T p, T y) {
    return p < kEpsilon<T> ? T(0) : p > 1 ? T(0) : -clamp(y, kEpsilon<T>, T(1)) / p;
  }
};

template <typename T>
using LossList = TypeList<MeanSquaredError<T>, MeanAbsoluteError<T>, Huber<T>, Quantile<T>, LogCosh<T>,
                          BinaryCrossentropy<T>, BinaryCrossentropyLogits<T>, CategoricalCrossentropy<T>,
                          CategoricalCrossentropyLogits<T>, SparseCategoricalCrossentropy<T>,
                          SparseCategoricalCrossentropyLogits<T>, Hinge<T>, Poisson<T>, KlDivergence<T>>;

}  // namespace
}  // namespace initcore::INITCORE_ISA
