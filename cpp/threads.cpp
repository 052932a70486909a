// How a job is shared out. Its units are cut into a few contiguous pieces per thread, and whoever is free
// takes the next one. So a worker that wakes late, or whose processor is busy with another program, delays
// nobody: the caller waits only for pieces that somebody has begun. If it waits long all the same, because
// the system has given a worker's processor to another program in the middle of a piece, it computes alone
// for a while.
//
// One 64-bit word says all that a worker must know to take a piece (Ticket). It takes one by compare and
// swap of the whole word, and only then reads the rest of the job: the job cannot change any more, because
// its owner waits for that piece.
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "cpu_limits.h"

namespace initcore {

namespace {

using Clock = std::chrono::steady_clock;

// A thread that waits spins this often (about 50 microseconds, the gap between two operations of a plan),
// then yields this often (which lets a busy neighbour have the processor), then sleeps.
constexpr int kSpins = 2000;
constexpr int kYields = 200;

// Pieces per thread: a thread that comes late costs the others at most about this part of their share.
constexpr Index kPiecesPerThread = 4;

// Having waited for t in vain, the caller works alone for t; if it soon waits in vain again, for twice as
// many times as before, up to this many. So where processors are always busy, jobs are slower by that part at
// most, and a neighbour that was busy once, as other libraries' waiting threads are, costs little.
constexpr int kMostAlonePerWait = 16;
constexpr Clock::duration kSoon = std::chrono::milliseconds(100);

// A wait that is not worth the thought: that for a worker to end its last piece of a short job.
constexpr Clock::duration kShortWait = std::chrono::microseconds(5);

constexpr int kMaxWorkers = 0xffff;

/// What is left of the current job: its number, how many workers may help, how many pieces nobody has begun.
struct Ticket {
  std::uint64_t word;
  Ticket(std::uint64_t w) : word(w) {}
  Ticket(std::uint64_t job, int helpers, Index pieces)
      : word(job << 32 | std::uint64_t(helpers) << 16 | std::uint64_t(pieces)) {}
  std::uint64_t job() const { return word >> 32; }
  int helpers() const { return int(word >> 16 & 0xffff); }
  Index pieces() const { return Index(word & 0xffff); }
};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Moves the calling thread off this processor, if it may run on another. The system is slow to part two
/// threads of one process that it has put on one processor: they were seen to share it for whole seconds,
/// beside an idle one.
void leave_processor(int processor) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  cpu_set_t others = allowed;
  CPU_CLR(processor, &others);
  if (CPU_COUNT(&others) == 0) return;
  sched_setaffinity(0, sizeof others, &others);
  sched_setaffinity(0, sizeof allowed, &allowed);  // it stays where it is now, but may move again
}

/// Waits until ready(): awake at first, then asleep. Whoever makes it ready calls wake().
class Waiter {
 public:
  template <typename Ready>
  void wait(const Ready& ready) {
    for (int i = 0; i < kSpins; ++i) {
      if (ready()) return;
      relax();
    }
    for (int i = 0; i < kYields; ++i) {
      if (ready()) return;
      sched_yield();
    }
    std::unique_lock lock(mutex_);
    asleep_.store(true);  // sequentially consistent, as what ready() reads: see wake()
    condition_.wait(lock, ready);
    asleep_.store(false);
  }

  /// After a sequentially consistent store that makes the waiter ready: either it sees that store, or this
  /// sees that it is asleep.
  void wake() {
    if (!asleep_.load()) return;
    {
      const std::lock_guard lock(mutex_);
    }
    condition_.notify_one();
  }

 private:
  std::atomic<bool> asleep_{false};
  std::mutex mutex_;
  std::condition_variable condition_;
};

class Pool {
 public:
  /// Runs the job and returns true; returns false at once if the pool is busy or has no workers.
  bool run(Index units, int threads, Task task, const void* context);

  PoolState state() const { return {workers_.load(), refused_.load()}; }
  void retry() { refused_.store(false), alone_until_.store({}); }

 private:
  void start_workers(int wanted);
  void work(int id, Waiter& waiter);
  bool take_piece(std::uint64_t job);

  std::atomic<bool> busy_{false};
  std::atomic<int> workers_{0};
  std::atomic<bool> refused_{false};
  std::vector<std::unique_ptr<Waiter>> waiters_;  // one for each worker
  Waiter owner_;

  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<Index> finished_{0};  // pieces of the current job
  std::atomic<int> owner_processor_{-1};        // where the caller was when it began the job

  // The current job, and its first failure (that of the lowest piece, whoever ran it).
  alignas(64) Task task_ = nullptr;
  const void* context_ = nullptr;
  Index units_ = 0, pieces_ = 0;
  std::atomic<Clock::time_point> alone_until_{Clock::time_point{}};
  int alone_per_wait_ = 1;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
  Index failed_piece_ = 0;
};

std::atomic<Pool*> the_pool{nullptr};  // never destroyed: workers may outlive everything else
std::atomic<int> chosen_threads{0};    // 0: not known yet
std::atomic<bool> chosen_by_user{false};
std::atomic<void (*)()> warn_refused{nullptr};

void forget_pool_in_child() {
  the_pool.store(nullptr);  // its threads stayed in the parent, its locks may be held by them
  if (!chosen_by_user.load()) chosen_threads.store(0);
}

[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, forget_pool_in_child);

Pool& pool() {
  Pool* current = the_pool.load();
  if (!current) {
    Pool* fresh = new Pool;
    if (the_pool.compare_exchange_strong(current, fresh)) return *fresh;
    delete fresh;
  }
  return *current;
}

void Pool::start_workers(int wanted) {
  if (workers_.load() >= wanted || refused_.load()) return;
  // Workers take no signals: Python expects them in its own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    while (workers_.load() < wanted) {
      waiters_.push_back(std::make_unique<Waiter>());
      std::thread(&Pool::work, this, workers_.load(), std::ref(*waiters_.back())).detach();
      workers_.fetch_add(1);
    }
  } catch (const std::exception&) {  // no thread, or no memory for one
    waiters_.resize(std::size_t(workers_.load()));
    refused_.store(true);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (refused_.load())
    if (const auto warn = warn_refused.load()) warn();
}

bool Pool::take_piece(std::uint64_t job) {
  Ticket ticket = ticket_.load(std::memory_order_acquire);
  do {
    if (ticket.job() != job || ticket.pieces() == 0) return false;
  } while (!ticket_.compare_exchange_weak(ticket.word, ticket.word - 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  const Index piece = pieces_ - ticket.pieces();
  try {
    task_(context_, units_ * piece / pieces_, units_ * (piece + 1) / pieces_);
  } catch (...) {
    const std::lock_guard lock(failure_mutex_);
    if (!failure_ || piece < failed_piece_) failure_ = std::current_exception(), failed_piece_ = piece;
  }
  const Index all = pieces_;
  if (finished_.fetch_add(1) + 1 == all) owner_.wake();
  return true;
}

void Pool::work(int id, Waiter& waiter) {
  std::uint64_t seen = 0;
  for (;;) {
    Ticket ticket = 0;
    waiter.wait([&] {
      ticket = ticket_.load();
      return ticket.job() != seen && id < ticket.helpers();
    });
    seen = ticket.job();
    const int here = sched_getcpu();
    if (here >= 0 && here == owner_processor_.load(std::memory_order_relaxed)) leave_processor(here);
    while (take_piece(seen)) {
    }
  }
}

bool Pool::run(Index units, int threads, Task task, const void* context) {
  if (busy_.exchange(true, std::memory_order_acquire)) return false;
  const Clock::time_point start = Clock::now();
  start_workers(std::min(threads - 1, kMaxWorkers));
  const int helpers = start < alone_until_.load() ? 0 : std::min(threads - 1, workers_.load());
  if (helpers <= 0) {
    busy_.store(false, std::memory_order_release);
    return false;
  }
  task_ = task, context_ = context, units_ = units;
  pieces_ = std::min({units, kPiecesPerThread * (helpers + 1), Index(0xffff)});
  finished_.store(0, std::memory_order_relaxed);
  owner_processor_.store(sched_getcpu(), std::memory_order_relaxed);
  const std::uint64_t job = (Ticket(ticket_.load(std::memory_order_relaxed)).job() + 1) & 0xffffffff;
  ticket_.store(Ticket(job, helpers, pieces_).word);
  for (int i = 0; i < helpers; ++i) waiters_[std::size_t(i)]->wake();

  while (take_piece(job)) {
  }
  const Clock::time_point done = Clock::now();
  owner_.wait([&] { return finished_.load() == pieces_; });
  const Clock::duration waited = Clock::now() - done;
  if (waited > kShortWait && waited > (done - start) / 2) {
    const bool again = start - alone_until_.load() < kSoon;
    alone_per_wait_ = again ? std::min(2 * alone_per_wait_, kMostAlonePerWait) : 1;
    alone_until_.store(done + (1 + alone_per_wait_) * waited);
  }
  const std::exception_ptr failure = std::exchange(failure_, nullptr);
  busy_.store(false, std::memory_order_release);
  if (failure) std::rethrow_exception(failure);
  return true;
}

}  // namespace

void parallel_for(Index units, int threads, Task task, const void* context) {
  if (!pool().run(units, threads, task, context)) task(context, 0, units);
}

int num_threads() {
  int n = chosen_threads.load(std::memory_order_relaxed);
  if (n > 0) return n;
  const int allowed = allowed_threads(cpu_limits());
  return chosen_threads.compare_exchange_strong(n, allowed) ? allowed : n;
}

void set_num_threads(int n) {
  if (n < 1) throw std::invalid_argument("number of threads must be at least 1, got " + std::to_string(n));
  chosen_by_user.store(true);
  chosen_threads.store(n);
  pool().retry();
}

namespace {
thread_local bool computes_alone = false;
}

Alone::Alone(bool wanted) : before_(std::exchange(computes_alone, computes_alone || wanted)) {}
Alone::~Alone() { computes_alone = before_; }
bool is_alone() { return computes_alone; }

PoolState pool_state() {
  const Pool* current = the_pool.load();
  return current ? current->state() : PoolState{0, false};
}

void on_thread_refused(void (*warn)()) { warn_refused.store(warn); }

}  // namespace initcore
