// Parameters of the structs that activations and losses are: their names, and a struct that has given values.
#pragma once

#include "kernels/isa.h"
#include "kernels/parameters.h"

namespace initcore::INITCORE_ISA {
namespace {

/// An F whose members are the given parameters, in the order of F::kParameters.
template <typename F, typename T>
inline F with_parameters(const double* p) {
  if constexpr (requires { F::kParameters[1]; } && sizeof(F) == 2 * sizeof(T)) {
    return F{static_cast<T>(p[0]), static_cast<T>(p[1])};
  } else if constexpr (requires { F::kParameters; }) {
    return F{static_cast<T>(p[0])};
  } else {
    return F{};
  }
}

template <typename F>
constexpr void list_parameters(Parameter (&parameters)[kMaxParameters]) {
  if constexpr (requires { F::kParameters; }) {
    int i = 0;
    for (const Parameter& parameter : F::kParameters) parameters[i++] = parameter;
  }
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
