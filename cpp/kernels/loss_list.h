// The elementwise losses and, at the end, the list of all losses. To add one: write a struct like its
// neighbours and name it in `LossList`. Kernels, Python table, docs and tests follow from that list.
#pragma once

#include "kernels/losses.h"
#include "kernels/row_losses.h"
#include "kernels/type_list.h"

namespace initcore::INITCORE_ISA {
namespace {

// An elementwise loss of prediction p and target y:
// value(p, y)  one element's share; a row's loss is the mean of its elements, or the sum if kSum.
// slope(p, y)  d value / d p.

template <typename T>
struct MeanSquaredError {
  static constexpr const char* kName = "mean_squared_error";
  static constexpr const char* kFormula = "mean((p - y)**2)";
  static constexpr const char* kSource = "Legendre 1805; Gauss 1809";
  static constexpr bool kSum = false;
  static T value(T p, T y) { return (p - y) * (p - y); }
  static T slope(T p, T y) { return 2 * (p - y); }
};

template <typename T>
using LossList = TypeList<MeanSquaredError<T>, SparseCategoricalCrossentropyLogits<T>>;

}  // namespace
}  // namespace initcore::INITCORE_ISA
