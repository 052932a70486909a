// The matrix product: on arrays, and as an operation of a plan.
#include <map>

#include "bindings/activations.h"
#include "bindings/bound_plan.h"
#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

Layout layout_of(const std::string& name) {
  static const std::map<std::string, Layout> kLayouts = {
      {"nn", Layout::kNN}, {"nt", Layout::kNT}, {"tn", Layout::kTN}};
  const auto found = kLayouts.find(name);
  check(found != kLayouts.end(),
        [&] { return "layout must be one of 'nn', 'nt', 'tn', got '" + name + "'"; });
  return found->second;
}

// A run of a plan may stop after this many multiply-adds of a product: some hundredths of a second at worst.
constexpr double kMultiplyAddsPerPart = 5e8;

/// The product of bfloat16 operands. Throws unless T has one and this machine, too.
template <typename T>
const GemmKernels<T>* bf16_product() {
  if constexpr (std::is_same_v<T, float>) {
    return &need_bf16().gemm;
  } else {
    throw py::type_error("only operands of float32 can be rounded to bfloat16, got float64");
  }
}

/// A product and what follows from its form. In bfloat16 if there is a kernel for it.
template <typename T>
class Prepared {
 public:
  Prepared() = default;
  Prepared(const Product<T>& product, const GemmKernels<T>* bf16, Index parts = 1)
      : product_(product), parts_(parts) {
    const GemmKernels<T>& gemm = bf16 ? *bf16 : kernels().gemm.of<T>();
    way_ = gemm.way(product);
    work_ = double(product.m) * double(product.n) * double(product.k) / double(gemm.per_element * parts);
  }

  void run(Index part = 0) const {
    const Index first = unit_at(part), last = unit_at(part + 1);
    parallel_for(last - first, work_,
                 [&](Index begin, Index end) { way_.run(product_, first + begin, first + end); });
  }

 private:
  Index unit_at(Index part) const {
    return parts_ == 1 ? way_.units * part : way_.units * part / parts_;  // mostly, no division
  }

  Product<T> product_;
  Way<T> way_{};
  Index parts_ = 1;
  double work_ = 0;
};

void matmul(const std::string& layout, const py::array& a, const py::array& b, py::array& c, bool accumulate,
            const std::optional<py::array>& bias, std::optional<Index> activation_number,
            std::optional<Index> slope_number, const std::optional<py::array>& x,
            const std::optional<py::array>& y, const std::optional<Parameters>& p, bool bf16) {
  with_dtype(dtype_of(a, "a"), [&]<typename T>() {
    const GemmKernels<T>* kernel = bf16 ? bf16_product<T>() : nullptr;
    Product<T> s;
    s.layout = layout_of(layout);
    s.a = input<T>(a, "a"), s.b = input<T>(b, "b"), s.c = output<T>(c, "c");
    check(a.ndim() == 2 && b.ndim() == 2 && c.ndim() == 2, "a, b and c must have two axes");
    const bool transposed_a = s.layout == Layout::kTN, transposed_b = s.layout == Layout::kNT;
    s.m = a.shape(transposed_a ? 1 : 0);
    s.k = a.shape(transposed_a ? 0 : 1);
    s.n = transposed_b ? b.shape(0) : b.shape(1);
    check((transposed_b ? b.shape(1) : b.shape(0)) == s.k && c.shape(0) == s.m && c.shape(1) == s.n, [&] {
      return "a, b and c must fit the layout '" + layout + "', got " + shape_of(a) + ", " + shape_of(b) +
             " and " + shape_of(c);
    });
    check(!overlap(c, a) && !overlap(c, b), "c must not share memory with a or b");
    s.lda = a.shape(1), s.ldb = b.shape(1), s.ldc = c.shape(1);
    s.accumulate = accumulate;
    if (bias) {
      s.bias = input<T>(*bias, "bias");
      check(bias->size() == s.n, "bias must have one element per column of c");
      check(!accumulate, "bias and accumulate exclude each other");
    }
    check(!(activation_number && slope_number), "activation and slope exclude each other");
    if (activation_number) s.activation = &activation<T>(*activation_number);
    if (slope_number) {
      s.slope = &activation<T>(*slope_number);
      if (x) s.x = input<T>(*x, "x");
      check(y.has_value(), "slope needs y");
      s.y = input<T>(*y, "y");
      check(y->size() == c.size() && (x ? x->size() == c.size() : !s.slope->slope_needs_input),
            "x and y must have the shape of c");
    }
    if (p) std::copy(p->begin(), p->end(), s.parameters);
    const py::gil_scoped_release nogil;
    Prepared<T>(s, kernel).run();
  });
}

void plan_matmul(BoundPlan& plan, const std::string& segment, const std::string& layout, const Operand& a,
                 const Operand& b, const Operand& c, bool accumulate, const Operand* bias,
                 std::optional<Index> activation_number, std::optional<Index> slope_number, const Operand* x,
                 const Operand* y, const Parameters& p) {
  with_dtype(dtype_of(a.array, "a"), [&]<typename T>() {
    const GemmKernels<T>* bf16 = plan.bf16 ? bf16_product<T>() : nullptr;
    Product<T> s;
    s.layout = layout_of(layout);
    s.a = a.as<T>("a"), s.b = b.as<T>("b"), s.c = c.as<T>("c");
    s.n = c.columns;
    s.lda = a.columns, s.ldb = b.columns, s.ldc = c.columns;
    s.accumulate = accumulate;
    const bool fits =
        s.layout == Layout::kNN   ? a.columns == b.rows && b.columns == c.columns && a.rows == c.rows
        : s.layout == Layout::kNT ? a.columns == b.columns && b.rows == c.columns && a.rows == c.rows
                                  : a.columns == c.rows && b.columns == c.columns && a.rows == b.rows;
    check(fits, [&] {
      return "a, b and c must fit the layout '" + layout + "', got " + shape_of(a.array) + ", " +
             shape_of(b.array) + " and " + shape_of(c.array);
    });
    if (bias) {
      s.bias = bias->as<T>("bias");
      check(bias->array.size() == s.n && !accumulate, "bias must have one element per column of c");
    }
    check(!overlap(c.array, a.array) && !overlap(c.array, b.array), "c must not share memory with a or b");
    check(!(activation_number && slope_number), "activation and slope exclude each other");
    if (activation_number) activation<T>(*activation_number);  // throws if there is none
    for (const Operand* other : {x, y})
      check(!other || (other->rows == c.rows && other->columns == c.columns),
            "x and y must have the shape of c");
    if (slope_number) {
      check(y && (x || !activation<T>(*slope_number).slope_needs_input),
            "slope needs y, and x if the activation says so");
      s.x = x ? x->as<T>("x") : nullptr;
      s.y = y->as<T>("y");
    }
    std::copy(p.begin(), p.end(), s.parameters);
    const double depth = double(s.layout == Layout::kTN ? a.rows : a.columns);
    const Index parts = 1 + Index(double(c.array.size()) * depth / kMultiplyAddsPerPart);
    plan.append(
        segment, "matmul " + layout, {&a, &b, &c, bias, x, y},
        [=, a_count = a, c_count = c, prepared = Prepared<T>(), rows = Index(-1),
         prepared_for = static_cast<const Kernels*>(nullptr)](const Batch& batch) mutable {
          if (batch.rows != rows || &kernels() != prepared_for) {
            Product<T> now = s;
            now.m = c_count.rows_of(batch.rows);
            now.k = s.layout == Layout::kTN ? a_count.rows_of(batch.rows) : a_count.columns;
            if (activation_number) now.activation = &activation<T>(*activation_number);
            if (slope_number) now.slope = &activation<T>(*slope_number);
            prepared = Prepared<T>(now, bf16, parts);
            rows = batch.rows, prepared_for = &kernels();
          }
          prepared.run(batch.part);
        },
        parts);
  });
}

}  // namespace

void bind_gemm(py::module_& m) {
  m.def("matmul", &matmul, py::arg("layout"), py::arg("a"), py::arg("b"), py::arg("c"),
        py::arg("accumulate") = false, py::arg("bias") = py::none(), py::arg("activation") = py::none(),
        py::arg("slope") = py::none(), py::arg("x") = py::none(), py::arg("y") = py::none(),
        py::arg("parameters") = py::none(), py::arg("bf16") = false);
  plan_class(m).def("matmul", &plan_matmul, py::arg("segment"), py::arg("layout"), py::arg("a"), py::arg("b"),
                    py::arg("c"), py::arg("accumulate") = false, py::arg("bias") = py::none(),
                    py::arg("activation") = py::none(), py::arg("slope") = py::none(),
                    py::arg("x") = py::none(), py::arg("y") = py::none(),
                    py::arg("parameters") = Parameters{});
}

}  // namespace initcore
