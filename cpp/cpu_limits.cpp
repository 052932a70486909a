// Reads the limits. What cannot be read does not limit.
#include "cpu_limits.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>

namespace initcore {

namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// A whole number of at least 1, alone (or before a comma: OMP_NUM_THREADS may be a list, one per level).
std::optional<int> count(const std::string& text) {
  char* end = nullptr;
  const long n = std::strtol(text.c_str(), &end, 10);
  while (*end == ' ') ++end;
  if (end == text.c_str() || (*end != '\0' && *end != ',') || n < 1) return std::nullopt;
  return static_cast<int>(std::min(n, long{1} << 20));
}

int threads_in_environment() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string own = variable("INITCORE_NUM_THREADS"); !own.empty()) {
    if (const auto n = count(own)) return *n;
    throw std::invalid_argument("INITCORE_NUM_THREADS must be a whole number of at least 1, got '" + own +
                                "'");
  }
  return count(variable("OMP_NUM_THREADS")).value_or(0);
}

int processors_in_affinity_mask(int hardware) {
#ifdef __linux__
  // The kernel refuses a mask that is smaller than its own; 64 Ki processors are enough for any.
  for (int size = 1024; size <= 65536; size *= 4) {
    cpu_set_t* mask = CPU_ALLOC(size);
    const bool known = mask && sched_getaffinity(0, CPU_ALLOC_SIZE(size), mask) == 0;
    const int n = known ? CPU_COUNT_S(CPU_ALLOC_SIZE(size), mask) : 0;
    CPU_FREE(mask);
    if (n > 0) return n;
  }
#endif
  return hardware;
}

double quota(double time, double period) { return time > 0 && period > 0 ? time / period : kNoLimit; }

/// Version 2: one file, "max 100000" or "150000 100000".
double quota_v2(const std::string& folder) {
  double time = 0, period = 0;
  std::ifstream(folder + "/cpu.max") >> time >> period;
  return quota(time, period);
}

/// Version 1: two files; -1 is no limit.
double quota_v1(const std::string& folder) {
  double time = 0, period = 0;
  std::ifstream(folder + "/cpu.cfs_quota_us") >> time;
  std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  return quota(time, period);
}

/// The smallest quota of the group and the groups around it. Inside a container the group's path may be
/// that of the host, while the mount shows the container's own group as its root: so paths may not exist.
double smallest(const std::string& mount, std::string group, double (*read)(const std::string&)) {
  double result = read(mount);
  for (; group.size() > 1; group.resize(group.rfind('/'))) result = std::min(result, read(mount + group));
  return result;
}

double quota_of_control_groups(const std::string& root) {
  double result = kNoLimit;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "number:controllers:/path"
    std::istringstream fields(line);
    std::string number, controllers, group;
    std::getline(fields, number, ':');
    std::getline(fields, controllers, ':');
    std::getline(fields, group);
    if (group.empty() || group[0] != '/') continue;
    if (controllers.empty()) {
      for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
        result = std::min(result, smallest(root + mount, group, quota_v2));
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      for (const std::string& mount : {controllers, std::string("cpu")})
        result = std::min(result, smallest(root + "/sys/fs/cgroup/" + mount, group, quota_v1));
    }
  }
  return result;
}

}  // namespace

CpuLimits cpu_limits(const std::string& root) {
  CpuLimits limits;
  limits.hardware = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  limits.affinity = processors_in_affinity_mask(limits.hardware);
  limits.quota = quota_of_control_groups(root);
  limits.environment = threads_in_environment();
  return limits;
}

int allowed_threads(const CpuLimits& limits) {
  int n = limits.environment > 0 ? limits.environment : limits.hardware;
  n = std::min(n, limits.affinity);
  if (limits.quota < n) n = static_cast<int>(std::ceil(limits.quota));
  return std::max(1, n);
}

}  // namespace initcore
