// The pool of threads and what limits it, as Python sees them.
#include "threads.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bindings/array.h"
#include "cpu_limits.h"
#include "thread_trial.h"

namespace initcore {

namespace {

py::dict limits(const std::string& root) {
  const CpuLimits found = cpu_limits(root);
  py::dict result;
  result["hardware"] = found.hardware;
  result["affinity"] = found.affinity;
  result["quota"] = found.quota;
  result["environment"] = found.environment;
  result["allowed"] = allowed_threads(found);
  return result;
}

py::dict state() {
  const PoolState now = pool_state();
  py::dict result;
  result["workers"] = now.workers;
  result["refused"] = now.refused;
  return result;
}

/// The thread that computes may not hold the GIL, so the interpreter is asked to warn as soon as it can.
void warn_refused() {
  const auto warn = [](void*) {
    return PyErr_WarnEx(
        PyExc_RuntimeWarning,
        "the system refused to start another thread (see ulimit -u and ulimit -v), so initcore "
        "computes with fewer; results are the same. initcore.set_num_threads(1) says that this "
        "is meant",
        1);
  };
  Py_AddPendingCall(+warn, nullptr);
}

struct Range {
  Index begin, end;
  std::size_t thread;
};

/// A job whose body only notes what it was given. For tests of the pool.
std::vector<Range> probe(Index units, double seconds_per_unit, std::optional<Index> fail_at, bool alone) {
  std::vector<Range> ranges;
  std::mutex mutex;
  const py::gil_scoped_release nogil;
  const Alone scope(alone);
  parallel_for(units, 1e300, [&](Index begin, Index end) {
    {
      const std::lock_guard lock(mutex);
      ranges.push_back({begin, end, std::hash<std::thread::id>()(std::this_thread::get_id())});
    }
    if (seconds_per_unit > 0)
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds_per_unit * double(end - begin)));
    if (fail_at && begin <= *fail_at && *fail_at < end)
      throw std::runtime_error("unit " + std::to_string(*fail_at) + " failed");
  });
  return ranges;
}

/// Which steps are computed alone, if they take so long together and so long alone. For tests of the trial.
std::vector<bool> thread_trial(int steps, double together, double alone) {
  std::vector<bool> result;
  for (ThreadTrial trial; steps > 0; --steps) {
    result.push_back(trial.alone());
    trial.note(trial.alone() ? alone : together);
  }
  return result;
}

py::list parallel_probe(Index units, double seconds_per_unit, std::optional<Index> fail_at, bool alone) {
  py::list result;
  for (const Range& range : probe(units, seconds_per_unit, fail_at, alone))
    result.append(py::make_tuple(range.begin, range.end, range.thread));
  return result;
}

}  // namespace

void bind_threads(py::module_& m) {
  try {
    cpu_limits();
  } catch (const std::invalid_argument& error) {
    throw py::import_error(error.what());
  }
  on_thread_refused(&warn_refused);
  m.def("num_threads", &num_threads, "How many threads compute, the caller included.");
  m.def("set_num_threads", &set_num_threads, py::arg("n"));
  m.def("cpu_limits", &limits, py::arg("root") = "", "What limits the number of threads. root: for tests.");
  m.def("pool_state", &state, "Worker threads that exist, and whether the system refused to start another.");
  m.def("parallel_probe", &parallel_probe, py::arg("units"), py::arg("seconds_per_unit") = 0.0,
        py::arg("fail_at") = py::none(), py::arg("alone") = false,
        "The ranges of a job, as (begin, end, thread). For tests.");
  m.def("thread_trial", &thread_trial, py::arg("steps"), py::arg("together"), py::arg("alone"),
        "Which steps would be computed alone, if they took so many seconds. For tests.");
}

}  // namespace initcore
