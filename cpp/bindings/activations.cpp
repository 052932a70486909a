// Activations: the list, the functions on arrays, the operations of a plan.
#include "bindings/activations.h"

#include "bindings/bound_plan.h"
#include "threads.h"

namespace initcore {

namespace {

py::list list() {
  return listed(kernels().activations.of<float>(), [](py::dict& entry, const Activation<float>& row) {
    tell_formula(entry, row);
    entry["slope_needs_input"] = row.slope_needs_input;
  });
}

template <typename T>
void run_forward(Index number, const T* x, T* y, Index n, const Parameters& p) {
  const Activation<T>& f = activation<T>(number);
  parallel_for((n + kGrain - 1) / kGrain, double(n) * 4, [&](Index begin, Index end) {
    const Index from = begin * kGrain, to = std::min(n, end * kGrain);
    f.forward(x + from, y + from, to - from, p.data());
  });
}

template <typename T>
void run_backward(Index number, const T* dy, const T* x, const T* y, T* dx, Index n, const Parameters& p) {
  const Activation<T>& f = activation<T>(number);
  parallel_for((n + kGrain - 1) / kGrain, double(n) * 4, [&](Index begin, Index end) {
    const Index from = begin * kGrain, to = std::min(n, end * kGrain);
    f.backward(dy + from, x ? x + from : nullptr, y + from, dx + from, to - from, p.data());
  });
}

void forward(Index number, const py::array& x, py::array& y, const Parameters& p) {
  with_dtype(dtype_of(x, "x"), [&]<typename T>() {
    const T* from = input<T>(x, "x");
    T* to = output<T>(y, "y");
    check(x.size() == y.size(),
          [&] { return "x and y must have the same size, got " + shape_of(x) + " and " + shape_of(y); });
    const Index n = x.size();
    const py::gil_scoped_release nogil;
    run_forward(number, from, to, n, p);
  });
}

void backward(Index number, const py::array& dy, const py::array& x, const py::array& y, py::array& dx,
              const Parameters& p) {
  with_dtype(dtype_of(x, "x"), [&]<typename T>() {
    const T *dy_data = input<T>(dy, "dy"), *x_data = input<T>(x, "x"), *y_data = input<T>(y, "y");
    T* dx_data = output<T>(dx, "dx");
    if (dy.size() != x.size() || y.size() != x.size() || dx.size() != x.size())
      throw py::value_error("dy, x, y and dx must have the same size");
    const Index n = x.size();
    const py::gil_scoped_release nogil;
    run_backward(number, dy_data, x_data, y_data, dx_data, n, p);
  });
}

void plan_forward(BoundPlan& plan, const std::string& segment, Index number, const Operand& x,
                  const Operand& y, const Parameters& p) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T* from = x.as<T>("x");
    T* to = y.as<T>("y");
    check(x.rows == y.rows && x.columns == y.columns, "x and y must have the same shape");
    plan.append(segment, activation<T>(number).name, {&x, &y}, [=, count = x](const Batch& batch) {
      run_forward(number, from, to, count.size_of(batch.rows), p);
    });
  });
}

void plan_backward(BoundPlan& plan, const std::string& segment, Index number, const Operand& dy,
                   const Operand* x, const Operand& y, const Operand& dx, const Parameters& p) {
  with_dtype(dtype_of(y.array, "y"), [&]<typename T>() {
    const Activation<T>& f = activation<T>(number);
    check(x || !f.slope_needs_input, [&] { return std::string("the slope of ") + f.name + " needs x"; });
    const T *dy_data = dy.as<T>("dy"), *x_data = x ? x->as<T>("x") : nullptr, *y_data = y.as<T>("y");
    T* dx_data = dx.as<T>("dx");
    for (const Operand* other : {&dy, &dx, x})
      check(!other || (other->rows == y.rows && other->columns == y.columns),
            "dy, x, y and dx must have the same shape");
    plan.append(segment, std::string(f.name) + " slope", {&dy, x, &y, &dx},
                [=, count = y](const Batch& batch) {
                  run_backward(number, dy_data, x_data, y_data, dx_data, count.size_of(batch.rows), p);
                });
  });
}

}  // namespace

void bind_activations(py::module_& m) {
  m.attr("MAX_ACTIVATION_PARAMETERS") = kMaxParameters;
  m.def("activations", &list,
        "Every elementwise activation; parameters: name -> (default, low, whether it must lie above low).");
  m.def("activation_forward", &forward, py::arg("number"), py::arg("x"), py::arg("y"), py::arg("parameters"));
  m.def("activation_backward", &backward, py::arg("number"), py::arg("dy"), py::arg("x"), py::arg("y"),
        py::arg("dx"), py::arg("parameters"));
  plan_class(m)
      .def("activation_forward", &plan_forward, py::arg("segment"), py::arg("number"), py::arg("x"),
           py::arg("y"), py::arg("parameters"))
      .def("activation_backward", &plan_backward, py::arg("segment"), py::arg("number"), py::arg("dy"),
           py::arg("x"), py::arg("y"), py::arg("dx"), py::arg("parameters"));
}

}  // namespace initcore
