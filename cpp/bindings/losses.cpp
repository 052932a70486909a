// Losses: the list, the functions on arrays, the operation of a plan.
#include <array>

#include "bindings/bound_plan.h"
#include "bindings/table.h"
#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

// What an element costs in multiply-adds, roughly.
constexpr double kWork = 8;

py::list list() {
  return listed(kernels().losses.of<float>(), [](py::dict& entry, const Loss<float>& row) {
    tell_formula(entry, row);
    entry["classes"] = row.classes;
  });
}

template <typename T>
const Loss<T>& loss(Index number) {
  return row_of(kernels().losses.of<T>(), number, "loss");
}

using Parameters = std::array<double, kMaxParameters>;

Parameters fixed(const std::vector<double>& values) {
  check(values.size() <= kMaxParameters,
        [&] { return "a loss has at most " + std::to_string(kMaxParameters) + " parameters"; });
  Parameters result{};
  std::copy(values.begin(), values.end(), result.begin());
  return result;
}

Index rows_per_unit(Index columns) { return std::max<Index>(1, kGrain / std::max<Index>(1, columns)); }

/// The sum of weight_i loss_i over n rows, and the gradient. Each unit's sum goes to `sums`; they are added
/// in their order, so the bits do not depend on who computed them.
template <typename T>
double run(Index number, const LossRows<T>& r, Index n, std::vector<double>& sums) {
  const Loss<T>& f = loss<T>(number);
  const Index each = rows_per_unit(r.columns), units = (n + each - 1) / each;
  if (sums.size() < static_cast<std::size_t>(units)) sums.resize(units);
  parallel_for(units, double(n) * double(r.columns) * kWork, [&](Index begin, Index end) {
    for (Index unit = begin; unit < end; ++unit)
      sums[unit] = f.run(r, unit * each, std::min(n, (unit + 1) * each));
  });
  double sum = 0;
  for (Index unit = 0; unit < units; ++unit) sum += sums[unit];
  return sum;
}

void loss_of(Index number, const py::array& prediction, const py::array& target,
             const std::optional<py::array>& weight, std::optional<py::array> gradient, py::array& values,
             const std::vector<double>& parameters) {
  with_dtype(dtype_of(prediction, "prediction"), [&]<typename T>() {
    const Loss<T>& f = loss<T>(number);
    check(prediction.ndim() == 2,
          [&] { return "prediction must have two axes, got " + shape_of(prediction); });
    const Index n = prediction.shape(0);
    const Parameters p = fixed(parameters);
    LossRows<T> r;
    r.columns = prediction.shape(1);
    r.prediction = input<T>(prediction, "prediction");
    r.target = f.classes ? static_cast<const void*>(input<std::int32_t>(target, "target"))
                         : input<T>(target, "target");
    r.weight = weight ? input<T>(*weight, "weight") : nullptr;
    r.gradient = gradient ? output<T>(*gradient, "gradient") : nullptr;
    r.scale = 1 / static_cast<double>(n);
    r.parameters = p.data();
    check(r.columns > 0, "prediction must have at least one column");
    check(target.size() == (f.classes ? n : prediction.size()) && (!weight || weight->size() == n) &&
              (!gradient || gradient->size() == prediction.size()),
          "target, weight and gradient must fit prediction");
    check(values.size() == n, "values must have one element per row");
    double* value = output<double>(values, "values");
    const py::gil_scoped_release nogil;
    if (r.gradient) {
      std::vector<double> sums;
      run(number, r, n, sums);
    }
    r.gradient = nullptr;
    for (Index i = 0; i < n; ++i) value[i] = f.run(r, i, i + 1);
  });
}

void plan_loss(BoundPlan& plan, const std::string& segment, Index number, const Operand& prediction,
               const Operand& target, const Operand* weight, const Operand& total, const Operand* gradient,
               const std::vector<double>& parameters) {
  with_dtype(dtype_of(prediction.array, "prediction"), [&]<typename T>() {
    const Loss<T>& f = loss<T>(number);
    const Parameters p = fixed(parameters);
    LossRows<T> r{};
    r.prediction = prediction.as<T>("prediction");
    r.target =
        f.classes ? static_cast<const void*>(target.as<std::int32_t>("target")) : target.as<T>("target");
    r.weight = weight ? weight->as<T>("weight") : nullptr;
    r.gradient = gradient ? gradient->as<T>("gradient") : nullptr;
    r.columns = prediction.columns;
    double* sums = total.as<double>("total");
    check(r.columns > 0, "prediction must have at least one column");
    check(target.rows == prediction.rows && target.columns == (f.classes ? 1 : prediction.columns), [&] {
      return "target must fit prediction, got " + shape_of(target.array) + " and " +
             shape_of(prediction.array);
    });
    check(!weight || (weight->rows == prediction.rows && weight->columns == 1),
          "weight must have one element per row of prediction");
    check(!gradient || (gradient->rows == prediction.rows && gradient->columns == prediction.columns),
          "gradient must have the shape of prediction");
    check(total.array.size() == 3 && total.per_row == 0,
          "the total of a loss must be fixed and have 3 elements");
    const Index each = rows_per_unit(r.columns);
    plan.append(segment, f.name, {&prediction, &target, weight, &total, gradient},
                [=, count = prediction, partial = std::vector<double>((prediction.rows + each - 1) / each)](
                    const Batch& batch) mutable {
                  const Index n = count.rows_of(batch.rows);
                  LossRows<T> now = r;
                  now.scale = 1 / static_cast<double>(n);
                  now.parameters = p.data();
                  const double sum = run(number, now, n, partial);
                  sums[0] += sum;
                  sums[1] += static_cast<double>(n);
                  sums[2] = sum * now.scale;
                });
  });
}

}  // namespace

void bind_losses(py::module_& m) {
  m.def("losses", &list,
        "Every loss: number, name, formula, source, parameters, whether targets are classes.");
  m.def("loss", &loss_of, py::arg("number"), py::arg("prediction"), py::arg("target"), py::arg("weight"),
        py::arg("gradient"), py::arg("values"), py::arg("parameters"),
        "Sets values[i] = weight_i loss_i, and the gradient of their mean.");
  plan_class(m).def(
      "loss", &plan_loss, py::arg("segment"), py::arg("number"), py::arg("prediction"), py::arg("target"),
      py::arg("weight"), py::arg("total"), py::arg("gradient"), py::arg("parameters"),
      "Adds the sum of weight_i loss_i to total[0] and the rows to total[1], and sets total[2] to "
      "the mean over this batch. The gradient is that of this mean.");
}

}  // namespace initcore
