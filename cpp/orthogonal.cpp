// The way through an orthogonal matrix: panels of rows; for each, the blocks of reflections from the last
// that it needs to the first; of a block, its vectors, their products, then all rows of the panel.
//
// A block of reflections is I - V T V^T (compact WY form). With Y = -T^T V^T, rows R become R + (R V) Y.
// V lies in tiles, kReflections columns of the matrix each: `upright` has V^T, `flat` has V, `update` has Y.
#include "orthogonal.h"

#include <algorithm>
#include <memory>
#include <new>
#include <vector>

#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

constexpr Index kTile = kReflections, kTileSize = kTile * kTile;
constexpr Index kPanel = 1024;  // rows at a time: the vectors are made anew for each panel, a few percent
constexpr Index kRows = 24;     // rows at a time that stay in cache: two register tiles
constexpr Index kDepth = 128;   // columns at a time of a product with V: 16 or 32 KB of it

template <typename T>
class Panel {
 public:
  Panel(const Orthogonal& matrix, const Rows& rows)
      : matrix_(matrix),
        rows_(rows),
        tiles_((matrix.columns + kTile - 1) / kTile),
        stride_(tiles_ * kTile + 64 / Index(sizeof(T))),  // not a multiple of a page: rows would collide
        result_(zeros(rows.count * stride_)),
        upright_(zeros(tiles_ * kTileSize)),
        flat_(zeros(tiles_ * kTileSize)),
        update_(zeros(tiles_ * kTileSize)) {}

  void run(const std::function<void(Index, const T*)>& take) {
    for (Index block = rows_[rows_.count - 1] / kTile; block >= 0; --block) {
      make_vectors(block);
      make_update(block);
      apply(block);
    }
    over_rows(0, double(matrix_.columns), [&](Index i) { take(i, result_.get() + i * stride_); });
  }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  using Array = std::unique_ptr<T, Free>;

  static Array zeros(Index n) {
    Array a(static_cast<T*>(::operator new(static_cast<std::size_t>(n) * sizeof(T), std::align_val_t(64))));
    std::fill_n(a.get(), n, T(0));
    return a;
  }

  T* tile(const Array& a, Index t) const { return a.get() + t * kTileSize; }

  /// The first row of the panel that a block of reflections changes.
  Index first_row(Index block) const {
    const Index missing = block * kTile - rows_.first;
    return missing <= 0 ? 0 : std::min(rows_.count, (missing + rows_.step - 1) / rows_.step);
  }

  template <typename Body>
  void over_rows(Index from, double work, const Body& body) const {
    parallel_for(rows_.count - from, work * double(rows_.count - from), [&](Index begin, Index end) {
      for (Index i = from + begin; i < from + end; ++i) body(i);
    });
  }

  /// The vectors of a block, as rows of tiles; and the rows that begin with it: s e.
  void make_vectors(Index block) {
    const Index n = matrix_.columns, k0 = block * kTile;
    const Index count = std::min(kTile, rows_[rows_.count - 1] + 1 - k0);
    std::fill(tile(upright_, block), tile(upright_, tiles_), T(0));
    T signs[kTile];
    std::fill_n(tau_, kTile, 0.0);
    parallel_for(count, double(count) * double(n - k0) * 16, [&](Index begin, Index end) {
      std::vector<T> x(static_cast<std::size_t>(n - k0));
      for (Index j = begin; j < end; ++j) {
        const Index k = k0 + j;
        kernels().random.of<T>().normal(x.data(), matrix_.offset + k * n + k, n - k, matrix_.stream, 0, 1);
        signs[j] = kernels().random_orthogonal.of<T>().reflection(x.data(), n - k, tau_ + j);
        for (Index c = k; c < n;) {
          const Index stop = std::min(n, (c / kTile + 1) * kTile);
          std::copy(x.data() + (c - k), x.data() + (stop - k),
                    tile(upright_, c / kTile) + j * kTile + c % kTile);
          c = stop;
        }
      }
    });
    for (Index i = first_row(block); i < rows_.count && rows_[i] < k0 + kTile; ++i)
      result_.get()[i * stride_ + rows_[i]] = signs[rows_[i] - k0];
  }

  void make_update(Index block) {
    const OrthogonalKernels<T>& kernel = kernels().random_orthogonal.of<T>();
    alignas(64) T gram[kTileSize] = {}, triangle[kTileSize];
    for (Index t = block; t < tiles_; ++t) {
      kernel.transpose(tile(upright_, t), tile(flat_, t));
      kernel.add_product(kTile, kTile, tile(upright_, t), kTile, tile(flat_, t), gram, kTile);
    }
    kernel.triangle(gram, tau_, triangle);
    std::fill(tile(update_, block), tile(update_, tiles_), T(0));
    for (Index t = block; t < tiles_; ++t)
      kernel.add_product(kTile, kTile, triangle, kTile, tile(upright_, t), tile(update_, t), kTile);
  }

  void apply(Index block) {
    const OrthogonalKernels<T>& kernel = kernels().random_orthogonal.of<T>();
    const Index first = first_row(block), k0 = block * kTile, end = tiles_ * kTile;
    const Index units = (rows_.count - first + kRows - 1) / kRows;
    parallel_for(
        units, 2.0 * kTile * double(rows_.count - first) * double(end - k0), [&](Index u0, Index u1) {
          for (Index unit = u0; unit < u1; ++unit) {
            const Index i = first + unit * kRows, count = std::min(kRows, rows_.count - i);
            T* rows = result_.get() + i * stride_;
            alignas(64) T products[kRows * kTile] = {};
            for (Index c = k0; c < end; c += kDepth)
              kernel.add_product(count, std::min(kDepth, end - c), rows + c, stride_, flat_.get() + c * kTile,
                                 products, kTile);
            for (Index t = block; t < tiles_; ++t)
              kernel.add_product(count, kTile, products, kTile, tile(update_, t), rows + t * kTile, stride_);
          }
        });
  }

  const Orthogonal& matrix_;
  const Rows rows_;
  const Index tiles_, stride_;
  Array result_, upright_, flat_, update_;
  double tau_[kTile];
};

}  // namespace

template <typename T>
void orthogonal(const Orthogonal& matrix, const Rows& rows,
                const std::function<void(Index, const T*)>& take) {
  for (Index done = 0; done < rows.count; done += kPanel) {
    const Rows some{rows[done], rows.step, std::min(kPanel, rows.count - done)};
    Panel<T>(matrix, some).run([&](Index i, const T* row) { take(done + i, row); });
  }
}

template void orthogonal(const Orthogonal&, const Rows&, const std::function<void(Index, const float*)>&);
template void orthogonal(const Orthogonal&, const Rows&, const std::function<void(Index, const double*)>&);

}  // namespace initcore
