// Which instruction sets this machine can run, and the one in use. The list itself is in CMakeLists.txt.
#include "dispatch.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "bf16_self_test.h"
#include "tiles.h"

namespace initcore {

#define DECLARE(name, Family) extern const Both<Family> name;
#define X(isa, supported)    \
  namespace isa {            \
  INITCORE_FAMILIES(DECLARE) \
  }
#include "isa_list.inc"
#undef X
#undef DECLARE

#define X(name, supported)       \
  namespace name {               \
  extern const Bf16Kernels bf16; \
  }
#include "bf16_list.inc"
#undef X

namespace {

struct Row {
  Kernels kernels;
  bool (*supported)();
};

// __builtin_cpu_supports() asks CPUID, and XCR0 for the registers that the operating system saves.
#define FIELD(name, Family) , name
#define X(isa, features)                            \
  {[] {                                             \
     using namespace isa;                           \
     return Kernels{#isa INITCORE_FAMILIES(FIELD)}; \
   }(),                                             \
   [] { return bool(features); }},
const Row kRows[] = {
#include "isa_list.inc"
};
#undef X
#undef FIELD

struct Bf16Row {
  const Bf16Kernels* kernels;
  bool (*runs)();
};

// A row is tested once, by whoever asks first; the others wait for the answer.
#define X(name, features)                                          \
  {&name::bf16, [] {                                               \
     static const bool runs = (features) && self_test(name::bf16); \
     return runs;                                                  \
   }},
const std::vector<Bf16Row> kBf16Rows = {
#include "bf16_list.inc"
};
#undef X

std::atomic<const Kernels*> active{nullptr};
constexpr Bf16Kernels kUndecided{};  // until a product is asked for
std::atomic<const Bf16Kernels*> active_bf16{&kUndecided};

const Bf16Kernels* best_bf16() {
  for (const Bf16Row& row : kBf16Rows)
    if (row.runs()) return row.kernels;
  return nullptr;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

const Kernels& kernels() { return *active.load(std::memory_order_acquire); }

std::vector<std::string> compiled_isas() {
  std::vector<std::string> names;
  for (const Row& row : kRows) names.emplace_back(row.kernels.isa);
  return names;
}

std::vector<std::string> runnable_isas() {
  std::vector<std::string> names;
  for (const Row& row : kRows)
    if (row.supported()) names.emplace_back(row.kernels.isa);
  return names;
}

std::string choose_isa(const std::vector<std::string>& runnable, const std::string& wanted) {
  if (runnable.empty())
    throw std::runtime_error("initcore needs a CPU with one of the instruction sets " +
                             joined(compiled_isas()) + "; this one has none of them");
  if (wanted.empty()) return runnable.front();
  if (std::find(runnable.begin(), runnable.end(), wanted) == runnable.end())
    throw std::runtime_error("the instruction set (INITCORE_ISA) must be one of " + joined(runnable) +
                             " on this machine, got '" + wanted + "'");
  return wanted;
}

void use_isa(const std::string& name) {
  const std::string chosen = choose_isa(runnable_isas(), name);
  for (const Row& row : kRows)
    if (chosen == row.kernels.isa) active.store(&row.kernels, std::memory_order_release);
}

const Bf16Kernels* bf16_kernels() {
  if (kernels().isa != runnable_isas().front()) return nullptr;
  const Bf16Kernels* found = active_bf16.load(std::memory_order_acquire);
  if (found != &kUndecided) return found;
  const Bf16Kernels* best = best_bf16();
  return active_bf16.compare_exchange_strong(found, best) ? best : found;
}

const Bf16Kernels& need_bf16() {
  if (const Bf16Kernels* found = bf16_kernels()) return *found;
  throw std::runtime_error("there is no product in bfloat16 on this machine, or it is switched off");
}

std::vector<std::string> compiled_bf16() {
  std::vector<std::string> names;
  for (const Bf16Row& row : kBf16Rows) names.emplace_back(row.kernels->name);
  return names;
}

std::vector<std::string> runnable_bf16() {
  std::vector<std::string> names;
  for (const Bf16Row& row : kBf16Rows)
    if (row.runs()) names.emplace_back(row.kernels->name);
  return names;
}

std::string choose_bf16(const std::vector<std::string>& runnable, const std::string& wanted) {
  if (wanted == "off" || (wanted.empty() && runnable.empty())) return "";
  if (wanted.empty()) return runnable.front();
  if (std::find(runnable.begin(), runnable.end(), wanted) == runnable.end())
    throw std::runtime_error("the instruction for bfloat16 (INITCORE_BF16) must be one of " +
                             joined(runnable) + (runnable.empty() ? "" : ", ") +
                             "off on this machine, got '" + wanted + "'");
  return wanted;
}

void use_bf16(const std::string& name) {
  const Bf16Kernels* found = name.empty() ? &kUndecided : nullptr;
  for (const Bf16Row& row : kBf16Rows)
    if (name == row.kernels->name && row.runs()) found = row.kernels;
  if (!found) choose_bf16(runnable_bf16(), name);  // throws, unless there shall be none
  active_bf16.store(found, std::memory_order_release);
}

}  // namespace initcore
