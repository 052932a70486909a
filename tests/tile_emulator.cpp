// AMX tiles on a processor that has none, for tests/emulated_amx.py.
//
// The kernel is compiled as it is, and run. Each of its tile instructions raises SIGILL; the handler does
// what Intel's manual says of it (Software Developer's Manual, volume 2) and goes on behind it. It also
// checks what a processor would refuse, and can lose what the tiles hold, as virtual machines have been seen
// to do.
#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "bf16_self_test.h"
#include "kernels/gemm_bf16.h"

namespace initcore::amx_bf16 {
extern const Bf16Kernels bf16;
}

namespace {

using Clock = std::chrono::steady_clock;
using initcore::Index;

constexpr int kTiles = 8, kRows = 16, kBytes = 64;

struct Config {
  std::uint8_t palette, start_row, reserved[14];
  std::uint16_t bytes[16];
  std::uint8_t rows[16];
};

struct State {
  Config config;
  alignas(64) std::uint8_t data[kTiles][kRows][kBytes];
};

thread_local State now, once;  // `once` is what is there when tiles are lost
thread_local long done = 0;    // instructions of this thread
thread_local Clock::time_point last;
std::atomic<long> losses = 0, lose_after = 0;
std::atomic<bool> lose_in_pauses = false, lose_to_older = false;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "tile emulator: %s\n", what);
  std::abort();
}

void configure(const void* from) {
  std::memset(&now, 0, sizeof now);
  Config config;
  std::memcpy(&config, from, sizeof config);
  if (config.palette == 0) return;
  require(config.palette == 1 && config.start_row == 0, "palette 1 and no start row");
  for (std::uint8_t byte : config.reserved) require(byte == 0, "reserved bytes are 0");
  for (int i = 0; i < 16; ++i) {
    const bool used = config.rows[i] && config.bytes[i];
    require(used ? i < kTiles : !config.rows[i] && !config.bytes[i], "rows and bytes go together");
    require(config.rows[i] <= kRows && config.bytes[i] <= kBytes, "a tile is at most 16 rows of 64 bytes");
  }
  now.config = config;
}

void require_tile(int tile) { require(tile < kTiles && now.config.rows[tile], "the tile is configured"); }

void load(int tile, const std::uint8_t* from, Index stride) {
  require_tile(tile);
  std::memset(now.data[tile], 0, sizeof now.data[tile]);
  for (int row = 0; row < now.config.rows[tile]; ++row)
    std::memcpy(now.data[tile][row], from + row * stride, now.config.bytes[tile]);
}

void store(int tile, std::uint8_t* to, Index stride) {
  require_tile(tile);
  for (int row = 0; row < now.config.rows[tile]; ++row)
    std::memcpy(to + row * stride, now.data[tile][row], now.config.bytes[tile]);
}

/// Of subnormal numbers nothing remains.
float flushed(float x) {
  return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x;
}

float widened(std::uint32_t upper_half) {
  float x;
  std::memcpy(&x, &upper_half, sizeof x);
  return flushed(x);
}

void multiply(int sum, int a, int b) {
  const Config& c = now.config;
  for (int tile : {sum, a, b}) require_tile(tile);
  require(sum != a && sum != b && a != b, "three different tiles");
  require(c.rows[sum] == c.rows[a] && c.bytes[sum] == c.bytes[b] && c.bytes[a] == 4 * c.rows[b] &&
              c.bytes[sum] % 4 == 0,
          "shapes fit");
  const int columns = c.bytes[sum] / 4, pairs = c.bytes[a] / 4;
  for (int row = 0; row < c.rows[sum]; ++row) {
    std::uint32_t left[16], right[16];
    float even[16] = {}, odd[16] = {}, sums[16];
    std::memcpy(left, now.data[a][row], kBytes);
    std::memcpy(sums, now.data[sum][row], kBytes);
    for (int pair = 0; pair < pairs; ++pair) {
      std::memcpy(right, now.data[b][pair], kBytes);
      for (int n = 0; n < columns; ++n) {
        even[n] = flushed(std::fmaf(widened(left[pair] << 16), widened(right[n] << 16), even[n]));
        odd[n] = flushed(std::fmaf(widened(left[pair] & 0xffff0000), widened(right[n] & 0xffff0000), odd[n]));
      }
    }
    for (int n = 0; n < columns; ++n) sums[n] = flushed(flushed(sums[n]) + flushed(even[n] + odd[n]));
    std::memcpy(now.data[sum][row], sums, c.bytes[sum]);
  }
}

/// Before each instruction.
void perhaps_lose() {
  const Clock::time_point before = last;
  last = Clock::now();
  const bool paused = lose_in_pauses && last - before > std::chrono::microseconds(150);
  const bool due = lose_after != 0 && ++done % lose_after == 0;
  if (!paused && !due) return;
  ++losses;
  State held = now;
  std::memset(now.data, 0, sizeof now.data);
  if (lose_to_older) std::memcpy(now.data, once.data, sizeof now.data);
  once = held;
}

std::int64_t register_of(const ucontext_t& context, int number) {
  static const int kNames[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return context.uc_mcontext.gregs[kNames[number]];
}

/// Does the instruction at RIP and moves RIP behind it; returns false if it is none for tiles.
bool step(ucontext_t& context) {
  auto& rip = context.uc_mcontext.gregs[REG_RIP];
  const auto* code = reinterpret_cast<const std::uint8_t*>(rip);
  if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x84)) return false;  // VEX.128.0F38.W0
  const int prefix = code[2] & 3, opcode = code[3], mod = code[4] >> 6;
  const int reg = (code[4] >> 3 & 7), rm = code[4] & 7, third = ~(code[2] >> 3) & 15;
  if (opcode != 0x49 && opcode != 0x4b && opcode != 0x5c) return false;
  const int x = code[1] & 0x40 ? 0 : 8, b = code[1] & 0x20 ? 0 : 8;
  const std::uint8_t* at = code + 5;
  std::int64_t address = 0, stride = 0;
  if (mod != 3) {
    int base = rm | b;
    bool has_base = true;
    if (rm == 4) {
      const int index = (*at >> 3 & 7) | x;
      if (index != 4) stride = register_of(context, index) * (1 << (*at >> 6));
      has_base = mod != 0 || (*at & 7) != 5;
      base = (*at++ & 7) | b;
    } else {
      has_base = mod != 0 || rm != 5;  // else relative to the next instruction
    }
    std::int32_t displacement = 0;
    if (mod == 1) {
      displacement = static_cast<std::int8_t>(*at++);
    } else if (mod == 2 || !has_base) {
      std::memcpy(&displacement, at, 4);
      at += 4;
    }
    address = displacement + (has_base ? register_of(context, base) : reinterpret_cast<std::int64_t>(at));
  }
  auto* memory = reinterpret_cast<std::uint8_t*>(address);
  perhaps_lose();
  if (opcode == 0x49 && mod == 3 && prefix == 0 && code[4] == 0xc0) {
    std::memset(&now, 0, sizeof now);
  } else if (opcode == 0x49 && mod == 3 && prefix == 3 && rm == 0) {
    require_tile(reg);
    std::memset(now.data[reg], 0, sizeof now.data[reg]);
  } else if (opcode == 0x49 && mod != 3 && prefix == 0) {
    configure(memory);
  } else if (opcode == 0x49 && mod != 3 && prefix == 1) {
    std::memcpy(memory, &now.config, sizeof now.config);
  } else if (opcode == 0x4b && mod != 3 && rm == 4 && prefix == 3) {
    load(reg, memory, stride);
  } else if (opcode == 0x4b && mod != 3 && rm == 4 && prefix == 2) {
    store(reg, memory, stride);
  } else if (opcode == 0x5c && mod == 3 && prefix == 2) {
    multiply(reg, rm, third);
  } else {
    return false;
  }
  rip += at - code;
  return true;
}

void handle(int, siginfo_t*, void* context) {
  auto& where = *static_cast<ucontext_t*>(context);
  require(step(where), "an instruction that is none for tiles");
  while (step(where)) continue;  // spares the way through the system for those that follow at once
}

/// Tile instructions work while this lives.
class Emulation {
 public:
  Emulation() {
    struct sigaction action = {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGILL, &action, &before_);
  }
  ~Emulation() { sigaction(SIGILL, &before_, nullptr); }

 private:
  struct sigaction before_;
};

void relu(const float* x, float* y, Index n, const double*) {
  for (Index i = 0; i < n; ++i) y[i] = std::fmax(x[i], 0.0f);
}

void relu_slope(const float* dy, const float*, const float* y, float* dx, Index n, const double*) {
  for (Index i = 0; i < n; ++i) dx[i] = y[i] > 0 ? dy[i] : 0;
}

const initcore::Activation<float> kRelu = {"relu", "", "", {}, false, relu, relu_slope};

}  // namespace

extern "C" {

/// The product as initcore::Product describes it, contiguous, its units in so many pieces. Returns whether
/// the tiles are released behind it.
bool product(int layout, Index m, Index n, Index k, const float* a, Index a_columns, const float* b, float* c,
             bool accumulate, const float* bias, bool activation, bool slope, const float* y, Index pieces) {
  initcore::Product<float> s;
  s.layout = static_cast<initcore::Layout>(layout);
  s.m = m, s.n = n, s.k = k;
  s.a = a, s.lda = a_columns, s.b = b, s.ldb = s.layout == initcore::Layout::kNT ? k : n, s.c = c, s.ldc = n;
  s.accumulate = accumulate, s.bias = bias, s.y = y;
  if (activation) s.activation = &kRelu;
  if (slope) s.slope = &kRelu;
  const Emulation emulation;
  const auto& gemm = initcore::amx_bf16::bf16.gemm;
  const initcore::Way<float> way = gemm.way(s);
  for (Index i = 0; i < pieces; ++i) way.run(s, way.units * i / pieces, way.units * (i + 1) / pieces);
  return now.config.palette == 0;
}

Index roof_sums() { return initcore::amx_bf16::bf16.sums; }

void roof_multiply_add(float* values, float factor, Index rounds) {
  const Emulation emulation;
  initcore::amx_bf16::bf16.multiply_add(values, factor, rounds);
}

bool self_test() {
  const Emulation emulation;
  return initcore::self_test(initcore::amx_bf16::bf16);
}

/// From now on, tiles are lost at every `after`-th instruction of a thread (0: never), and in pauses: they
/// then hold 0, or what they held at the loss before. Returns how often that was since the last call.
long lose(long after, bool in_pauses, bool to_older) {
  lose_after = after, lose_in_pauses = in_pauses, lose_to_older = to_older;
  return losses.exchange(0);
}

/// Configures the tiles as a library might leave them, runs a product, and returns whether they are as
/// before.
bool foreign_configuration_survives(float* c) {
  const Emulation emulation;
  Config foreign = {}, after = {};
  foreign.palette = 1, foreign.rows[3] = 5, foreign.bytes[3] = 8;
  asm volatile("ldtilecfg %0" : : "m"(foreign) : "memory");
  const float one = 1;
  product(0, 1, 1, 1, &one, 1, &one, c, false, nullptr, false, false, nullptr, 1);
  const Emulation again;
  asm volatile("sttilecfg %0" : "=m"(after) : : "memory");
  asm volatile("tilerelease" : : : "memory");
  return std::memcmp(&foreign, &after, sizeof after) == 0;
}

}  // extern "C"
