// Contract: the arithmetic of products of Householder reflections, by blocks. orthogonal.h puts it together.
//
// The same bits on every instruction set: a sum is taken in the order of its terms, and nothing is fused.
#pragma once

#include "index.h"

namespace initcore {

/// Reflections of a block, and columns of a tile.
inline constexpr Index kReflections = 32;

template <typename T>
struct OrthogonalKernels {
  /// Makes n normal numbers x into v, v_0 = 1, of the reflection I - tau v v^T that takes x to a multiple of
  /// e_0, and sets tau = 2 / |v|^2 and the sign s with which s e_0 goes to x / |x|. If x is 0, so are v and
  /// tau.
  void (*reflection)(T* x, Index n, double* tau, T* sign);

  /// The same for complex numbers, first all real parts, and I - tau v v^H; the sign is a complex number on
  /// the unit circle with which s e_0^T goes to the conjugate of x^T / |x|.
  void (*complex_reflection)(T* x, Index n, double* tau, T* sign);

  /// to = -T^H, where I - V T V^H is the product of the reflections of a block and gram = V^H V (Schreiber &
  /// Van Loan 1989, doi:10.1137/0910005). Real matrices have no second part.
  void (*triangle)(const T* const gram[2], const double* tau, T* const to[2]);

  /// to[j, i] = from[i, j], a tile of each.
  void (*transpose)(const T* from, T* to);

  /// c (rows, a tile's columns) += a (rows, depth) b (depth, a tile's columns), b without gaps.
  void (*add_product)(Index rows, Index depth, const T* a, Index lda, const T* b, T* c, Index ldc);
};

}  // namespace initcore
