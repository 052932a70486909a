// What other bindings need of activations: a row of the active table by its number.
#pragma once

#include <array>

#include "bindings/table.h"
#include "dispatch.h"

namespace initcore {

using Parameters = std::array<double, kMaxParameters>;

/// The activation of that number in the active instruction set's table.
template <typename T>
const Activation<T>& activation(Index number) {
  return row_of(kernels().activations.of<T>(), number, "activation");
}

}  // namespace initcore
