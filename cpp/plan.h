// The executor: lists of operations, walked batch after batch without coming back to Python.
//
// An operation is a name and a function, which may come in parts; the executor knows nothing else about it.
// Operations are grouped into named segments ("forward", "loss", "backward", "update", ...), which run in any
// combination.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "index.h"
#include "thread_trial.h"

namespace initcore {

/// What changes from one batch to the next; everything else is fixed when an operation is appended.
struct Batch {
  Index rows = 0;                       // examples in this batch; the last may have fewer
  Index first = 0;                      // position of its first example in `order`
  Index total = 0;                      // examples of the run, and of `order`
  const std::int64_t* order = nullptr;  // example numbers, or null for 0, 1, 2, ...
  std::int64_t step = 1;                // number of this optimizer step, from 1
  double learning_rate = 0;
  Index part = 0;  // which part of an operation that has several is to run now
};

struct Operation {
  std::string name;
  std::function<void(const Batch&)> run;
  Index parts = 1;  // between which a run may stop: a long operation has several
};

/// A data set to draw batches from, or to deliver them to. Rebound for every run, so operations hold the
/// slot, not the pointer.
struct Input {
  enum class Type { kFloat32, kFloat64, kUint8, kInt32 };
  const void* data = nullptr;
  void* writable = nullptr;  // the same, unless it is read-only
  Type type = Type::kFloat32;
  Index columns = 0;

  /// The data set's elements. Throws std::invalid_argument unless this run has it, in that type and width.
  template <typename T>
  const T* elements(Index expected_columns) const {
    constexpr Type kWanted = std::is_same_v<T, float>          ? Type::kFloat32
                             : std::is_same_v<T, double>       ? Type::kFloat64
                             : std::is_same_v<T, std::uint8_t> ? Type::kUint8
                                                               : Type::kInt32;
    if (data == nullptr || type != kWanted || columns != expected_columns)
      throw std::invalid_argument(
          "an input of this run is missing, or not of the type and width of the plan");
    return static_cast<const T*>(data);
  }

  /// The same to write to. Throws if it is read-only, too.
  template <typename T>
  T* writable_elements(Index expected_columns) const {
    elements<T>(expected_columns);
    if (writable == nullptr) throw std::invalid_argument("what a run delivers to must not be read-only");
    return static_cast<T*>(writable);
  }
};

class Plan {
 public:
  explicit Plan(Index batch_size) : batch_size_(batch_size) {}

  Index batch_size() const { return batch_size_; }
  void append(const std::string& segment, Operation operation) {
    segments_[segment].push_back(std::move(operation));
  }
  const std::map<std::string, std::vector<Operation>>& segments() const { return segments_; }

  /// The slot that operations read a data set from. Slots are made on first use and never move; each run sets
  /// them anew.
  const Input* slot(const std::string& name) { return &inputs_[name]; }

  /// Prepares a run of `segments`, in that order, over `rows` examples. Nothing is computed yet. A segment
  /// without operations is none of the run; slots that `inputs` does not name are empty.
  /// learning_rates: one per batch, or null; step: number of the first step.
  void start(const std::vector<std::string>& segments, Index rows, const std::map<std::string, Input>& inputs,
             const std::int64_t* order, const double* learning_rates, std::int64_t step);

  /// Goes on with the run until `batches` more are finished or about `seconds` have passed, if need be in the
  /// middle of a batch, but never of a part of an operation. Returns how many batches of the run are
  /// finished. If an operation throws, the run can go on with it.
  Index advance(Index batches, double seconds);

  /// Batches of the run prepared by start().
  Index total() const { return rows_ <= 0 ? 0 : (rows_ + batch_size_ - 1) / batch_size_; }

 private:
  Index batch_size_;
  std::map<std::string, std::vector<Operation>> segments_;
  std::map<std::string, Input> inputs_;

  // The run in progress.
  std::vector<const Operation*> operations_;
  Index rows_ = 0;
  const std::int64_t* order_ = nullptr;
  const double* learning_rates_ = nullptr;
  std::int64_t step_ = 1;
  Index batch_ = 0;
  std::size_t next_ = 0;  // operation
  Index part_ = 0;

  ThreadTrial trial_;  // outlives a run: an epoch of small batches is a short time
};

}  // namespace initcore
