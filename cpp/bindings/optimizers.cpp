// Optimizers: the list, one step on arrays, and the operations of a plan; the norms that clip gradients and
// the penalties that regularize.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "bindings/bound_plan.h"
#include "bindings/table.h"
#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

// A step costs about this many multiply-adds per element: it is bound by memory, division and square root.
constexpr double kWorkPerElement = 16;

// A step goes through blocks of as many grains, in either direction: 64 KB of each vector, little of a cache
// and yet enough for the prefetcher to keep ahead.
constexpr Index kUnitsPerBlock = 4;

// Sums are split into at most this many shards, whatever the number of threads, and added in order.
constexpr Index kShards = 64;

template <typename T>
const UpdateRule<T>& rule(Index number) {
  return row_of(kernels().optimizers.of<T>(), number, "optimizer");
}

template <std::size_t n>
py::list names(const char* const (&from)[n]) {
  py::list result;
  for (const char* name : from)
    if (name) result.append(name);
  return result;
}

py::list list() {
  return listed(kernels().optimizers.of<float>(), [](py::dict& entry, const UpdateRule<float>& row) {
    entry["source"] = row.source;
    entry["hyperparameters"] = names(row.hyperparameters);
    entry["slots"] = names(row.slots);
    entry["scalars"] = names(row.scalars);
  });
}

using Hyperparameters = std::array<double, kMaxHyperparameters>;

/// Where each tensor starts in the flat vector; the last one ends with the vector.
using Starts = std::vector<Index>;

void check_starts(const Starts& starts, Index n) {
  check(!starts.empty() && starts.front() == 0 && std::is_sorted(starts.begin(), starts.end()) &&
            starts.back() <= n,
        "starts must rise from 0 to at most the number of parameters");
}

/// What one step needs beside its number and the learning rate.
template <typename T>
struct Update {
  Index number;
  T* w;
  const T* g;
  std::array<T*, kMaxSlots> slots;
  double* scalars;
  Index n;
  Hyperparameters hyperparameters;
  double weight_decay;
  double limit;  // clips by value; infinite if not wanted
  Starts starts;
  const double* scales;  // one per tensor, or null

  void run(std::int64_t t, double rate) const {
    const UpdateRule<T>& f = rule<T>(number);
    T coefficients[kMaxCoefficients];
    f.prepare(hyperparameters.data(), t, rate, scalars, coefficients);
    // Every other step goes from the last block to the first, and begins with what is still in the cache.
    const bool backwards = t % 2 == 0;
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const std::size_t k = backwards ? starts.size() - 1 - i : i;
      const Index first = starts[k], last = k + 1 < starts.size() ? starts[k + 1] : n;
      const Preliminary<T> before{
          .keep = T(1 - rate * weight_decay), .scale = scales ? T(scales[k]) : T(1), .limit = T(limit)};
      const Index units = (last - first + kGrain - 1) / kGrain;
      parallel_for(units, double(last - first) * kWorkPerElement, [&](Index begin, Index end) {
        for (Index done = 0, size; done < end - begin; done += size) {
          size = std::min(kUnitsPerBlock, end - begin - done);
          const Index unit = backwards ? end - done - size : begin + done;
          const Index from = first + unit * kGrain, to = std::min(last, from + size * kGrain);
          std::array<T*, kMaxSlots> here{};
          for (int s = 0; s < kMaxSlots; ++s) here[s] = slots[s] ? slots[s] + from : nullptr;
          f.step(w + from, g + from, here.data(), to - from, before, coefficients);
        }
      });
    }
  }
};

/// sum(begin, end) over shards of [0, n), added in order.
template <typename Sum>
double sharded_sum(Index n, const Sum& sum) {
  const Index units = (n + kGrain - 1) / kGrain, shards = std::min(units, kShards);
  double sums[kShards] = {};
  parallel_for(shards, double(n), [&](Index begin, Index end) {
    for (Index s = begin; s < end; ++s)
      sums[s] = sum(units * s / shards * kGrain, std::min(n, units * (s + 1) / shards * kGrain));
  });
  double total = 0;
  for (Index s = 0; s < shards; ++s) total += sums[s];
  return total;
}

/// scales[k]: what makes the norm of tensor k at most `limit`. NaN if the norm is NaN.
template <typename T>
void run_scales(const T* g, Index n, const Starts& starts, double limit, double* scales) {
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const Index first = starts[k], last = k + 1 < starts.size() ? starts[k + 1] : n;
    const double norm = std::sqrt(sharded_sum(last - first, [&](Index begin, Index end) {
      return kernels().optimizers.of<T>().sum_of_squares(g + first + begin, end - begin);
    }));
    scales[k] = norm <= limit ? 1 : limit / norm;
  }
}

template <typename T>
double run_penalty(const T* w, T* g, Index n, double l1, double l2) {
  return sharded_sum(n, [&](Index begin, Index end) {
    return kernels().optimizers.of<T>().penalty(w + begin, g ? g + begin : nullptr, end - begin, l1, l2);
  });
}

template <typename T>
void check_update(const Update<T>& update, std::size_t slots, std::size_t scalars, std::size_t scales) {
  const UpdateRule<T>& f = rule<T>(update.number);
  const auto wanted = [](const auto& table) {
    return std::size_t(std::count_if(std::begin(table), std::end(table), [](const char* s) { return s; }));
  };
  check(slots == wanted(f.slots), [&] {
    return std::string(f.name) + " needs " + std::to_string(wanted(f.slots)) + " slots, got " +
           std::to_string(slots);
  });
  check(scalars >= wanted(f.scalars), [&] {
    return std::string(f.name) + " needs " + std::to_string(wanted(f.scalars)) + " scalars, got " +
           std::to_string(scalars);
  });
  check(!update.scales || scales == update.starts.size(), "scales must have one element per tensor");
  check_starts(update.starts, update.n);
}

void step(Index number, const Hyperparameters& hyperparameters, double weight_decay, double limit,
          py::array& parameters, const py::array& gradients, std::vector<py::array> slots,
          std::optional<py::array> scalars, const Starts& starts, std::optional<py::array> scales,
          std::int64_t t, double rate) {
  with_dtype(dtype_of(parameters, "parameters"), [&]<typename T>() {
    check(gradients.size() == parameters.size(), [&] {
      return "gradients must have the size of parameters, got " + shape_of(gradients) + " and " +
             shape_of(parameters);
    });
    check(slots.size() <= kMaxSlots, "too many slots");
    Update<T> update{.number = number,
                     .w = output<T>(parameters, "parameters"),
                     .g = input<T>(gradients, "gradients"),
                     .slots = {},
                     .scalars = scalars ? output<double>(*scalars, "scalars") : nullptr,
                     .n = parameters.size(),
                     .hyperparameters = hyperparameters,
                     .weight_decay = weight_decay,
                     .limit = limit,
                     .starts = starts,
                     .scales = scales ? input<double>(*scales, "scales") : nullptr};
    for (std::size_t s = 0; s < slots.size(); ++s) {
      update.slots[s] = output<T>(slots[s], "slot");
      check(slots[s].size() == update.n, "a slot must have the size of parameters");
    }
    check_update(update, slots.size(), scalars ? scalars->size() : 0, scales ? scales->size() : 0);
    const py::gil_scoped_release nogil;
    update.run(t, rate);
  });
}

void scales(const py::array& gradients, const Starts& starts, double limit, py::array& result) {
  with_dtype(dtype_of(gradients, "gradients"), [&]<typename T>() {
    const T* g = input<T>(gradients, "gradients");
    double* to = output<double>(result, "scales");
    check_starts(starts, gradients.size());
    check(result.size() == Index(starts.size()), "scales must have one element per tensor");
    const Index n = gradients.size();
    const py::gil_scoped_release nogil;
    run_scales(g, n, starts, limit, to);
  });
}

double penalty(const py::array& w, std::optional<py::array> g, double l1, double l2) {
  return with_dtype(dtype_of(w, "w"), [&]<typename T>() {
    const T* from = input<T>(w, "w");
    T* to = g ? output<T>(*g, "g") : nullptr;
    check(!g || g->size() == w.size(), "w and g must have the same size");
    const Index n = w.size();
    const py::gil_scoped_release nogil;
    return run_penalty(from, to, n, l1, l2);
  });
}

void plan_step(BoundPlan& plan, const std::string& segment, Index number,
               const Hyperparameters& hyperparameters, double weight_decay, double limit,
               const Operand& parameters, const Operand& gradients, const Operand* slot_0,
               const Operand* slot_1, const Operand* slot_2, const Operand* scalars, const Starts& starts,
               const Operand* scales) {
  with_dtype(dtype_of(parameters.array, "parameters"), [&]<typename T>() {
    Update<T> update{.number = number,
                     .w = parameters.as<T>("parameters"),
                     .g = gradients.as<T>("gradients"),
                     .slots = {},
                     .scalars = scalars ? scalars->as<double>("scalars") : nullptr,
                     .n = parameters.array.size(),
                     .hyperparameters = hyperparameters,
                     .weight_decay = weight_decay,
                     .limit = limit,
                     .starts = starts,
                     .scales = scales ? scales->as<double>("scales") : nullptr};
    check(gradients.array.size() == update.n, "gradients must have the size of parameters");
    std::size_t count = 0;
    for (const Operand* slot : {slot_0, slot_1, slot_2}) {
      if (!slot) continue;
      check(slot->array.size() == update.n, "a slot must have the size of parameters");
      update.slots[count++] = slot->as<T>("slot");
    }
    check_update(update, count, scalars ? scalars->array.size() : 0, scales ? scales->array.size() : 0);
    plan.append(segment, rule<T>(number).name,
                {&parameters, &gradients, slot_0, slot_1, slot_2, scalars, scales},
                [=](const Batch& batch) { update.run(batch.step, batch.learning_rate); });
  });
}

void plan_scales(BoundPlan& plan, const std::string& segment, const Operand& gradients, const Starts& starts,
                 double limit, const Operand& result) {
  with_dtype(dtype_of(gradients.array, "gradients"), [&]<typename T>() {
    const T* g = gradients.as<T>("gradients");
    double* to = result.as<double>("scales");
    const Index n = gradients.array.size();
    check_starts(starts, n);
    check(result.array.size() == Index(starts.size()), "scales must have one element per tensor");
    plan.append(segment, "gradient norms", {&gradients, &result},
                [=](const Batch&) { run_scales(g, n, starts, limit, to); });
  });
}

void plan_penalty(BoundPlan& plan, const std::string& segment, const Operand& w, const Operand* g, double l1,
                  double l2, const Operand* total) {
  with_dtype(dtype_of(w.array, "w"), [&]<typename T>() {
    const T* from = w.as<T>("w");
    T* to = g ? g->as<T>("g") : nullptr;
    double* sum = total ? total->as<double>("total") : nullptr;
    const Index n = w.array.size();
    check(!g || g->array.size() == n, "w and g must have the same size");
    check(!total || total->array.size() == 3, "total must be that of a loss: sum, rows, last mean");
    plan.append(segment, "penalty", {&w, g, total}, [=](const Batch& batch) {
      const double value = run_penalty(from, to, n, l1, l2);
      if (!sum) return;
      sum[0] += value * double(batch.rows);
      sum[2] += value;
    });
  });
}

}  // namespace

void bind_optimizers(py::module_& m) {
  m.def("optimizers", &list, "Every update rule: number, name, source, hyperparameters, slots, scalars.");
  m.def("optimizer_step", &step, py::arg("number"), py::arg("hyperparameters"), py::arg("weight_decay"),
        py::arg("limit"), py::arg("parameters"), py::arg("gradients"), py::arg("slots"), py::arg("scalars"),
        py::arg("starts"), py::arg("scales"), py::arg("step"), py::arg("learning_rate"));
  m.def("gradient_scales", &scales, py::arg("gradients"), py::arg("starts"), py::arg("limit"),
        py::arg("scales"));
  m.def("penalty", &penalty, py::arg("w"), py::arg("g"), py::arg("l1"), py::arg("l2"));
  plan_class(m)
      .def("optimizer_step", &plan_step, py::arg("segment"), py::arg("number"), py::arg("hyperparameters"),
           py::arg("weight_decay"), py::arg("limit"), py::arg("parameters"), py::arg("gradients"),
           py::arg("slot_0"), py::arg("slot_1"), py::arg("slot_2"), py::arg("scalars"), py::arg("starts"),
           py::arg("scales"))
      .def("gradient_scales", &plan_scales, py::arg("segment"), py::arg("gradients"), py::arg("starts"),
           py::arg("limit"), py::arg("scales"))
      .def("penalty", &plan_penalty, py::arg("segment"), py::arg("w"), py::arg("g"), py::arg("l1"),
           py::arg("l2"), py::arg("total"));
}

}  // namespace initcore
