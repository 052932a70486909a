// Activations that saturate on both sides.
#pragma once

#include "kernels/activations.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {

template <typename T>
struct Sigmoid {
  static constexpr const char* kName = "sigmoid";
  static constexpr const char* kFormula = "1 / (1 + exp(-x))";
  static constexpr const char* kSource = "Rumelhart, Hinton & Williams 1986, Nature 323, equation 2";
  static constexpr bool kSlopeNeedsInput = false;
  static T forward(T x) { return sigmoid(x); }
  static T slope(T, T y) { return y * (1 - y); }
};

template <typename T>
struct HardSigmoid {
  static constexpr const char* kName = "hard_sigmoid";
  static constexpr const char* kFormula = "clip(x / 6 + 1 / 2, 0, 1)";
  static constexpr const char* kSource =
      "Courbariaux et al. 2015, arXiv:1511.00363, section 2.3; with slope 1/6 as in Keras 3 and PyTorch";
  static constexpr bool kSlopeNeedsInput = false;
  static T forward(T x) { return clamp(x * T(1.0 / 6) + T(0.5), T(0), T(1)); }
  static T slope(T, T y) { return y > 0 && y < 1 ? T(1.0 / 6) : T(0); }
};

template <typename T>
struct Tanh {
  static constexpr const char* kName = "tanh";
  static constexpr const char* kFormula = "tanh(x)";
  static constexpr const char* kSource = "LeCun et al. 1998, Efficient BackProp, section 4.4";
  static constexpr bool kSlopeNeedsInput = false;
  static T forward(T x) { return tanh(x); }
  static T slope(T, T y) { return (1 - y) * (1 + y); }
};

template <typename T>
struct HardTanh {
  static constexpr const char* kName = "hard_tanh";
  static constexpr const char* kFormula = "clip(x, -1, 1)";
  static constexpr const char* kSource = "Collobert 2004, Large scale machine learning, chapter 5";
  static constexpr bool kSlopeNeedsInput = false;
  static T forward(T x) { return clamp(x, T(-1), T(1)); }
  static T slope(T, T y) { return y > -1 && y < 1 ? T(1) : T(0); }
};

template <typename T>
struct Softsign {
  static constexpr const char* kName = "softsign";
  static constexpr const char* kFormula = "x / (1 + abs(x))";
  static constexpr const char* kSource =
      "Bergstra et al. 2009, technical report 1337, Université de Montréal";
  static constexpr bool kSlopeNeedsInput = true;  // 1 - |y| would lose digits far out
  static T forward(T x) {
    const T finite = clamp(x, -Format<T>::kLargest, Format<T>::kLargest);
    return finite / (1 + abs(finite));
  }
  static T slope(T x, T) {
    const T s = 1 / (1 + abs(x));
    return s * s;
  }
};

// The perceptron's unit. Its slope is 0 everywhere: train it by the perceptron rule, not by gradients.
template <typename T>
struct Step {
  static constexpr const char* kName = "step";
  static constexpr const char* kFormula = "where(x >= 0, 1, 0)";
  static constexpr const char* kSource = "Rosenblatt 1958, Psychological Review 65; slope 0 everywhere";
  static constexpr bool kSlopeNeedsInput = false;
  static T forward(T x) {
    const T below = x < 0 ? T(0) : x;
    return x >= 0 ? T(1) : below;
  }
  static T slope(T, T) { return 0; }
};

}  // namespace initcore::INITCORE_ISA
