// A family of kernels for both dtypes.
#pragma once

namespace initcore {

/// A family's kernels for both dtypes.
template <template <typename> class Family>
struct Both {
  Family<float> f32;
  Family<double> f64;

  template <typename T>
  const Family<T>& of() const {
    if constexpr (sizeof(T) == sizeof(float)) {
      return f32;
    } else {
      return f64;
    }
  }
};

}  // namespace initcore
