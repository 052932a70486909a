// The plan as Python holds it: the executor, and the arrays that its operations point into.
#pragma once

#include "bindings/array.h"
#include "plan.h"

namespace initcore {

struct BoundPlan : Plan {
  using Plan::Plan;
  bool bf16 = false;                  // whether the operands of products are rounded to bfloat16
  std::vector<py::array> kept;        // arrays that operations point into
  std::vector<py::array> run_arrays;  // order, learning rates and inputs of the run in progress

  /// Appends an operation that points into these operands.
  void append(const std::string& segment, std::string name, std::initializer_list<const Operand*> operands,
              std::function<void(const Batch&)> run, Index parts = 1) {
    for (const Operand* operand : operands) {
      if (!operand) continue;
      check(operand->per_row >= 0 && operand->per_row <= operand->rows / batch_size(), [&] {
        return "an operand of " + name + " must have " + std::to_string(operand->per_row) +
               " rows for each example of a batch of " + std::to_string(batch_size()) + ", got " +
               describe(operand->array);
      });
      kept.push_back(operand->array);
    }
    Plan::append(segment, {std::move(name), std::move(run), parts});
  }
};

/// The class Plan, for the other bindings to add their operations to.
inline py::class_<BoundPlan> plan_class(py::module_& m) {
  return py::reinterpret_borrow<py::class_<BoundPlan>>(m.attr("Plan"));
}

}  // namespace initcore
