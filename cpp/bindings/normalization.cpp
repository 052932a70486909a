// Batch normalization as operations of a plan.
#include "bindings/bound_plan.h"
#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

// Columns per unit of work.
constexpr Index kColumns = 32;

/// body(begin, end) over columns, split by kColumns.
template <typename Body>
void by_columns(Index rows, Index columns, const Body& body) {
  parallel_for((columns + kColumns - 1) / kColumns, 4.0 * double(rows * columns),
               [&](Index begin, Index end) { body(begin * kColumns, std::min(columns, end * kColumns)); });
}

/// The data of a vector with one element per column of x.
template <typename T>
T* vector(const Operand& v, const Operand& x, const char* name) {
  check(v.array.size() == x.columns,
        [&] { return std::string(name) + " must have one element per column of x"; });
  return v.as<T>(name);
}

void check_same(const Operand& a, const Operand& b) {
  check(a.rows == b.rows && a.columns == b.columns, "x, y, dx and dy must have the same shape");
}

void forward(BoundPlan& plan, const std::string& segment, const Operand& x, const Operand& gamma,
             const Operand& beta, const Operand& mean, const Operand& inverse, const Operand& moving_mean,
             const Operand& moving_variance, const Operand& y, double epsilon, double momentum) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T *from = x.as<T>("x"), *g = vector<T>(gamma, x, "gamma"), *b = vector<T>(beta, x, "beta");
    T *mu = vector<T>(mean, x, "mean"), *inv = vector<T>(inverse, x, "inverse");
    T *mm = vector<T>(moving_mean, x, "moving_mean"), *mv = vector<T>(moving_variance, x, "moving_variance");
    T* to = y.as<T>("y");
    check_same(x, y);
    plan.append(segment, "batch_norm",
                {&x, &gamma, &beta, &mean, &inverse, &moving_mean, &moving_variance, &y},
                [=, count = x](const Batch& batch) {
                  const Index n = count.rows_of(batch.rows);
                  by_columns(n, count.columns, [&](Index begin, Index end) {
                    kernels().normalization.of<T>().forward(from, g, b, n, count.columns, T(epsilon),
                                                            T(momentum), mu, inv, mm, mv, to, begin, end);
                  });
                });
  });
}

void inference(BoundPlan& plan, const std::string& segment, const Operand& x, const Operand& gamma,
               const Operand& beta, const Operand& moving_mean, const Operand& moving_variance,
               const Operand& y, double epsilon) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T *from = x.as<T>("x"), *g = vector<T>(gamma, x, "gamma"), *b = vector<T>(beta, x, "beta");
    const T *mm = vector<T>(moving_mean, x, "moving_mean"),
            *mv = vector<T>(moving_variance, x, "moving_variance");
    T* to = y.as<T>("y");
    check_same(x, y);
    plan.append(segment, "batch_norm inference", {&x, &gamma, &beta, &moving_mean, &moving_variance, &y},
                [=, count = x](const Batch& batch) {
                  const Index n = count.rows_of(batch.rows);
                  by_columns(n, count.columns, [&](Index begin, Index end) {
                    kernels().normalization.of<T>().inference(from, g, b, n, count.columns, T(epsilon), mm,
                                                              mv, to, begin, end);
                  });
                });
  });
}

void backward(BoundPlan& plan, const std::string& segment, const Operand& dy, const Operand& x,
              const Operand& gamma, const Operand& mean, const Operand& inverse, const Operand& dx,
              const Operand& dgamma, const Operand& dbeta) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T *out = dy.as<T>("dy"), *from = x.as<T>("x"), *g = vector<T>(gamma, x, "gamma");
    const T *mu = vector<T>(mean, x, "mean"), *inv = vector<T>(inverse, x, "inverse");
    T *to = dx.as<T>("dx"), *dg = vector<T>(dgamma, x, "dgamma"), *db = vector<T>(dbeta, x, "dbeta");
    check_same(x, dy);
    check_same(x, dx);
    plan.append(segment, "batch_norm backward", {&dy, &x, &gamma, &mean, &inverse, &dx, &dgamma, &dbeta},
                [=, count = x](const Batch& batch) {
                  const Index n = count.rows_of(batch.rows);
                  by_columns(n, count.columns, [&](Index begin, Index end) {
                    kernels().normalization.of<T>().backward(out, from, g, mu, inv, n, count.columns, to, dg,
                                                             db, begin, end);
                  });
                });
  });
}

void inference_backward(BoundPlan& plan, const std::string& segment, const Operand& dy, const Operand& x,
                        const Operand& gamma, const Operand& moving_mean, const Operand& moving_variance,
                        const Operand& dx, const Operand& dgamma, const Operand& dbeta, double epsilon) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T *out = dy.as<T>("dy"), *from = x.as<T>("x"), *g = vector<T>(gamma, x, "gamma");
    const T *mm = vector<T>(moving_mean, x, "moving_mean"),
            *mv = vector<T>(moving_variance, x, "moving_variance");
    T *to = dx.as<T>("dx"), *dg = vector<T>(dgamma, x, "dgamma"), *db = vector<T>(dbeta, x, "dbeta");
    check_same(x, dy);
    check_same(x, dx);
    plan.append(segment, "batch_norm inference backward",
                {&dy, &x, &gamma, &moving_mean, &moving_variance, &dx, &dgamma, &dbeta},
                [=, count = x](const Batch& batch) {
                  const Index n = count.rows_of(batch.rows);
                  by_columns(n, count.columns, [&](Index begin, Index end) {
                    kernels().normalization.of<T>().inference_backward(
                        out, from, g, n, count.columns, T(epsilon), mm, mv, to, dg, db, begin, end);
                  });
                });
  });
}

}  // namespace

void bind_normalization(py::module_& m) {
  plan_class(m)
      .def("batch_norm_forward", &forward, py::arg("segment"), py::arg("x"), py::arg("gamma"),
           py::arg("beta"), py::arg("mean"), py::arg("inverse"), py::arg("moving_mean"),
           py::arg("moving_variance"), py::arg("y"), py::arg("epsilon"), py::arg("momentum"))
      .def("batch_norm_inference", &inference, py::arg("segment"), py::arg("x"), py::arg("gamma"),
           py::arg("beta"), py::arg("moving_mean"), py::arg("moving_variance"), py::arg("y"),
           py::arg("epsilon"))
      .def("batch_norm_backward", &backward, py::arg("segment"), py::arg("dy"), py::arg("x"),
           py::arg("gamma"), py::arg("mean"), py::arg("inverse"), py::arg("dx"), py::arg("dgamma"),
           py::arg("dbeta"))
      .def("batch_norm_inference_backward", &inference_backward, py::arg("segment"), py::arg("dy"),
           py::arg("x"), py::arg("gamma"), py::arg("moving_mean"), py::arg("moving_variance"), py::arg("dx"),
           py::arg("dgamma"), py::arg("dbeta"), py::arg("epsilon"));
}

}  // namespace initcore
