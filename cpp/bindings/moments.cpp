// Moments of the columns of an array: blocks of rows in parallel, merged in their order.
#include <cmath>
#include <numeric>

#include "bindings/array.h"
#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

// Elements per block: small enough for a cache, since a block is read three times.
constexpr Index kBlock = 1 << 14;

// Arrays with fewer columns than this are read as if several rows were one, so that vectors are full.
constexpr Index kNarrow = 64;
constexpr Index kWidest = 16;  // lanes of the widest vector

/// Merges one column of a block into the column's total (count rows so far).
/// Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115, equation 2.1.
void merge(double* total, Index total_stride, double count, const double* block, Index block_stride,
           double block_count) {
  const double step = block[kMean * block_stride] - total[kMean * total_stride];
  const double share = block_count / (count + block_count);
  total[kMean * total_stride] += step * share;
  total[kSquares * total_stride] += block[kSquares * block_stride] + step * step * count * share;
  double& peak = total[kMaxAbs * total_stride];
  peak = std::max(peak, block[kMaxAbs * block_stride]);
  for (const Moment counted : {kZeros, kSaturated, kNonfinite})
    total[counted * total_stride] += block[counted * block_stride];
}

template <typename T>
void run(const T* x, Index rows, Index columns, double low, double high, double* total) {
  const Index fold = columns < kNarrow ? kWidest / std::gcd(columns, kWidest) : 1;
  const Index width = fold * columns, wide_rows = rows / fold;
  const Index each = std::max<Index>(16, kBlock / width), blocks = (wide_rows + each - 1) / each;
  const Index rest = rows - wide_rows * fold;
  std::vector<double> found((blocks * width + rest * columns) * kMoments);
  parallel_for(blocks, double(rows) * double(columns) * 3, [&](Index begin, Index end) {
    for (Index block = begin; block < end; ++block) {
      const Index first = block * each, n = std::min(each, wide_rows - first);
      kernels().moments.of<T>().columns(x + first * width, n, width, low, high,
                                        found.data() + block * width * kMoments);
    }
  });
  std::fill(total, total + kMoments * columns, 0.0);
  double count = 0;  // rows of each column merged so far
  const auto merge_row = [&](const double* from, Index stride, double n) {
    for (Index j = 0; j < columns; ++j) merge(total + j, columns, count, from + j, stride, n);
    count += n;
  };
  for (Index block = 0; block < blocks; ++block) {
    const double n = static_cast<double>(std::min(each, wide_rows - block * each));
    for (Index part = 0; part < fold; ++part)
      merge_row(found.data() + block * width * kMoments + part * columns, width, n);
  }
  for (Index i = 0; i < rest; ++i) {
    double* from = found.data() + (blocks * width + i * columns) * kMoments;
    kernels().moments.of<T>().columns(x + (wide_rows * fold + i) * columns, 1, columns, low, high, from);
    merge_row(from, columns, 1);
  }
}

void moments(const py::array& x, double low, double high, py::array& out) {
  with_dtype(dtype_of(x, "x"), [&]<typename T>() {
    const T* from = input<T>(x, "x");
    double* to = output<double>(out, "out");
    check(x.ndim() == 2 && x.shape(0) > 0 && x.shape(1) > 0,
          [&] { return "x must have two axes and at least one row and column, got " + shape_of(x); });
    check(out.ndim() == 2 && out.shape(0) == kMoments && out.shape(1) == x.shape(1), [&] {
      return "out must have shape (" + std::to_string(kMoments) + ", columns), got " + shape_of(out);
    });
    const Index rows = x.shape(0), columns = x.shape(1);
    const py::gil_scoped_release nogil;
    run(from, rows, columns, low, high, to);
  });
}

}  // namespace

void bind_moments(py::module_& m) {
  m.def("moments", &moments, py::arg("x"), py::arg("low"), py::arg("high"), py::arg("out"),
        "For each column: mean, sum of squares around it, largest |x|, how many are 0, <= low or >= high, "
        "not finite.");
}

}  // namespace initcore
