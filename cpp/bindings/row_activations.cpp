// Softmax, prelu and rrelu: on arrays, and as operations of a plan.
#include "bindings/bound_plan.h"
#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

// Columns per unit of work: a multiple of every vector width.
constexpr Index kColumns = 64;

/// body(begin, end) over rows, a grain of elements at a time.
template <typename Body>
void by_rows(Index rows, Index columns, const Body& body) {
  const Index step = std::max<Index>(1, kGrain / std::max<Index>(1, columns));
  parallel_for((rows + step - 1) / step, 8.0 * double(rows * columns),
               [&](Index begin, Index end) { body(begin * step, std::min(rows, end * step)); });
}

template <typename T>
void run_softmax(const T* x, T* y, Index rows, Index columns, bool log) {
  by_rows(rows, columns, [&](Index begin, Index end) {
    const Index at = begin * columns;
    kernels().row_activations.of<T>().softmax_forward(x + at, y + at, end - begin, columns, log);
  });
}

template <typename T>
void run_softmax_backward(const T* dy, const T* y, T* dx, Index rows, Index columns, bool log) {
  by_rows(rows, columns, [&](Index begin, Index end) {
    const Index at = begin * columns;
    kernels().row_activations.of<T>().softmax_backward(dy + at, y + at, dx + at, end - begin, columns, log);
  });
}

/// The last axis is a row; with no elements there are no rows.
std::pair<Index, Index> rows_and_columns(const py::array& x) {
  check(x.ndim() > 0, "x must have at least one axis");
  const Index columns = x.shape(x.ndim() - 1);
  return {columns ? x.size() / columns : 0, columns};
}

void softmax(const py::array& x, py::array& y, bool log) {
  with_dtype(dtype_of(x, "x"), [&]<typename T>() {
    const T* from = input<T>(x, "x");
    T* to = output<T>(y, "y");
    check(x.size() == y.size(), "x and y must have the same size");
    const auto [rows, columns] = rows_and_columns(x);
    const py::gil_scoped_release nogil;
    run_softmax(from, to, rows, columns, log);
  });
}

void softmax_backward(const py::array& dy, const py::array& y, py::array& dx, bool log) {
  with_dtype(dtype_of(y, "y"), [&]<typename T>() {
    const T *dy_data = input<T>(dy, "dy"), *y_data = input<T>(y, "y");
    T* dx_data = output<T>(dx, "dx");
    check(dy.size() == y.size() && dx.size() == y.size(), "dy, y and dx must have the same size");
    const auto [rows, columns] = rows_and_columns(y);
    const py::gil_scoped_release nogil;
    run_softmax_backward(dy_data, y_data, dx_data, rows, columns, log);
  });
}

void check_same(const Operand& a, const Operand& b) {
  check(a.rows == b.rows && a.columns == b.columns, "dy, x, y, dx and slopes must have the same shape");
}

void plan_softmax(BoundPlan& plan, const std::string& segment, const Operand& x, const Operand& y, bool log) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T* from = x.as<T>("x");
    T* to = y.as<T>("y");
    check_same(x, y);
    plan.append(segment, log ? "log_softmax" : "softmax", {&x, &y}, [=, count = x](const Batch& batch) {
      run_softmax(from, to, count.rows_of(batch.rows), count.columns, log);
    });
  });
}

void plan_softmax_backward(BoundPlan& plan, const std::string& segment, const Operand& dy, const Operand& y,
                           const Operand& dx, bool log) {
  with_dtype(dtype_of(y.array, "y"), [&]<typename T>() {
    const T *dy_data = dy.as<T>("dy"), *y_data = y.as<T>("y");
    T* dx_data = dx.as<T>("dx");
    check_same(dy, y);
    check_same(dx, y);
    plan.append(segment, log ? "log_softmax backward" : "softmax backward", {&dy, &y, &dx},
                [=, count = y](const Batch& batch) {
                  run_softmax_backward(dy_data, y_data, dx_data, count.rows_of(batch.rows), count.columns,
                                       log);
                });
  });
}

void plan_prelu(BoundPlan& plan, const std::string& segment, const Operand& x, const Operand& alpha,
                const Operand& y) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T *from = x.as<T>("x"), *slopes = alpha.as<T>("alpha");
    T* to = y.as<T>("y");
    check_same(x, y);
    check(alpha.array.size() == x.columns, "alpha must have one element per column of x");
    plan.append(segment, "prelu", {&x, &alpha, &y}, [=, count = x](const Batch& batch) {
      const Index columns = count.columns;
      by_rows(count.rows_of(batch.rows), columns, [&](Index begin, Index end) {
        const Index at = begin * columns;
        kernels().row_activations.of<T>().prelu_forward(from + at, slopes, to + at, end - begin, columns);
      });
    });
  });
}

void plan_prelu_backward(BoundPlan& plan, const std::string& segment, const Operand& dy, const Operand& x,
                         const Operand& alpha, const Operand& dx, const Operand& dalpha) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T *dy_data = dy.as<T>("dy"), *x_data = x.as<T>("x"), *slopes = alpha.as<T>("alpha");
    T *dx_data = dx.as<T>("dx"), *dslopes = dalpha.as<T>("dalpha");
    check_same(dy, x);
    check_same(dx, x);
    check(alpha.array.size() == x.columns && dalpha.array.size() == x.columns,
          "alpha and dalpha must have one element per column of x");
    plan.append(
        segment, "prelu backward", {&dy, &x, &alpha, &dx, &dalpha}, [=, count = x](const Batch& batch) {
          const Index rows = count.rows_of(batch.rows), columns = count.columns;
          parallel_for(
              (columns + kColumns - 1) / kColumns, 4.0 * double(rows * columns), [&](Index begin, Index end) {
                kernels().row_activations.of<T>().prelu_backward(dy_data, x_data, slopes, dx_data, dslopes,
                                                                 rows, columns, begin * kColumns,
                                                                 std::min(columns, end * kColumns));
              });
        });
  });
}

void plan_rrelu(BoundPlan& plan, const std::string& segment, const Operand& x, const Operand& slopes,
                const Operand& y) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T* from = x.as<T>("x");
    T *s = slopes.as<T>("slopes"), *to = y.as<T>("y");
    check_same(x, y);
    check_same(x, slopes);
    plan.append(segment, "rrelu", {&x, &slopes, &y}, [=, count = x](const Batch& batch) {
      by_rows(count.size_of(batch.rows), 1, [&](Index begin, Index end) {
        kernels().row_activations.of<T>().rrelu_forward(from + begin, s + begin, to + begin, end - begin);
      });
    });
  });
}

}  // namespace

void bind_row_activations(py::module_& m) {
  m.def("softmax_forward", &softmax, py::arg("x"), py::arg("y"), py::arg("log"), "Over the last axis.");
  m.def("softmax_backward", &softmax_backward, py::arg("dy"), py::arg("y"), py::arg("dx"), py::arg("log"));
  plan_class(m)
      .def("softmax_forward", &plan_softmax, py::arg("segment"), py::arg("x"), py::arg("y"), py::arg("log"))
      .def("softmax_backward", &plan_softmax_backward, py::arg("segment"), py::arg("dy"), py::arg("y"),
           py::arg("dx"), py::arg("log"))
      .def("prelu_forward", &plan_prelu, py::arg("segment"), py::arg("x"), py::arg("alpha"), py::arg("y"))
      .def("prelu_backward", &plan_prelu_backward, py::arg("segment"), py::arg("dy"), py::arg("x"),
           py::arg("alpha"), py::arg("dx"), py::arg("dalpha"))
      .def("rrelu_forward", &plan_rrelu, py::arg("segment"), py::arg("x"), py::arg("slopes"), py::arg("y"));
}

}  // namespace initcore
