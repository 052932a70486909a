// Plan and Operand in Python. The operations themselves are methods that the other bindings add to Plan.
#include <limits>

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

Input::Type type_of(const py::array& a) {
  if (holds<float>(a)) return Input::Type::kFloat32;
  if (holds<double>(a)) return Input::Type::kFloat64;
  if (holds<std::uint8_t>(a)) return Input::Type::kUint8;
  if (holds<std::int32_t>(a)) return Input::Type::kInt32;
  throw py::type_error("input must be float32, float64, uint8 or int32, got " + describe(a));
}

/// Whether all n numbers lie in [0, limit). Every epoch looks through its order, so there is no branch: the
/// sign bit of a number tells, or that of its distance from the last one allowed.
bool all_below(const std::int64_t* numbers, Index n, Index limit) {
  std::uint64_t outside = 0;
#pragma omp simd reduction(| : outside)
  for (Index i = 0; i < n; ++i) {
    const auto number = static_cast<std::uint64_t>(numbers[i]);
    outside |= number | (static_cast<std::uint64_t>(limit) - 1 - number);
  }
  return outside >> 63 == 0;
}

void start(BoundPlan& plan, const std::vector<std::string>& segments, Index rows, const py::dict& inputs,
           const py::object& order, const py::object& learning_rates, std::int64_t step) {
  std::vector<py::array> arrays;
  std::map<std::string, Input> data;
  const std::int64_t* order_data = nullptr;
  const double* rates = nullptr;
  Index examples = std::numeric_limits<Index>::max();  // that every input has
  for (const auto& [slot, value] : inputs) {
    const auto name = slot.cast<std::string>();
    arrays.push_back(py::reinterpret_borrow<py::object>(value).cast<py::array>());
    const py::array& array = arrays.back();
    if (array.ndim() != 2 || (order.is_none() && array.shape(0) < rows) ||
        !(array.flags() & py::array::c_style))
      throw py::value_error("input " + name +
                            " must be C-contiguous with two axes and a row for each example, got " +
                            describe(array));
    examples = std::min<Index>(examples, array.shape(0));
    void* writable = array.writeable() ? arrays.back().mutable_data() : nullptr;
    data[name] = {array.data(), writable, type_of(array), array.shape(1)};
  }
  if (!order.is_none()) {
    arrays.push_back(order.cast<py::array>());
    order_data = input<std::int64_t>(arrays.back(), "order");
    check(arrays.back().size() >= rows, "order must name every example");
    check(all_below(order_data, rows, examples), [&] {
      return "order must not be negative, and every input must have a row for each example that it names; "
             "the shortest one has " +
             std::to_string(examples);
    });
  }
  if (!learning_rates.is_none()) {
    arrays.push_back(learning_rates.cast<py::array>());
    rates = input<double>(arrays.back(), "learning_rates");
    check(arrays.back().size() * plan.batch_size() >= rows, "learning_rates must have one rate per batch");
  }
  plan.start(segments, rows, data, order_data, rates, step);
  plan.run_arrays = std::move(arrays);
}

}  // namespace

void bind_plan(py::module_& m) {
  py::class_<Operand>(m, "Operand")
      .def(py::init<py::array, Index>(), py::arg("array"), py::arg("per_row"))
      .def_readonly("array", &Operand::array)
      .def_readonly("per_row", &Operand::per_row);

  py::class_<BoundPlan>(m, "Plan")
      .def(py::init([](Index batch_size, bool bf16) {
             check(batch_size >= 1,
                   [&] { return "batch_size must be at least 1, got " + std::to_string(batch_size); });
             auto plan = std::make_unique<BoundPlan>(batch_size);
             plan->bf16 = bf16;
             return plan;
           }),
           py::arg("batch_size"), py::arg("bf16") = false)
      .def_property_readonly("batch_size", &BoundPlan::batch_size)
      .def("operations", &operations, py::arg("segment"))
      .def("start", &start, py::arg("segments"), py::arg("rows"), py::arg("inputs") = py::dict(),
           py::arg("order") = py::none(), py::arg("learning_rates") = py::none(), py::arg("step") = 1)
      .def("advance", &BoundPlan::advance, py::arg("batches"), py::arg("seconds"),
           py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("total", &BoundPlan::total);
}

}  // namespace initcore
