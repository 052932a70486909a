// The way through an orthogonal matrix: panels of rows; for each, the blocks of reflections from the last
// that it needs to the first; of a block, its vectors, their products, then all rows of the panel.
//
// A block of reflections is I - V T V^H (compact WY form). With Y = -T^H V^H, rows R become R + (R V) Y.
// V lies in tiles, kReflections columns of the matrix each: `upright_` has V^H, `flat_` has V, `update_` has
// Y.
//
// A complex matrix is two, real and imaginary part; a right factor has minus its imaginary part as a third,
// so that a product is a sum of four.
#include "orthogonal.h"

#include <algorithm>
#include <array>
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
struct Free {
  void operator()(T* p) const { ::operator delete(p, std::align_val_t(64)); }
};

/// Zeros, for each part of a matrix.
template <typename T, int kParts>
class Parts {
 public:
  explicit Parts(Index size) : size_(size) {
    for (auto& part : parts_) {
      part.reset(
          static_cast<T*>(::operator new(static_cast<std::size_t>(size) * sizeof(T), std::align_val_t(64))));
    }
    clear(0);
  }

  void clear(Index from) {
    for (auto& part : parts_) std::fill(part.get() + from, part.get() + size_, T(0));
  }

  /// Where element `at` of each part is.
  std::array<T*, kParts> operator+(Index at) const {
    std::array<T*, kParts> found;
    for (int i = 0; i < kParts; ++i) found[i] = parts_[i].get() + at;
    return found;
  }

 private:
  Index size_;
  std::array<std::unique_ptr<T, Free<T>>, kParts> parts_;
};

template <typename T, bool kComplex>
class Panel {
 public:
  Panel(const Orthogonal& matrix, const Rows& rows)
      : matrix_(matrix),
        rows_(rows),
        tiles_((matrix.columns + kTile - 1) / kTile),
        stride_(tiles_ * kTile + 64 / Index(sizeof(T))),  // not a multiple of a page: rows would collide
        result_(rows.count * stride_),
        upright_(tiles_ * kTileSize),
        flat_(tiles_ * kTileSize),
        update_(tiles_ * kTileSize) {}

  void run(const std::function<void(Index, const T*, const T*)>& take) {
    for (Index block = rows_[rows_.count - 1] / kTile; block >= 0; --block) {
      make_vectors(block);
      make_update(block);
      apply(block);
    }
    parallel_for(rows_.count, double(matrix_.columns) * double(rows_.count), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Left row = result_ + i * stride_;
        take(i, row.front(), row.back());
      }
    });
  }

 private:
  static constexpr int kParts = kComplex ? 2 : 1, kFactorParts = kComplex ? 3 : 1;
  using Left = std::array<T*, kParts>;
  using Right = std::array<T*, kFactorParts>;

  /// c += a b.
  static void add_product(Index rows, Index depth, const Left& a, Index lda, const Right& b, const Left& c,
                          Index ldc) {
    const auto add = kernels().random_orthogonal.of<T>().add_product;
    add(rows, depth, a[0], lda, b[0], c[0], ldc);
    if constexpr (kComplex) {
      add(rows, depth, a[1], lda, b[2], c[0], ldc);
      add(rows, depth, a[0], lda, b[1], c[1], ldc);
      add(rows, depth, a[1], lda, b[0], c[1], ldc);
    }
  }

  static Left left(const Right& b) {
    Left found;
    std::copy_n(b.begin(), kParts, found.begin());
    return found;
  }

  /// The first row of the panel that a block of reflections changes.
  Index first_row(Index block) const {
    const Index missing = block * kTile - rows_.first;
    return missing <= 0 ? 0 : std::min(rows_.count, (missing + rows_.step - 1) / rows_.step);
  }

  /// The vectors of a block, as rows of tiles; and the rows that begin with it: s e.
  void make_vectors(Index block) {
    const OrthogonalKernels<T>& kernel = kernels().random_orthogonal.of<T>();
    const Index n = matrix_.columns, k0 = block * kTile;
    const Index count = std::min(kTile, rows_[rows_.count - 1] + 1 - k0);
    upright_.clear(block * kTileSize);
    std::fill_n(tau_, kTile, 0.0);
    T signs[kTile][kParts];
    parallel_for(count, double(count * kParts) * double(n - k0) * 16, [&](Index begin, Index end) {
      std::vector<T> x(static_cast<std::size_t>((n - k0) * kParts));
      for (Index j = begin; j < end; ++j) {
        const Index k = k0 + j, first = kParts * (matrix_.offset + k * n + k);
        kernels().random.of<T>().normal(x.data(), first, kParts * (n - k), matrix_.stream, 0, 1);
        (kComplex ? kernel.complex_reflection : kernel.reflection)(x.data(), n - k, tau_ + j, signs[j]);
        for (Index c = k; c < n;) {
          const Index stop = std::min(n, (c / kTile + 1) * kTile);
          const Right to = upright_ + (c / kTile * kTileSize + j * kTile + c % kTile);
          const T *from = x.data() + (c - k), *imaginary = from + (kParts - 1) * (n - k);
          for (Index i = 0; i < stop - c; ++i) {
            to[0][i] = from[i];
            if constexpr (kComplex) {
              to[1][i] = -imaginary[i];
              to[2][i] = imaginary[i];
            }
          }
          c = stop;
        }
      }
    });
    for (Index i = first_row(block); i < rows_.count && rows_[i] < k0 + kTile; ++i) {
      const Left start = result_ + (i * stride_ + rows_[i]);
      for (int part = 0; part < kParts; ++part) *start[part] = signs[rows_[i] - k0][part];
    }
  }

  void make_update(Index block) {
    const OrthogonalKernels<T>& kernel = kernels().random_orthogonal.of<T>();
    Parts<T, kParts> gram(kTileSize), triangle(kTileSize);
    for (Index t = block; t < tiles_; ++t) {
      const Right upright = upright_ + t * kTileSize, flat = flat_ + t * kTileSize;
      kernel.transpose(upright[0], flat[0]);
      if constexpr (kComplex) {
        kernel.transpose(upright[2], flat[1]);
        kernel.transpose(upright[1], flat[2]);
      }
      add_product(kTile, kTile, left(upright), kTile, flat, gram + 0, kTile);
    }
    const Left from = gram + 0, to = triangle + 0;
    const T* const grams[2] = {from[0], kComplex ? from.back() : nullptr};
    T* const triangles[2] = {to[0], to.back()};
    kernel.triangle(grams, tau_, triangles);
    update_.clear(block * kTileSize);
    for (Index t = block; t < tiles_; ++t) {
      const Right update = update_ + t * kTileSize;
      add_product(kTile, kTile, to, kTile, upright_ + t * kTileSize, left(update), kTile);
      if constexpr (kComplex)
        std::transform(update[1], update[1] + kTileSize, update[2], [](T x) { return -x; });
    }
  }

  void apply(Index block) {
    const Index first = first_row(block), k0 = block * kTile, end = tiles_ * kTile;
    const Index units = (rows_.count - first + kRows - 1) / kRows;
    const double work = (kComplex ? 8.0 : 2.0) * kTile * double(rows_.count - first) * double(end - k0);
    parallel_for(units, work, [&](Index u0, Index u1) {
      for (Index unit = u0; unit < u1; ++unit) {
        const Index i = first + unit * kRows, count = std::min(kRows, rows_.count - i);
        alignas(64) T sums[kParts][kRows * kTile] = {};
        Left products;
        for (int part = 0; part < kParts; ++part) products[part] = sums[part];
        for (Index c = k0; c < end; c += kDepth)
          add_product(count, std::min(kDepth, end - c), result_ + (i * stride_ + c), stride_,
                      flat_ + c * kTile, products, kTile);
        for (Index t = block; t < tiles_; ++t)
          add_product(count, kTile, products, kTile, update_ + t * kTileSize,
                      result_ + (i * stride_ + t * kTile), stride_);
      }
    });
  }

  const Orthogonal& matrix_;
  const Rows rows_;
  const Index tiles_, stride_;
  Parts<T, kParts> result_;
  Parts<T, kFactorParts> upright_, flat_, update_;
  double tau_[kTile];
};

}  // namespace

template <typename T>
void orthogonal(const Orthogonal& matrix, const Rows& rows, bool is_complex,
                const std::function<void(Index, const T*, const T*)>& take) {
  for (Index done = 0; done < rows.count; done += kPanel) {
    const Rows some{rows[done], rows.step, std::min(kPanel, rows.count - done)};
    const auto take_some = [&](Index i, const T* row, const T* imaginary) { take(done + i, row, imaginary); };
    if (is_complex) {
      Panel<T, true>(matrix, some).run(take_some);
    } else {
      Panel<T, false>(matrix, some).run(take_some);
    }
  }
}

template void orthogonal(const Orthogonal&, const Rows&, bool,
                         const std::function<void(Index, const float*, const float*)>&);
template void orthogonal(const Orthogonal&, const Rows&, bool,
                         const std::function<void(Index, const double*, const double*)>&);

}  // namespace initcore
