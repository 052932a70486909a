// What other bindings need of activations: a row of the active table by its number.
#pragma once

#include <array>

#include "bindings/array.h"
#include "dispatch.h"

namespace initcore {

using Parameters = std::array<double, kMaxParameters>;

/// The activation of that number in the active instruction set's table.
template <typename T>
const Activation<T>& activation(Index number) {
  const ActivationKernels<T>& table = kernels().activations.of<T>();
  check(0 <= number && number < table.count, "no activation has number " + std::to_string(number));
  return table.rows[number];
}

}  // namespace initcore
