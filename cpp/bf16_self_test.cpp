// Whether an instruction for products in bfloat16 does here what it should.
#include "bf16_self_test.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <system_error>
#include <thread>
#include <vector>

namespace initcore {

namespace {

using std::chrono::microseconds;

constexpr int kRounds = 30, kMostThreads = 8;

void yield() noexcept { std::this_thread::yield(); }

void sleep() noexcept { std::this_thread::sleep_for(microseconds(200)); }

void spin() noexcept {
  const auto end = std::chrono::steady_clock::now() + microseconds(100);
  while (std::chrono::steady_clock::now() < end) continue;
}

/// A product with tails, of whole numbers so small that all sums are exact.
class Sample {
 public:
  Sample() : a_(kM * kK), b_(kK * kN), c_(kM * kN) {
    for (Index i = 0; i < kM * kK; ++i) a_[i] = float(i * 7 % 33 - 16);
    for (Index i = 0; i < kK * kN; ++i) b_[i] = float(i * 11 % 41 - 20);
    for (Index i = 0; i < kM; ++i)
      for (Index p = 0; p < kK; ++p)
        for (Index j = 0; j < kN; ++j) c_[i * kN + j] += a_[i * kK + p] * b_[p * kN + j];
  }

  bool comes_out(const Bf16Kernels& kernels) const {
    std::vector<float> c(kM * kN, -1);
    const Product<float> product{.m = kM,
                                 .n = kN,
                                 .k = kK,
                                 .a = a_.data(),
                                 .lda = kK,
                                 .b = b_.data(),
                                 .ldb = kN,
                                 .c = c.data(),
                                 .ldc = kN};
    const Way<float> way = kernels.gemm.way(product);
    way.run(product, 0, way.units);
    return c == c_;
  }

 private:
  static constexpr Index kM = 70, kN = 50, kK = 301;
  std::vector<float> a_, b_, c_;
};

}  // namespace

bool self_test(const Bf16Kernels& kernels) {
  const Sample sample;
  if (!sample.comes_out(kernels)) return false;
  if (!kernels.kept) return true;
  std::atomic<bool> good{true};
  const auto strain = [&] {
    for (int round = 0; round < kRounds && good; ++round)
      for (const auto pause : {yield, sleep, spin})
        if (!kernels.kept(pause) || !sample.comes_out(kernels)) good = false;
  };
  std::vector<std::thread> others;
  try {
    const int count = std::clamp(int(std::thread::hardware_concurrency()), 1, kMostThreads);
    for (int i = 0; i < count; ++i) others.emplace_back(strain);
  } catch (const std::system_error&) {  // then with fewer
  }
  strain();
  for (std::thread& thread : others) thread.join();
  return good;
}

}  // namespace initcore
