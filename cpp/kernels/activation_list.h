// The activation functions. To add one: write a struct like its neighbours and name it in `ActivationList`
// at the end. Kernels, Python table, docs, tests and benchmarks all follow from that list.
#pragma once

#include "kernels/activations.h"
#include "kernels/isa.h"
#include "kernels/type_list.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {

// forward(x)   y = f(x), elementwise.
// slope(x, y)  f'(x), given y = forward(x); reads x only if kSlopeNeedsInput.

template <typename T>
struct Identity {
  static constexpr const char* kName = "identity";
  static constexpr const char* kFormula = "x";
  static constexpr const char* kSource = "";
  static constexpr bool kSlopeNeedsInput = false;
  static T forward(T x) { return x; }
  static T slope(T, T) { return 1; }
};

template <typename T>
struct Relu {
  static constexpr const char* kName = "relu";
  static constexpr const char* kFormula = "maximum(x, 0)";
  static constexpr const char* kSource = "Nair & Hinton 2010, ICML, section 3";
  static constexpr bool kSlopeNeedsInput = false;
  static T forward(T x) { return max(x, T(0)); }
  static T slope(T, T y) { return y > 0 ? T(1) : T(0); }
};

template <typename T>
struct LeakyRelu {
  static constexpr const char* kName = "leaky_relu";
  static constexpr const char* kFormula = "where(x > 0, x, negative_slope * x)";
  static constexpr const char* kSource = "Maas et al. 2013, ICML workshop, equation 2";
  static constexpr Parameter kParameters[] = {{"negative_slope", 0.01}};
  static constexpr bool kSlopeNeedsInput = true;
  T negative_slope;
  T forward(T x) const { return x > 0 ? x : negative_slope * x; }
  T slope(T x, T) const { return x > 0 ? T(1) : negative_slope; }
};

template <typename T>
using ActivationList = TypeList<Identity<T>, Relu<T>, LeakyRelu<T>>;

}  // namespace initcore::INITCORE_ISA
