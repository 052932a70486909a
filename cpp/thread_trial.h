// Whether several threads pay for a step, found out by trying.
//
// Two processors may be far apart, or one of them busy: then a short step takes longer on both than on one,
// and no limit on waiting can tell, for what is slow is not to wait but to work on what the other one wrote.
// The results have the same bits either way.
#pragma once

#include <algorithm>
#include <limits>

namespace initcore {

class ThreadTrial {
 public:
  /// Whether the next step is to be computed by the calling thread alone.
  bool alone() const { return phase_ == kTryAlone || (phase_ == kKeep && alone_); }

  /// It took so many seconds.
  void note(double seconds) {
    if (phase_ == kTryTogether && seconds > kLong) {
      steps_ = 0;
      return;
    }
    if (phase_ != kKeep) best_[phase_] = std::min(best_[phase_], seconds);
    if (++steps_ < (phase_ == kKeep ? kept_ : kTries)) return;
    steps_ = 0;
    if (phase_ == kTryAlone) {
      const bool again = alone_;
      alone_ = best_[kTryAlone] < best_[kTryTogether];
      const bool narrowly = alone_ && best_[kTryAlone] > kNarrow * best_[kTryTogether];
      kept_ = again && alone_ ? std::min(2 * kept_, kLongestKept) : narrowly ? kSoon : kKept;
    }
    if (phase_ == kKeep) best_[kTryTogether] = best_[kTryAlone] = kNever;
    phase_ = phase_ == kKeep ? kTryTogether : phase_ + 1;
  }

 private:
  enum { kTryTogether, kTryAlone, kKeep };

  // Of some tries the shortest counts: the first ones find the data in the other processor's cache.
  static constexpr int kTries = 4, kKept = 64 * kTries;

  // Where one thread is hardly faster, mostly the other one did not help: it slept, or its processor was
  // taken for a moment (kMostAlonePerWait in threads.cpp). So that is asked again soon.
  static constexpr int kSoon = 8 * kTries;
  static constexpr double kNarrow = 0.9;

  // A step together that does not pay may take several times as long; so the more often that was seen in a
  // row, the less often it is tried.
  static constexpr int kLongestKept = 16 * kKept;

  // A step that takes longer than so many seconds together is long enough for threads to pay wherever they
  // are.
  static constexpr double kLong = 1e-3;

  static constexpr double kNever = std::numeric_limits<double>::infinity();

  int phase_ = kTryTogether, steps_ = 0, kept_ = kKept;
  bool alone_ = false;
  double best_[2] = {kNever, kNever};
};

}  // namespace initcore
