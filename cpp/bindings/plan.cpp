// Plan and Operand in Python. The operations themselves are methods that the other bindings add to Plan.
#include "bindings/bound_plan.h"
#include "kernels.h"

namespace initcore {

namespace {

py::list operations(const BoundPlan& plan, const std::string& segment) {
  py::list names;
  if (const auto found = plan.segments().find(segment); found != plan.segments().end())
    for (const Operation& operation : found->second) names.append(operation.name);
  return names;
}

void start(BoundPlan& plan, const std::vector<std::string>& segments, Index rows, const py::dict& inputs,
           const py::object& order, const py::object& learning_rates, std::int64_t step) {
  std::vector<py::array> arrays;
  const std::int64_t* order_data = nullptr;
  const double* rates = nullptr;
  if (!order.is_none()) {
    arrays.push_back(order.cast<py::array>());
    order_data = input<std::int64_t>(arrays.back(), "order");
    check(arrays.back().size() >= rows, "order must name every example");
  }
  if (!learning_rates.is_none()) {
    arrays.push_back(learning_rates.cast<py::array>());
    rates = input<double>(arrays.back(), "learning_rates");
    check(arrays.back().size() * plan.batch_size() >= rows, "learning_rates must have one rate per batch");
  }
  for (const auto& [slot, value] : inputs) {
    arrays.push_back(py::reinterpret_borrow<py::object>(value).cast<py::array>());
    check(arrays.back().flags() & py::array::c_style, "input must be C-contiguous");
    plan.input(slot.cast<std::string>()).data = arrays.back().data();
  }
  plan.run_arrays = std::move(arrays);
  plan.start(segments, rows, order_data, rates, step);
}

}  // namespace

void bind_plan(py::module_& m) {
  py::class_<Operand>(m, "Operand")
      .def(py::init<py::array, Index>(), py::arg("array"), py::arg("per_row"))
      .def_readonly("array", &Operand::array)
      .def_readonly("per_row", &Operand::per_row);

  py::class_<BoundPlan>(m, "Plan")
      .def(py::init<Index>(), py::arg("batch_size"))
      .def_property_readonly("batch_size", &BoundPlan::batch_size)
      .def("operations", &operations, py::arg("segment"))
      .def("start", &start, py::arg("segments"), py::arg("rows"), py::arg("inputs") = py::dict(),
           py::arg("order") = py::none(), py::arg("learning_rates") = py::none(), py::arg("step") = 1)
      .def("advance", &BoundPlan::advance, py::arg("batches"), py::arg("seconds"),
           py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("total", &BoundPlan::total);
}

}  // namespace initcore
