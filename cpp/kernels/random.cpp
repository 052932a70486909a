// The loops that draw random numbers: bits of some groups into a buffer, then a law over the buffer.
// To add a law: a struct like those below, and a field of RandomKernels.
#include "kernels/random.h"

#include "kernels/both.h"
#include "kernels/random_halves.h"
#include "kernels/random_philox.h"
#include "kernels/random_polar.h"

namespace initcore::INITCORE_ISA {
namespace {

constexpr Index kGroups = 16;  // at a time: 4 KiB of bits stay in the first cache

template <typename T>
using BitsOf = typename RandomKernels<T>::Bits;

/// Elements [first, first + n) of a stream, some whole groups at a time: pass(bits, skip, count, done) is to
/// make elements first + done, ... (`count` of them) of the bits from bits[skip] on.
template <typename Bits, typename Pass>
INITCORE_INLINE void in_passes(Index first, Index n, Stream stream, Pass pass) {
  constexpr Index kPerGroup = kGroupWords * 4 / sizeof(Bits), kPerPass = kPerGroup * kGroups;
  alignas(64) Bits bits[kPerPass];
  const RoundKeys keys(stream.key);
  for (Index done = 0; done < n;) {
    const Index group = (first + done) / kPerGroup, skip = (first + done) % kPerGroup;
    const Index count = min(n - done, kPerPass - skip);
    draw(bits, group, (skip + count + kPerGroup - 1) / kPerGroup, keys, stream.step);
    pass(bits, skip, count, done);
    done += count;
  }
}

/// out[i] = law(bits of element first + i).
template <typename Bits, typename Out, typename Law>
void fill(Out* out, Index first, Index n, Stream stream, Law law) {
  in_passes<Bits>(first, n, stream, [=](const Bits* bits, Index skip, Index count, Index done) {
    const Bits* from = bits + skip;
    Out* to = out + done;
#pragma omp simd
    for (Index i = 0; i < count; ++i) to[i] = law(from[i]);
  });
}

template <typename T>
void raw(BitsOf<T>* out, Index first, Index n, Stream stream) {
  fill<BitsOf<T>>(out, first, n, stream, [](BitsOf<T> bits) { return bits; });
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

template <typename T>
void normal(T* out, Index first, Index n, Stream stream, double mean, double stddev) {
  using Bits = BitsOf<T>;
  const T shift = static_cast<T>(mean), scale = static_cast<T>(stddev);
  in_passes<Bits>(first, n, stream, [=](const Bits* bits, Index skip, Index count, Index done) {
    // Two words of one block make two elements, so the elements of a group come together.
    alignas(64) T some[kGroups * kGroupWords * 4 / sizeof(Bits)];
    const bool whole = skip == 0 && count % (2 * kBlocks) == 0;
    T* to = whole ? out + done : some;
    for (Index i = 0; i < skip + count; i += 2 * kBlocks)
#pragma omp simd
      for (int j = 0; j < kBlocks; ++j) {
        const T r = scale * radius<T>(bits[i + j]);
        const Direction<T> direction(bits[i + kBlocks + j]);
        to[i + j] = shift + r * direction.x;
        to[i + kBlocks + j] = shift + r * direction.y;
      }
    if (!whole) __builtin_memcpy(out + done, some + skip, static_cast<std::size_t>(count) * sizeof(T));
  });
}

/// kFar: beyond kMiddleBound too.
template <bool kFar, typename T>
void between(T* out, Index first, Index n, Stream stream, double mean, double stddev, const Truncation& t,
             T lowest, T highest) {
  const double scale = t.sign * stddev;
  // A uniform u strictly inside (0, 1), exact, and where it falls: at start + mass u, q from the median.
  constexpr bool kSingle = sizeof(T) == 4;
  constexpr double kUnit = kSingle ? 0x1p-32 : 0x1p-52, kCentre = kSingle ? 0x1p31 + 0.5 : 0.5;
  const double start = t.start, slope = t.mass * kUnit, centre = (start - 0.5) + slope * kCentre;
  const double smallest = t.smallest;
  fill<BitsOf<T>>(out, first, n, stream, [=](BitsOf<T> bits) {
    double k;
    if constexpr (kSingle) {
      k = static_cast<std::int32_t>(bits);
    } else {
      k = to_float(bits >> 12);
    }
    double z;
    if constexpr (kFar) {
      const double below = start + (k + kCentre) * slope;
      z = normal_quantile(below - 0.5, static_cast<T>(max(min(below, 1.0 - below), smallest)));
    } else {
      z = normal_quantile<T>(centre + k * slope);
    }
    return min(max(static_cast<T>(mean + scale * z), lowest), highest);
  });
}

template <typename T>
void truncated_normal(T* out, Index first, Index n, Stream stream, double mean, double stddev,
                      const Truncation& truncation, T lowest, T highest) {
  const bool far = truncation.low < -kMiddleBound || truncation.high > kMiddleBound;
  (far ? between<true, T> : between<false, T>)(out, first, n, stream, mean, stddev, truncation, lowest,
                                               highest);
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

/// to = f(from).
template <std::uint16_t (*f)(float)>
void each(const float* from, std::uint16_t* to, Index n) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) to[i] = f(from[i]);
}

void philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  Block blocks[1] = {
      {Words{} + counter[0], Words{} + counter[1], Words{} + counter[2], Words{} + counter[3]}};
  philox(blocks, RoundKeys(key[0] | uint64_t(key[1]) << 32));
  out[0] = static_cast<uint32_t>(blocks[0].a[0]);
  out[1] = static_cast<uint32_t>(blocks[0].b[0]);
  out[2] = static_cast<uint32_t>(blocks[0].c[0]);
  out[3] = static_cast<uint32_t>(blocks[0].d[0]);
}

template <typename T>
constexpr RandomKernels<T> table() {
  return {raw<T>,     uniform<T>,       normal<T>,         truncated_normal<T>, bernoulli<T>,
          truncation, each<to_float16>, each<to_bfloat16>, philox_block};
}

}  // namespace

extern const Both<RandomKernels> random;
constinit const Both<RandomKernels> random{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
