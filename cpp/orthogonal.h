// Random orthogonal matrices by the Haar measure: a product of Householder reflections of normal vectors
// (Stewart 1980, doi:10.1137/0717034), so that no matrix has to be factored.
//
// Row i of a matrix with n columns is s_i e_i^T H_i H_(i-1) ... H_0. Reflection H_k changes columns k to n -
// 1; its vector is made of elements k n + k to k n + n - 1 of the stream. So a row needs the reflections up
// to its own and no other row, and has the same bits whichever rows are asked for. A square costs 4/3 n^3
// operations, its row i 4 n i. Complex matrices are unitary, of complex vectors: four times as much.
#pragma once

#include <functional>

#include "index.h"
#include "kernels/random.h"

namespace initcore {

/// Which matrix: one with so many columns, at most as many rows, and orthonormal rows. `offset` is where its
/// elements begin in the stream, of which a complex one takes two.
struct Orthogonal {
  Stream stream;
  Index offset;
  Index columns;
};

/// Some of its rows, or all: first, first + step, ... (`count` of them, step >= 1).
struct Rows {
  Index first, step, count;
  Index operator[](Index i) const { return first + i * step; }
};

/// Computes the rows and hands them on: take(i, row, imaginary) for each i from 0 to count - 1, by several
/// threads at a time; `row` has all columns. T is float or double.
template <typename T>
void orthogonal(const Orthogonal& matrix, const Rows& rows, bool is_complex,
                const std::function<void(Index, const T*, const T*)>& take);

}  // namespace initcore
