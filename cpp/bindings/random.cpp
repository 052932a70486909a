// Random numbers: laws that fill an array, or any slice of a larger one; the operations of a plan.
//
// An array to fill is described by `offset` and `strides`: its element [i, j, ...] is element
// offset + i strides[0] + j strides[1] + ... of the stream. None: elements 0, 1, 2, ...
#include <cmath>
#include <limits>
#include <optional>

#include "bindings/bound_plan.h"
#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

constexpr double kWork = 16;  // multiply-adds that a random number is worth, about
using Strides = std::vector<Index>;

/// Which elements of the stream an array takes: runs of consecutive ones.
struct Runs {
  Strides shape, strides;  // of the starts of the runs
  Index first = 0;         // element of the first run's start
  Index count = 1;         // runs
  Index length = 1;        // elements of each

  Runs(const py::array& out, Index offset, const std::optional<Strides>& given) : first(offset) {
    if (!given) {
      length = out.size();
      return;
    }
    check(static_cast<py::ssize_t>(given->size()) == out.ndim(),
          "strides must have one entry per axis of out");
    strides = *given;
    shape.assign(out.shape(), out.shape() + out.ndim());
    Index lowest = offset, highest = offset;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] == 0) {
        count = length = 0;
        return;
      }
      (strides[axis] < 0 ? lowest : highest) += strides[axis] * (shape[axis] - 1);
    }
    check(lowest >= 0, "no element of a stream has a negative number");
    while (!shape.empty() && (shape.back() == 1 || strides.back() == length)) {
      length *= shape.back();
      shape.pop_back();
      strides.pop_back();
    }
    for (const Index extent : shape) count *= extent;
  }

  /// Number of the element with which run `run` starts.
  Index start(Index run) const {
    Index element = first;
    for (std::size_t axis = shape.size(); axis-- > 0; run /= shape[axis])
      element += run % shape[axis] * strides[axis];
    return element;
  }
};

/// draw(to, first, n) for all elements, in parallel. A grain ends where the stream's grains end.
template <typename Out, typename Draw>
void fill(Out* out, const Runs& runs, const Draw& draw) {
  if (runs.count == 0 || runs.length == 0) return;
  const Index grains = (runs.length + kGrain - 1) / kGrain;
  const double work = double(runs.count) * double(std::max(runs.length, Index(64))) * kWork;
  parallel_for(runs.count * grains, work, [&](Index begin, Index end) {
    for (Index unit = begin; unit < end;) {
      const Index run = unit / grains, from = unit % grains * kGrain;
      const Index last = std::min(end, (run + 1) * grains);  // as many grains of this run as are ours
      const Index to = std::min(runs.length, from + (last - unit) * kGrain);
      draw(out + run * runs.length + from, runs.start(run) + from, to - from);
      unit = last;
    }
  });
}

/// draw.operator()<T>(to, first, n), T float or double, for all elements of an array. Those of 16 bits are
/// float16, or bfloat16 as uint16: drawn as float, some at a time, and rounded.
template <typename Draw>
void fill(py::array& out, const Runs& runs, const Draw& draw) {
  const auto halves = [&](std::uint16_t* to, void (*round)(const float*, std::uint16_t*, Index)) {
    const py::gil_scoped_release nogil;
    fill(to, runs, [&](std::uint16_t* o, Index first, Index n) {
      alignas(64) float some[kGrain];
      for (Index done = 0; done < n; done += kGrain) {
        const Index count = std::min(kGrain, n - done);
        draw.template operator()<float>(some, first + done, count);
        round(some, o + done, count);
      }
    });
  };
  if (holds<std::uint16_t>(out)) {
    halves(output<std::uint16_t>(out, "out"), kernels().random.f32.to_bfloat16);
  } else if (out.dtype().kind() == 'f' && out.itemsize() == 2) {
    py::array raw = out.attr("view")(py::dtype::of<std::uint16_t>());
    halves(output<std::uint16_t>(raw, "out"), kernels().random.f32.to_float16);
  } else {
    with_dtype(dtype_of(out, "out"), [&]<typename T>() {
      T* to = output<T>(out, "out");
      const py::gil_scoped_release nogil;
      fill(to, runs, [&](T* o, Index first, Index n) { draw.template operator()<T>(o, first, n); });
    });
  }
}

/// Largest T below high, if that is not below low.
template <typename T>
double below(double low, double high) {
  return std::max<T>(static_cast<T>(low), std::nextafter(static_cast<T>(high), static_cast<T>(low)));
}

void bits(py::array& out, std::uint64_t key, std::uint64_t step, Index offset,
          const std::optional<Strides>& strides) {
  const Runs runs(out, offset, strides);
  if (out.dtype().equal(py::dtype::of<std::uint64_t>())) {
    std::uint64_t* to = output<std::uint64_t>(out, "out");
    const py::gil_scoped_release nogil;
    fill(to, runs, [&](std::uint64_t* o, Index first, Index n) {
      kernels().random.of<double>().bits(o, first, n, {key, step});
    });
  } else {
    std::uint32_t* to = output<std::uint32_t>(out, "out");
    const py::gil_scoped_release nogil;
    fill(to, runs, [&](std::uint32_t* o, Index first, Index n) {
      kernels().random.of<float>().bits(o, first, n, {key, step});
    });
  }
}

/// The number of T nearest to x that is not less than (dir > 0), or not more.
template <typename T>
T inward(double x, int dir) {
  const T nearest = static_cast<T>(x);
  const bool beyond = dir > 0 ? nearest < x : nearest > x;
  return beyond ? std::nextafter(nearest, T(dir) * std::numeric_limits<T>::infinity()) : nearest;
}

void uniform(py::array& out, std::uint64_t key, double low, double high, std::optional<double> most,
             std::uint64_t step, Index offset, const std::optional<Strides>& strides) {
  fill(out, Runs(out, offset, strides), [&]<typename T>(T* o, Index first, Index n) {
    kernels().random.of<T>().uniform(o, first, n, {key, step}, low, high, most ? *most : below<T>(low, high));
  });
}

void normal(py::array& out, std::uint64_t key, double mean, double stddev, std::uint64_t step, Index offset,
            const std::optional<Strides>& strides) {
  fill(out, Runs(out, offset, strides), [&]<typename T>(T* o, Index first, Index n) {
    kernels().random.of<T>().normal(o, first, n, {key, step}, mean, stddev);
  });
}

void truncated_normal(py::array& out, std::uint64_t key, double mean, double stddev, double low, double high,
                      std::optional<double> lowest, std::optional<double> highest, std::uint64_t step,
                      Index offset, const std::optional<Strides>& strides) {
  check(low < high, "low must be less than high");
  check(low <= kNearestBound && high >= -kNearestBound, "the bounds are too far from the mean");
  const Truncation truncation = kernels().random.f64.truncation(low, high);
  const auto at = [&](double bound) { return stddev == 0 ? mean : mean + stddev * bound; };
  const double least = lowest ? *lowest : at(low), most = highest ? *highest : at(high);
  fill(out, Runs(out, offset, strides), [&]<typename T>(T* o, Index first, Index n) {
    kernels().random.of<T>().truncated_normal(o, first, n, {key, step}, mean, stddev, truncation,
                                              inward<T>(least, 1), inward<T>(most, -1));
  });
}

void bernoulli(py::array& out, std::uint64_t key, double probability, double value, std::uint64_t step,
               Index offset, const std::optional<Strides>& strides) {
  check(0 <= probability && probability <= 1, "probability must lie in [0, 1]");
  fill(out, Runs(out, offset, strides), [&]<typename T>(T* o, Index first, Index n) {
    kernels().random.of<T>().bernoulli(o, first, n, {key, step}, probability, value);
  });
}

void rounded(const py::array& from, py::array& to) {
  const float* x = input<float>(from, "from");
  std::uint16_t* out = output<std::uint16_t>(to, "to");
  check(from.size() == to.size(), "from and to must have as many elements");
  kernels().random.f32.to_bfloat16(x, out, from.size());
}

std::array<std::uint32_t, 4> philox(const std::array<std::uint32_t, 4>& counter,
                                    const std::array<std::uint32_t, 2>& key) {
  std::array<std::uint32_t, 4> out{};
  kernels().random.of<float>().philox(counter.data(), key.data(), out.data());
  return out;
}

/// The elements of an operand that a batch uses, one run of them.
Runs all(const Operand& out, const Batch& batch) {
  Runs runs(out.array, 0, std::nullopt);
  runs.length = out.size_of(batch.rows);
  return runs;
}

/// Random words become 0 to n - 1 in random order, the inside-out way: word i chooses with which of the first
/// i + 1 numbers the number i changes places, itself among them. Fisher & Yates 1938; Lemire 2019,
/// doi:10.1145/3230636, for the choice, which is even but for i / 2^64.
void permute(py::array_t<std::uint64_t, py::array::c_style>& words) {
  std::uint64_t* const at = words.mutable_data();
  const auto n = static_cast<std::uint64_t>(words.size());
  const py::gil_scoped_release nogil;
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto place = static_cast<std::uint64_t>((static_cast<unsigned __int128>(at[i]) * (i + 1)) >> 64);
    at[i] = at[place];
    at[place] = i;
  }
}

void plan_uniform(BoundPlan& plan, const std::string& segment, const Operand& out, std::uint64_t key,
                  double low, double high) {
  with_dtype(dtype_of(out.array, "out"), [&]<typename T>() {
    T* to = out.as<T>("out");
    plan.append(segment, "random uniform", {&out}, [=, limit = below<T>(low, high)](const Batch& batch) {
      const Stream stream{key, static_cast<std::uint64_t>(batch.step)};
      fill(to, all(out, batch), [&](T* o, Index first, Index n) {
        kernels().random.of<T>().uniform(o, first, n, stream, low, high, limit);
      });
    });
  });
}

void plan_dropout_mask(BoundPlan& plan, const std::string& segment, const Operand& mask, std::uint64_t key,
                       double rate) {
  check(0 <= rate && rate < 1, "rate must lie in [0, 1)");
  with_dtype(dtype_of(mask.array, "mask"), [&]<typename T>() {
    T* to = mask.as<T>("mask");
    plan.append(segment, "dropout mask", {&mask}, [=](const Batch& batch) {
      const Stream stream{key, static_cast<std::uint64_t>(batch.step)};
      fill(to, all(mask, batch), [&](T* o, Index first, Index n) {
        kernels().random.of<T>().bernoulli(o, first, n, stream, 1 - rate, 1 / (1 - rate));
      });
    });
  });
}

}  // namespace

void bind_random(py::module_& m) {
  const auto step = py::arg("step") = 0;
  const auto offset = py::arg("offset") = 0;
  const auto strides = py::arg("strides") = py::none();
  m.def("random_bits", &bits, py::arg("out"), py::arg("key"), step, offset, strides);
  m.def("random_permute", &permute, py::arg("words").noconvert());
  m.def("random_uniform", &uniform, py::arg("out"), py::arg("key"), py::arg("low"), py::arg("high"),
        py::arg("most") = py::none(), step, offset, strides);
  m.def("random_normal", &normal, py::arg("out"), py::arg("key"), py::arg("mean"), py::arg("stddev"), step,
        offset, strides);
  m.def("random_truncated_normal", &truncated_normal, py::arg("out"), py::arg("key"), py::arg("mean"),
        py::arg("stddev"), py::arg("low"), py::arg("high"), py::arg("lowest") = py::none(),
        py::arg("highest") = py::none(), step, offset, strides);
  m.def("random_bernoulli", &bernoulli, py::arg("out"), py::arg("key"), py::arg("probability"),
        py::arg("value") = 1.0, step, offset, strides);
  m.def("random_rounded", &rounded, py::arg("from_"), py::arg("to"), "To bfloat16, as uint16.");
  m.def("random_philox", &philox, py::arg("counter"), py::arg("key"), "One block of Philox4x32-10.");
  plan_class(m)
      .def("random_uniform", &plan_uniform, py::arg("segment"), py::arg("out"), py::arg("key"),
           py::arg("low"), py::arg("high"))
      .def("dropout_mask", &plan_dropout_mask, py::arg("segment"), py::arg("mask"), py::arg("key"),
           py::arg("rate"));
}

}  // namespace initcore
