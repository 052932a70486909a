// Random orthogonal matrices: any rows and columns of one, into an array of any strides. bfloat16 comes as
// uint16.
#include <pybind11/complex.h>

#include <complex>
#include <cstring>

#include "bindings/array.h"
#include "dispatch.h"
#include "orthogonal.h"

namespace initcore {

namespace {

/// out[i, j] = element (rows[0] + i rows[1], columns[0] + j columns[1]) of a matrix with `width` columns.
void random_orthogonal(py::array& out, std::uint64_t key, Index width, std::pair<Index, Index> rows,
                       std::pair<Index, Index> columns, double gain, std::uint64_t step, Index offset) {
  check(out.ndim() == 2, [&] { return "out must be a matrix, got shape " + shape_of(out); });
  check(out.writeable(), "out must be writable, got a read-only array");
  const Index height = out.shape(0), count = out.shape(1);
  if (height == 0 || count == 0) return;
  const auto inside = [&](std::pair<Index, Index> chosen, Index n) {
    return chosen.first >= 0 && chosen.second >= 1 && chosen.first + (n - 1) * chosen.second < width;
  };
  check(inside(rows, height) && inside(columns, count), "no row or column of the matrix has that number");
  check(offset >= 0, "no element of a stream has a negative number");
  const RandomKernels<float>& random = kernels().random.f32;
  /// Elements of type Out, each made of `set(out, real, imaginary)`.
  const auto draw = [&]<typename T, typename Out>(bool is_complex, const auto& set) {
    char* to = static_cast<char*>(out.mutable_data());
    const Index down = out.strides(0), along = out.strides(1);
    const T factor = static_cast<T>(gain);
    const py::gil_scoped_release nogil;
    orthogonal<T>({{key, step}, offset, width}, {rows.first, rows.second, height}, is_complex,
                  [&](Index i, const T* real, const T* imaginary) {
                    for (Index j = 0; j < count; ++j) {
                      const Index at = columns.first + j * columns.second;
                      Out result;
                      set(result, factor * real[at], factor * imaginary[at]);
                      std::memcpy(to + i * down + j * along, &result, sizeof(Out));
                    }
                  });
  };
  const auto rounded = [&](auto round) {
    draw.template operator()<float, std::uint16_t>(
        false, [&](std::uint16_t& result, float real, float) { round(&real, &result, 1); });
  };
  const auto both = [&]<typename T>() {
    draw.template operator()<T, std::complex<T>>(
        true, [](std::complex<T>& result, T real, T imaginary) { result = {real, imaginary}; });
  };
  if (holds<std::uint16_t>(out)) {
    rounded(random.to_bfloat16);
  } else if (out.dtype().kind() == 'f' && out.itemsize() == 2) {
    rounded(random.to_float16);
  } else if (holds<std::complex<float>>(out)) {
    both.template operator()<float>();
  } else if (holds<std::complex<double>>(out)) {
    both.template operator()<double>();
  } else {
    with_dtype(dtype_of(out, "out"), [&]<typename T>() {
      draw.template operator()<T, T>(false, [](T& result, T real, T) { result = real; });
    });
  }
}

}  // namespace

void bind_random_orthogonal(py::module_& m) {
  m.def("random_orthogonal", &random_orthogonal, py::arg("out"), py::arg("key"), py::arg("width"),
        py::arg("rows"), py::arg("columns"), py::arg("gain") = 1.0, py::arg("step") = 0,
        py::arg("offset") = 0);
}

}  // namespace initcore
