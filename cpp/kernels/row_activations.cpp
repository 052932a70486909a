// The loops of softmax, prelu and rrelu.
#include "kernels/row_activations.h"

#include "kernels/both.h"
#include "kernels/rows.h"

namespace initcore::INITCORE_ISA {
namespace {

template <typename T>
INITCORE_INLINE void softmax_wide(const T* x, T* y, const WideRow<T>& row, bool log) {
  using V = Vector<T>;
  const T most = max_across<T>(row.largest(x));
  const V shifted = load(x + row.last) - most, last = exp_below(shifted);
  V sum = row.only_fresh(last);
  if (log) {
    row.each([&](Index j) { sum += exp_below(load(x + j) - most); });
    const T shift = initcore::INITCORE_ISA::log(sum_across<T>(sum));
    row.each([&](Index j) { store(y + j, (load(x + j) - most) - shift); });
    store(y + row.last, shifted - shift);
  } else {
    row.each([&](Index j) {
      const V e = exp_below(load(x + j) - most);
      store(y + j, e);
      sum += e;
    });
    const T scale = 1 / sum_across<T>(sum);
    row.each([&](Index j) { store(y + j, load(y + j) * scale); });
    store(y + row.last, last * scale);
  }
}

template <typename T>
INITCORE_INLINE void softmax_narrow(const T* x, T* y, Index columns, Index rows, bool log) {
  using V = Vector<T>;
  SideBySide<T> z;
  z.read(x, columns, rows);
  V top = z.column[0], sum{};
  for (Index j = 1; j < columns; ++j) top = larger(top, z.column[j]);
  if (log) {
    for (Index j = 0; j < columns; ++j) {
      z.column[j] -= top;
      sum += exp_below(z.column[j]);
    }
    const V shift = initcore::INITCORE_ISA::log(sum);
    for (Index j = 0; j < columns; ++j) z.column[j] -= shift;
  } else {
    for (Index j = 0; j < columns; ++j) {
      z.column[j] = exp_below(z.column[j] - top);
      sum += z.column[j];
    }
    const V scale = 1 / sum;
    for (Index j = 0; j < columns; ++j) z.column[j] *= scale;
  }
  z.write(y, columns, rows);
}

template <typename T>
void softmax_forward(const T* x, T* y, Index rows, Index columns, bool log) {
  if (columns == 0) return;
  if (columns < kNarrow<T>) {
    for (Index i = 0; i < rows; i += kLanes<T>)
      softmax_narrow(x + i * columns, y + i * columns, columns, min<Index>(rows - i, kLanes<T>), log);
  } else {
    const WideRow<T> row(columns);
    for (Index i = 0; i < rows; ++i) softmax_wide(x + i * columns, y + i * columns, row, log);
  }
}

template <typename T>
INITCORE_INLINE void softmax_backward_wide(const T* dy, const T* y, T* dx, const WideRow<T>& row, bool log) {
  using V = Vector<T>;
  const V last_dy = load(dy + row.last), last_y = load(y + row.last);
  if (log) {
    V sum = row.only_fresh(last_dy);
    row.each([&](Index j) { sum += load(dy + j); });
    const T whole = sum_across<T>(sum);
    row.each([&](Index j) { store(dx + j, load(dy + j) - whole * exp(load(y + j))); });
    store(dx + row.last, last_dy - whole * exp(last_y));
  } else {
    V sum = row.only_fresh(last_dy * last_y);
    row.each([&](Index j) { sum += load(dy + j) * load(y + j); });
    const T whole = sum_across<T>(sum);
    row.each([&](Index j) { store(dx + j, load(y + j) * (load(dy + j) - whole)); });
    store(dx + row.last, last_y * (last_dy - whole));
  }
}

template <typename T>
INITCORE_INLINE void softmax_backward_narrow(const T* dy, const T* y, T* dx, Index columns, Index rows,
                                             bool log) {
  SideBySide<T> g, z;
  g.read(dy, columns, rows);
  z.read(y, columns, rows);
  Vector<T> sum{};
  if (log) {
    for (Index j = 0; j < columns; ++j) sum += g.column[j];
    for (Index j = 0; j < columns; ++j) g.column[j] -= sum * exp(z.column[j]);
  } else {
    for (Index j = 0; j < columns; ++j) sum += g.column[j] * z.column[j];
    for (Index j = 0; j < columns; ++j) g.column[j] = z.column[j] * (g.column[j] - sum);
  }
  g.write(dx, columns, rows);
}

template <typename T>
void softmax_backward(const T* dy, const T* y, T* dx, Index rows, Index columns, bool log) {
  if (columns < kNarrow<T>) {
    for (Index i = 0; i < rows; i += kLanes<T>) {
      const Index at = i * columns;
      softmax_backward_narrow(dy + at, y + at, dx + at, columns, min<Index>(rows - i, kLanes<T>), log);
    }
  } else {
    const WideRow<T> row(columns);
    for (Index at = 0; at < rows * columns; at += columns)
      softmax_backward_wide(dy + at, y + at, dx + at, row, log);
  }
}

template <typename T>
void prelu_forward(const T* x, const T* alpha, T* y, Index rows, Index columns) {
  for (Index i = 0; i < rows; ++i, x += columns, y += columns)
#pragma omp simd
    for (Index j = 0; j < columns; ++j) {
      const T negative = alpha[j] * x[j];  // read in any case: a load that depends on data is no vector's
      y[j] = x[j] > 0 ? x[j] : negative;
    }
}

template <typename T>
void prelu_backward(const T* dy, const T* x, const T* alpha, T* dx, T* dalpha, Index rows, Index columns,
                    Index begin, Index end) {
  for (Index j = begin; j < end; ++j) dalpha[j] = 0;
  for (Index i = 0; i < rows; ++i, dy += columns, x += columns, dx += columns)
#pragma omp simd
    for (Index j = begin; j < end; ++j) {
      const T g = dy[j], along_alpha = g * x[j], negative = g * alpha[j];
      dalpha[j] += x[j] > 0 ? T(0) : along_alpha;
      dx[j] = x[j] > 0 ? g : negative;
    }
}

template <typename T>
void rrelu_forward(const T* x, T* slopes, T* y, Index n) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) {
    const T negative = slopes[i], slope = x[i] > 0 ? T(1) : negative;
    slopes[i] = slope;
    y[i] = slope * x[i];
  }
}

template <typename T>
constexpr RowActivationKernels<T> table() {
  return {softmax_forward<T>, softmax_backward<T>, prelu_forward<T>, prelu_backward<T>, rrelu_forward<T>};
}

}  // namespace

extern const Both<RowActivationKernels> row_activations;
constinit const Both<RowActivationKernels> row_activations{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
