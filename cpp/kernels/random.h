// Contract: random numbers by counter. Element i of a stream is a function of (key, step, i) and nothing
// else: any slice, on any thread, in any order, on any instruction set, gets the same bits.
//
// The generator is Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405). Its 128-bit counter is
// (block, step): 64 bits each, low words first. Sixteen blocks make a group of 64 words, stored word by word:
// place r of a group is word r / 16 of its block r % 16. A float takes one word, a double two (places r and
// r + 16 of its half group). So a group fills vectors of any width without a shuffle.
#pragma once

#include <type_traits>

#include "index.h"

namespace initcore {

/// Which stream to draw from: `key` says whose numbers these are, `step` selects a sub-stream of them.
struct Stream {
  std::uint64_t key = 0;
  std::uint64_t step = 0;
};

/// The constants of a truncated normal law, made by RandomKernels::truncation().
struct Truncation {
  double low, high;  // the bounds in standard deviations, in the order that `reflected` asks for
  double start;      // Phi(low)
  double mass;       // Phi(high) - Phi(low)
  double smallest;   // no tail probability is less
  double sign;       // -1: draw between -high and -low and negate, since the lower tail keeps its precision
};

/// Bounds of a truncated normal beyond this many standard deviations from the mean count as this.
inline constexpr double kFarthestBound = 14;

/// The bound nearest the mean may be this far away.
inline constexpr double kNearestBound = 9;

/// All laws write elements [first, first + n) of the stream to out[0], out[1], ...
template <typename T>
struct RandomKernels {
  /// What one element is made of.
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

  void (*bits)(Bits* out, Index first, Index n, Stream stream);

  /// low + u (high - low), u a multiple of 2^-24 (2^-53) in [0, 1); at most `below`, the largest T under
  /// high.
  void (*uniform)(T* out, Index first, Index n, Stream stream, double low, double high, double below);

  /// mean + stddev z, z a coordinate of a point of the plane whose radius and angle come of two words; at
  /// most 6.7 (9.4) from 0.
  void (*normal)(T* out, Index first, Index n, Stream stream, double mean, double stddev);

  /// mean + stddev z, z standard normal given that it lies between the bounds, by inversion of a 32-bit
  /// (52-bit) uniform. The nearest of [lowest, highest], which bounds the results themselves.
  void (*truncated_normal)(T* out, Index first, Index n, Stream stream, double mean, double stddev,
                           const Truncation& truncation, T lowest, T highest);

  /// `value` with this probability (a multiple of 2^-32), else 0. The same choices for float and double.
  void (*bernoulli)(T* out, Index first, Index n, Stream stream, double probability, double value);

  /// low < high, in standard deviations from the mean; infinities are fine.
  Truncation (*truncation)(double low, double high);

  /// Rounds to the nearest float16, and bfloat16, ties to even.
  void (*to_float16)(const float* from, std::uint16_t* to, Index n);
  void (*to_bfloat16)(const float* from, std::uint16_t* to, Index n);

  /// One block of the generator: ten rounds, as published.
  void (*philox)(const std::uint32_t counter[4], const std::uint32_t key[2], std::uint32_t out[4]);
};

}  // namespace initcore
