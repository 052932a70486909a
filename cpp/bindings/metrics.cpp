// Metrics: the list, and the operation of a plan.
#include "bindings/bound_plan.h"
#include "bindings/table.h"
#include "dispatch.h"

namespace initcore {

namespace {

py::list list() {
  return listed(kernels().metrics.of<float>(), [](py::dict& entry, const Metric<float>& row) {
    entry["classes"] = row.classes;
    entry["per_column"] = row.per_column;
  });
}

template <typename T>
const Metric<T>& metric(Index number) {
  return row_of(kernels().metrics.of<T>(), number, "metric");
}

void plan_metric(BoundPlan& plan, const std::string& segment, Index number, const Operand& prediction,
                 const Operand& target, const Operand* weight, const Operand& total, double parameter) {
  with_dtype(dtype_of(prediction.array, "prediction"), [&]<typename T>() {
    const Metric<T>& f = metric<T>(number);
    MetricRows<T> r;
    r.prediction = prediction.as<T>("prediction");
    r.target =
        f.classes ? static_cast<const void*>(target.as<std::int32_t>("target")) : target.as<T>("target");
    r.weight = weight ? weight->as<T>("weight") : nullptr;
    r.columns = prediction.columns;
    r.parameter = parameter;
    double* sums = total.as<double>("total");
    check(target.rows == prediction.rows && target.columns == (f.classes ? 1 : prediction.columns), [&] {
      return "target must fit prediction, got " + shape_of(target.array) + " and " +
             shape_of(prediction.array);
    });
    check(!weight || (weight->rows == prediction.rows && weight->columns == 1),
          "weight must have one element per row of prediction");
    const Index size = f.per_column ? 1 + f.per_column * r.columns : 2;
    check(total.array.size() == size && total.per_row == 0, [&] {
      return std::string("the total of ") + f.name + " must be fixed and have " + std::to_string(size) +
             " elements";
    });
    plan.append(segment, f.name, {&prediction, &target, weight, &total},
                [=, count = prediction](const Batch& batch) {
                  metric<T>(number).add(r, count.rows_of(batch.rows), sums);
                });
  });
}

}  // namespace

void bind_metrics(py::module_& m) {
  m.def("metrics", &list,
        "Every metric's kernel: number, name, whether targets are classes, size of the total.");
  plan_class(m).def("metric", &plan_metric, py::arg("segment"), py::arg("number"), py::arg("prediction"),
                    py::arg("target"), py::arg("weight"), py::arg("total"), py::arg("parameter"));
}

}  // namespace initcore
