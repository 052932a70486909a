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

// An elementwise loss of prediction p and target y, vectors of type V (vector.h):
// value(p, y)  one element's share; a row's loss is the mean of its elements, or their sum if kSum.
// slope(p, y)  d value / d p; 0 where the value has a kink or is clipped. NaN stays NaN in both.

template <typename V>
struct MeanSquaredError {
  static constexpr const char* kName = "mean_squared_error";
  static constexpr const char* kFormula = "mean((p - y)**2)";
  static constexpr const char* kSource = "Legendre 1805, Nouvelles methodes, appendix";
  static constexpr bool kSum = false;
  INITCORE_INLINE static V value(V p, V y) { return (p - y) * (p - y); }
  INITCORE_INLINE static V slope(V p, V y) { return 2 * (p - y); }
};

template <typename V>
struct MeanAbsoluteError {
  using S = Scalar<V>;
  static constexpr const char* kName = "mean_absolute_error";
  static constexpr const char* kFormula = "mean(abs(p - y))";
  static constexpr const char* kSource = "Laplace 1774";
  static constexpr bool kSum = false;
  INITCORE_INLINE static V value(V p, V y) { return abs(p - y); }
  INITCORE_INLINE static V slope(V p, V y) { return p > y ? S(1) : p < y ? S(-1) : p - y; }
};

template <typename V>
struct Huber {
  using S = Scalar<V>;
  static constexpr const char* kName = "huber";
  static constexpr const char* kFormula =
      "mean(where(abs(p - y) <= delta, (p - y)**2 / 2, delta * (abs(p - y) - delta / 2)))";
  static constexpr const char* kSource = "Huber 1964, doi:10.1214/aoms/1177703732";
  static constexpr Parameter kParameters[] = {{"delta", 1}};
  static constexpr bool kSum = false;
  S delta;
  INITCORE_INLINE V value(V p, V y) const {
    const V a = abs(p - y);
    return a <= delta ? S(0.5) * a * a : delta * (a - S(0.5) * delta);
  }
  INITCORE_INLINE V slope(V p, V y) const {
    const V e = p - y;
    return e < -delta ? -delta : e > delta ? delta : e;
  }
};

template <typename V>
struct Quantile {
  using S = Scalar<V>;
  static constexpr const char* kName = "quantile";
  static constexpr const char* kFormula = "mean(maximum(q * (y - p), (q - 1) * (y - p)))";
  static constexpr const char* kSource = "Koenker & Bassett 1978, doi:10.2307/1913643";
  static constexpr Parameter kParameters[] = {{"q", 0.5}};
  static constexpr bool kSum = false;
  S q;
  INITCORE_INLINE V value(V p, V y) const { return (y > p ? q : q - 1) * (y - p); }
  INITCORE_INLINE V slope(V p, V y) const { return y > p ? -q : y < p ? 1 - q : y - p; }
};

template <typename V>
struct LogCosh {
  using S = Scalar<V>;
  static constexpr const char* kName = "log_cosh";
  static constexpr const char* kFormula = "mean(logaddexp(p - y, y - p) - log(2))";
  static constexpr const char* kSource = "Green 1990, doi:10.1109/42.52985";
  static constexpr bool kSum = false;
  INITCORE_INLINE static V value(V p, V y) {
    // Near 0 by cosh(a) - 1 = t^2 / (2 + 2 t) with t = e^a - 1; beyond by cosh(a) = e^a (1 + e^-2a) / 2.
    const V a = abs(p - y);
    const auto near = a < 1;
    const V t = expm1(near ? a : -2 * a);
    return log1p(near ? t * t / (2 + 2 * t) : 1 + t) + (near ? S(0) : a - S(0.693147180559945309));
  }
  INITCORE_INLINE static V slope(V p, V y) { return tanh(p - y); }
};

// Keras's epsilon: probabilities are kept this far from 0, where the logarithm has no value.
template <typename T>
inline constexpr T kEpsilon = T(1e-7);

template <typename V>
struct BinaryCrossentropy {
  using S = Scalar<V>;
  static constexpr const char* kName = "binary_crossentropy";
  static constexpr const char* kFormula =
      "-mean((y * (1 - label_smoothing) + label_smoothing / 2) * log(clip(p, 1e-7, 1 - 1e-7))"
      " + (1 - y * (1 - label_smoothing) - label_smoothing / 2) * log(clip(1 - p, 1e-7, 1 - 1e-7)))";
  static constexpr const char* kSource = "Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x";
  static constexpr Parameter kParameters[] = {{"label_smoothing", 0}};
  static constexpr bool kSum = false;
  S label_smoothing;
  INITCORE_INLINE V smooth(V y) const { return y * (1 - label_smoothing) + S(0.5) * label_smoothing; }
  INITCORE_INLINE V value(V p, V y) const {
    const V s = smooth(y);
    constexpr S low = kEpsilon<S>, high = 1 - kEpsilon<S>;
    return -(s * log(clamp(p, low, high)) + (1 - s) * log(clamp(1 - p, low, high)));
  }
  INITCORE_INLINE V slope(V p, V y) const {
    const V s = smooth(y);
    return p < kEpsilon<S> ? S(0) : p > 1 - kEpsilon<S> ? S(0) : (1 - s) / (1 - p) - s / p;
  }
};

template <typename V>
struct BinaryCrossentropyLogits {
  using S = Scalar<V>;
  static constexpr const char* kName = "binary_crossentropy_logits";
  static constexpr const char* kFormula =
      "mean(logaddexp(0, p) - p * (y * (1 - label_smoothing) + label_smoothing / 2))";
  static constexpr const char* kSource = "Good 1952, doi:10.1111/j.2517-6161.1952.tb00104.x";
  static constexpr Parameter kParameters[] = {{"label_smoothing", 0}};
  static constexpr bool kSum = false;
  S label_smoothing;
  INITCORE_INLINE V smooth(V y) const { return y * (1 - label_smoothing) + S(0.5) * label_smoothing; }
  INITCORE_INLINE V value(V p, V y) const {
    const V s = smooth(y);
    return (p < 0 ? -p * s : p * (1 - s)) + softplus_below(minus_abs(p));
  }
  INITCORE_INLINE V slope(V p, V y) const {
    // (1 - s) sigmoid(p) - s sigmoid(-p): no cancellation where the prediction is right.
    const V s = smooth(y), e = exp_below(minus_abs(p));
    return ((p < 0 ? e : S(1)) * (1 - s) - (p < 0 ? S(1) : e) * s) / (1 + e);
  }
};

template <typename V>
struct Hinge {
  using S = Scalar<V>;
  static constexpr const char* kName = "hinge";
  static constexpr const char* kFormula = "mean(maximum(1 - y * p, 0))";
  static constexpr const char* kSource = "Cortes & Vapnik 1995, doi:10.1007/BF00994018";
  static constexpr bool kSum = false;
  INITCORE_INLINE static V value(V p, V y) { return at_least(1 - y * p, 0); }
  INITCORE_INLINE static V slope(V p, V y) {
    const V short_of = 1 - y * p;
    return short_of > 0 ? -y : short_of < 0 ? S(0) : short_of;
  }
};

template <typename V>
struct Poisson {
  using S = Scalar<V>;
  static constexpr const char* kName = "poisson";
  static constexpr const char* kFormula = "mean(p - y * log(p + 1e-7))";
  static constexpr const char* kSource = "Nelder & Wedderburn 1972, doi:10.2307/2344614";
  static constexpr bool kSum = false;
  INITCORE_INLINE static V value(V p, V y) { return p - y * log(p + kEpsilon<S>); }
  INITCORE_INLINE static V slope(V p, V y) { return 1 - y / (p + kEpsilon<S>); }
};

template <typename V>
struct KlDivergence {
  using S = Scalar<V>;
  static constexpr const char* kName = "kl_divergence";
  static constexpr const char* kFormula = "sum(clip(y, 1e-7, 1) * log(clip(y, 1e-7, 1) / clip(p, 1e-7, 1)))";
  static constexpr const char* kSource = "Kullback & Leibler 1951, doi:10.1214/aoms/1177729694";
  static constexpr bool kSum = true;
  INITCORE_INLINE static V value(V p, V y) {
    const V s = clamp(y, kEpsilon<S>, 1);
    return s * log(s / clamp(p, kEpsilon<S>, 1));
  }
  INITCORE_INLINE static V slope(V p, V y) {
    return p < kEpsilon<S> ? S(0) : p > 1 ? S(0) : -clamp(y, kEpsilon<S>, 1) / p;
  }
};

template <typename T, typename V = Vector<T>>
using LossList = TypeList<MeanSquaredError<V>, MeanAbsoluteError<V>, Huber<V>, Quantile<V>, LogCosh<V>,
                          BinaryCrossentropy<V>, BinaryCrossentropyLogits<V>, CategoricalCrossentropy<T>,
                          CategoricalCrossentropyLogits<T>, SparseCategoricalCrossentropy<T>,
                          SparseCategoricalCrossentropyLogits<T>, Hinge<V>, Poisson<V>, KlDivergence<V>>;

}  // namespace
}  // namespace initcore::INITCORE_ISA
