// The loops that draw random numbers: bits of some groups into a buffer, then a law over the buffer.
// To add a law: a struct like those below, and a field of RandomKernels.
#include "kernels/random.h"

#include "kernels/both.h"
#include "kernels/random_normal.h"
#include "kernels/random_philox.h"

namespace initcore::INITCORE_ISA {
namespace {

constexpr int kGroups = 16;  // at a time: 4 KiB of bits stay in the first cache

template <typename T>
using BitsOf = typename RandomKernels<T>::Bits;

/// Bits of `count` whole groups.
inline void draw(uint32_t* bits, Index first_group, int count, Stream stream) {
  for (int g = 0; g < count; ++g)
    group(static_cast<uint64_t>(first_group + g), stream.key, stream.step, bits + g * kGroupWords);
}

inline void draw(uint64_t* bits, Index first_group, int count, Stream stream) {
  alignas(64) uint32_t words[kGroupWords];
  for (int g = 0; g < count; ++g) {
    group(static_cast<uint64_t>(first_group + g), stream.key, stream.step, words);
    for (int half = 0; half < 2; ++half) {
      const uint32_t *low = words + 2 * half * kBlocks, *high = low + kBlocks;
      uint64_t* to = bits + g * (kGroupWords / 2) + half * kBlocks;
#pragma omp simd
      for (int j = 0; j < kBlocks; ++j) to[j] = low[j] | uint64_t(high[j]) << 32;
    }
  }
}

/// out[i] = law(bits of element first + i).
template <typename Bits, typename Out, typename Law>
void fill(Out* out, Index first, Index n, Stream stream, Law law) {
  constexpr Index kPerGroup = kGroupWords * 4 / sizeof(Bits), kPerPass = kPerGroup * kGroups;
  alignas(64) Bits bits[kPerPass];
  for (Index done = 0; done < n;) {
    const Index group = (first + done) / kPerGroup, skip = (first + done) % kPerGroup;
    const Index count = min(n - done, kPerPass - skip);
    draw(bits, group, static_cast<int>((skip + count + kPerGroup - 1) / kPerGroup), stream);
    const Bits* from = bits + skip;
    Out* to = out + done;
#pragma omp simd
    for (Index i = 0; i < count; ++i) to[i] = law(from[i]);
    done += count;
  }
}

template <typename T>
void raw(BitsOf<T>* out, Index first, Index n, Stream stream) {
  fill<BitsOf<T>>(out, first, n, stream, [](BitsOf<T> bits) { return bits; });
}

// Unsigned to floating point, correctly rounded, by operations that every instruction set has as vectors.

inline float to_float(uint32_t x) { return static_cast<float>(static_cast<std::int32_t>(x)); }  // x < 2^31

inline double to_float(uint64_t x) {
  const double high = __builtin_bit_cast(double, (x >> 32) | 0x4530000000000000u);         // 2^84 + high 2^32
  const double low = __builtin_bit_cast(double, (x & 0xffffffffu) | 0x4330000000000000u);  // 2^52 + low
  return (high - 0x1.00000001p84) + low;
}

template <typename T>
void uniform(T* out, Index first, Index n, Stream stream, double low, double high, double below) {
  const T start = static_cast<T>(low), range = static_cast<T>(high - low), most = static_cast<T>(below);
  constexpr int kUnused = sizeof(T) == 4 ? 8 : 11;
  constexpr T kUnit = sizeof(T) == 4 ? T(0x1p-24) : T(0x1p-53);
  fill<BitsOf<T>>(out, first, n, stream, [=](BitsOf<T> bits) {
    return min(start + range * (to_float(bits >> kUnused) * kUnit), most);
  });
}

/// A standard normal: the first bit is the sign, the others the distance from the median.
template <typename T>
inline __attribute__((always_inline)) T standard_normal(BitsOf<T> bits) {
  using Bits = BitsOf<T>;
  constexpr int kWidth = 8 * sizeof(T);
  constexpr T kUnit = sizeof(T) == 4 ? T(0x1p-32) : T(0x1p-64);
  constexpr Bits kMost = Bits(-1) >> 1;
  const Bits sign = bits >> (kWidth - 1), distance = bits & kMost;
  const T q = (to_float(distance) + T(0.5)) * kUnit;
  const T p = (to_float(static_cast<Bits>(kMost - distance)) + T(0.5)) * kUnit;
  return normal_quantile(sign ? -q : q, p);
}

template <typename T>
void normal(T* out, Index first, Index n, Stream stream, double mean, double stddev) {
  const T shift = static_cast<T>(mean), scale = static_cast<T>(stddev);
  fill<BitsOf<T>>(out, first, n, stream,
                  [=](BitsOf<T> bits) { return shift + scale * standard_normal<T>(bits); });
}

template <typename T>
void truncated_normal(T* out, Index first, Index n, Stream stream, double mean, double stddev,
                      const Truncation& truncation) {
  const Truncation t = truncation;
  const T shift = static_cast<T>(mean), scale = static_cast<T>(t.sign * stddev);
  const T low = static_cast<T>(t.low), high = static_cast<T>(t.high);
  fill<BitsOf<T>>(out, first, n, stream, [=](BitsOf<T> bits) {
    // A uniform strictly inside (0, 1), exact; then where it falls between the bounds.
    double u;
    if constexpr (sizeof(T) == 4) {
      u = (to_float(uint64_t(bits)) + 0.5) * 0x1p-32;
    } else {
      u = (to_float(bits >> 12) + 0.5) * 0x1p-52;
    }
    const double below = t.start + t.mass * u;
    const T p = static_cast<T>(max(min(below, 1.0 - below), t.smallest));
    const T z = normal_quantile(static_cast<T>(below - 0.5), p);
    return shift + scale * min(max(z, low), high);
  });
}

template <typename T>
void bernoulli(T* out, Index first, Index n, Stream stream, double probability, double value) {
  const T on = probability * 0x1p32 >= 1 ? static_cast<T>(value) : T(0);
  const uint32_t last = static_cast<uint32_t>(min(max(probability * 0x1p32 - 1, 0.0), 0x1p32 - 1));
  fill<uint32_t>(out, first, n, stream, [=](uint32_t bits) { return bits <= last ? on : T(0); });
}

Truncation truncation(double low, double high) {
  const bool reflect = low > 0;
  const double a = max(reflect ? -high : low, -kFarthestBound);
  const double b = min(reflect ? -low : high, kFarthestBound);
  const double start = normal_distribution(a);
  // The difference of two tails, each precise, or of the whole and two tails.
  const double mass = b <= 0  ? normal_distribution(b) - start
                      : a < 0 ? 1 - start - lower_tail(b)
                              : 0.5 - lower_tail(b);
  return {a, b, start, mass, b <= 0 ? 0.0 : 0x1p-55, reflect ? -1.0 : 1.0};
}

void philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  const Block<Lane> x = philox(Block<Lane>{counter[0], counter[1], counter[2], counter[3]}, key[0], key[1]);
  out[0] = static_cast<uint32_t>(x.a);
  out[1] = static_cast<uint32_t>(x.b);
  out[2] = static_cast<uint32_t>(x.c);
  out[3] = static_cast<uint32_t>(x.d);
}

template <typename T>
constexpr RandomKernels<T> table() {
  return {raw<T>, uniform<T>, normal<T>, truncated_normal<T>, bernoulli<T>, truncation, philox_block};
}

}  // namespace

extern const Both<RandomKernels> random;
constinit const Both<RandomKernels> random{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
