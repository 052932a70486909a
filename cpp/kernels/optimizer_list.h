// The update rules of the optimizers. To add one: write a struct like its neighbours, name it in
// `OptimizerList` at the end, and add a dataclass to python/initcore/optimizers.py.
#pragma once

#include "kernels/isa.h"
#include "kernels/optimizers.h"
#include "kernels/type_list.h"

namespace initcore::INITCORE_ISA {
namespace {  // for optimizers.cpp alone: no copy of a rule can be linked for another instruction set

inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }

// The larger of two numbers; NaN if the second one is.
template <typename T>
inline T at_least(T low, T x) {
  return low > x ? low : x;
}

// prepare(hyperparameters, t, rate, scalars)  the rule with the coefficients of step t.
// rule(w, g, slots...)                        the new w; updates the slots.
// Coefficients are worked out in double and rounded once.

template <typename T>
struct Sgd {
  static constexpr const char* kName = "sgd";
  static constexpr const char* kSource = "Robbins & Monro 1951, doi:10.1214/aoms/1177729586";
  T rate;
  static Sgd prepare(const double*, std::int64_t, double rate, double*) { return {T(rate)}; }
  T operator()(T w, T g) const { return w - rate * g; }
};

template <typename T>
struct Momentum {
  static constexpr const char* kName = "momentum";
  static constexpr const char* kSource = "Polyak 1964, doi:10.1016/0041-5553(64)90137-5";
  static constexpr const char* kHyperparameters[] = {"momentum"};
  static constexpr const char* kSlots[] = {"velocity"};
  T rate, momentum;
  static Momentum prepare(const double* h, std::int64_t, double rate, double*) { return {T(rate), T(h[0])}; }
  T operator()(T w, T g, T& velocity) const {
    velocity = momentum * velocity + g;
    return w - rate * velocity;
  }
};

template <typename T>
struct Nesterov {
  static constexpr const char* kName = "nesterov";
  static constexpr const char* kSource = "Sutskever et al. 2013, ICML, section 2";
  static constexpr const char* kHyperparameters[] = {"momentum"};
  static constexpr const char* kSlots[] = {"velocity"};
  T rate, momentum;
  static Nesterov prepare(const double* h, std::int64_t, double rate, double*) { return {T(rate), T(h[0])}; }
  T operator()(T w, T g, T& velocity) const {
    velocity = momentum * velocity + g;
    return w - rate * (momentum * velocity + g);
  }
};

// One step of an exponential moving average.
template <typename T>
struct Average {
  T beta, rest;
  static Average of(double beta) { return {T(beta), T(1 - beta)}; }
  T operator()(T mean, T x) const { return beta * mean + rest * x; }
};

// 1 - beta^t: by how much an average that started at zero is too small. Soon beta^t < e^((beta - 1) t) is
// lost in rounding, and the power need not be computed.
inline double bias(double beta, std::int64_t t) {
  return (1 - beta) * double(t) > 40 ? 1 : 1 - __builtin_pow(beta, double(t));
}

template <typename T>
struct Adam {
  static constexpr const char* kName = "adam";
  static constexpr const char* kSource = "Kingma & Ba 2015, arXiv:1412.6980, algorithm 1";
  static constexpr const char* kHyperparameters[] = {"beta_1", "beta_2", "epsilon"};
  static constexpr const char* kSlots[] = {"first_moment", "second_moment"};
  Average<T> first, second;
  T rate, correction, epsilon;
  static Adam prepare(const double* h, std::int64_t t, double rate, double*) {
    return {Average<T>::of(h[0]), Average<T>::of(h[1]), T(rate / bias(h[0], t)),
            T(1 / __builtin_sqrt(bias(h[1], t))), T(h[2])};
  }
  T operator()(T w, T g, T& m, T& v) const {
    m = first(m, g);
    v = second(v, g * g);
    return w - rate * m / (root(v) * correction + epsilon);
  }
};

template <typename T>
struct AmsGrad : Adam<T> {
  static constexpr const char* kName = "amsgrad";
  static constexpr const char* kSource = "Reddi et al. 2018, arXiv:1904.09237, algorithm 2";
  static constexpr const char* kSlots[] = {"first_moment", "second_moment", "largest_second_moment"};
  T operator()(T w, T g, T& m, T& v, T& largest) const {
    m = this->first(m, g);
    v = this->second(v, g * g);
    largest = at_least(largest, v);
    return w - this->rate * m / (root(largest) * this->correction + this->epsilon);
  }
};

template <typename T>
struct Adamax {
  static constexpr const char* kName = "adamax";
  static constexpr const char* kSource = "Kingma & Ba 2015, arXiv:1412.6980, algorithm 2";
  static constexpr const char* kHyperparameters[] = {"beta_1", "beta_2", "epsilon"};
  static constexpr const char* kSlots[] = {"first_moment", "infinity_norm"};
  Average<T> first;
  T rate, beta_2, epsilon;
  static Adamax prepare(const double* h, std::int64_t t, double rate, double*) {
    return {Average<T>::of(h[0]), T(rate / bias(h[0], t)), T(h[1]), T(h[2])};
  }
  T operator()(T w, T g, T& m, T& u) const {
    m = first(m, g);
    u = at_least(beta_2 * u, (g < 0 ? -g : g) + epsilon);
    return w - rate * m / u;
  }
};

template <typename T>
struct Nadam {
  static constexpr const char* kName = "nadam";
  static constexpr const char* kSource = "Dozat 2016, ICLR workshop, algorithm 2; schedule: section 3";
  static constexpr const char* kHyperparameters[] = {"beta_1", "beta_2", "epsilon", "momentum_decay"};
  static constexpr const char* kSlots[] = {"first_moment", "second_moment"};
  static constexpr const char* kScalars[] = {"momentum_product"};
  Average<T> first, second;
  T gradient_rate, moment_rate, correction, epsilon;
  static Nadam prepare(const double* h, std::int64_t t, double rate, double* product) {
    const double now = momentum(h, t), next = momentum(h, t + 1);
    *product = t == 1 ? now : *product * now;
    return {Average<T>::of(h[0]),
            Average<T>::of(h[1]),
            T(rate * (1 - now) / (1 - *product)),
            T(rate * next / (1 - *product * next)),
            T(1 / __builtin_sqrt(bias(h[1], t))),
            T(h[2])};
  }
  static double momentum(const double* h, std::int64_t t) {
    return h[0] * (1 - 0.5 * __builtin_pow(0.96, double(t) * h[3]));
  }
  T operator()(T w, T g, T& m, T& v) const {
    m = first(m, g);
    v = second(v, g * g);
    return w - (gradient_rate * g + moment_rate * m) / (root(v) * correction + epsilon);
  }
};

template <typename T>
struct RmsProp {
  static constexpr const char* kName = "rmsprop";
  static constexpr const char* kSource = "Tieleman & Hinton 2012, Coursera lecture 6e";
  static constexpr const char* kHyperparameters[] = {"rho", "epsilon", "momentum"};
  static constexpr const char* kSlots[] = {"mean_square"};
  Average<T> average;
  T rate, epsilon, momentum;
  static RmsProp prepare(const double* h, std::int64_t, double rate, double*) {
    return {Average<T>::of(h[0]), T(rate), T(h[1]), T(h[2])};
  }
  // The gradient over its root mean square, or over its standard deviation if the mean is given too.
  T scaled(T g, T& v) const {
    v = average(v, g * g);
    return g / (root(v) + epsilon);
  }
  T scaled(T g, T& v, T& mean) const {
    v = average(v, g * g);
    mean = average(mean, g);
    return g / (root(at_least(T(0), v - mean * mean)) + epsilon);  // rounding may make it less than 0
  }
  T operator()(T w, T g, T& v) const { return w - rate * scaled(g, v); }
};

template <typename T>
struct RmsPropMomentum : RmsProp<T> {
  static constexpr const char* kName = "rmsprop_momentum";
  static constexpr const char* kSlots[] = {"mean_square", "velocity"};
  T operator()(T w, T g, T& v, T& velocity) const {
    velocity = this->momentum * velocity + this->scaled(g, v);
    return w - this->rate * velocity;
  }
};

template <typename T>
struct RmsPropCentered : RmsProp<T> {
  static constexpr const char* kName = "rmsprop_centered";
  static constexpr const char* kSource = "Graves 2013, arXiv:1308.0850, equations 38 to 41";
  static constexpr const char* kSlots[] = {"mean_square", "mean"};
  T operator()(T w, T g, T& v, T& mean) const { return w - this->rate * this->scaled(g, v, mean); }
};

template <typename T>
struct RmsPropCenteredMomentum : RmsProp<T> {
  static constexpr const char* kName = "rmsprop_centered_momentum";
  static constexpr const char* kSource = "Graves 2013, arXiv:1308.0850, equations 38 to 41";
  static constexpr const char* kSlots[] = {"mean_square", "mean", "velocity"};
  T operator()(T w, T g, T& v, T& mean, T& velocity) const {
    velocity = this->momentum * velocity + this->scaled(g, v, mean);
    return w - this->rate * velocity;
  }
};

template <typename T>
struct Adagrad {
  static constexpr const char* kName = "adagrad";
  static constexpr const char* kSource = "Duchi et al. 2011, JMLR 12, figure 1";
  static constexpr const char* kHyperparameters[] = {"initial_accumulator_value", "epsilon"};
  static constexpr const char* kSlots[] = {"sum_of_squares"};
  T rate, initial, epsilon;
  static Adagrad prepare(const double* h, std::int64_t, double rate, double*) {
    return {T(rate), T(h[0]), T(h[1])};
  }
  T operator()(T w, T g, T& sum) const {
    sum += g * g;
    return w - rate * g / (root(initial + sum) + epsilon);
  }
};

template <typename T>
struct Adadelta {
  static constexpr const char* kName = "adadelta";
  static constexpr const char* kSource = "Zeiler 2012, arXiv:1212.5701, algorithm 1";
  static constexpr const char* kHyperparameters[] = {"rho", "epsilon"};
  static constexpr const char* kSlots[] = {"mean_square", "mean_square_step"};
  Average<T> average;
  T rate, epsilon;
  static Adadelta prepare(const double* h, std::int64_t, double rate, double*) {
    return {Average<T>::of(h[0]), T(rate), T(h[1])};
  }
  T operator()(T w, T g, T& v, T& steps) const {
    v = average(v, g * g);
    const T step = root((steps + epsilon) / (v + epsilon)) * g;
    steps = average(steps, step * step);
    return w - rate * step;
  }
};

template <typename T>
struct Lion {
  static constexpr const char* kName = "lion";
  static constexpr const char* kSource = "Chen et al. 2023, arXiv:2302.06675, algorithm 2";
  static constexpr const char* kHyperparameters[] = {"beta_1", "beta_2"};
  static constexpr const char* kSlots[] = {"momentum"};
  Average<T> direction, average;
  T rate;
  static Lion prepare(const double* h, std::int64_t, double rate, double*) {
    return {Average<T>::of(h[0]), Average<T>::of(h[1]), T(rate)};
  }
  T operator()(T w, T g, T& m) const {
    const T d = direction(m, g);
    m = average(m, g);
    return w - rate * (d > 0 ? T(1) : d < 0 ? T(-1) : d);  // the sign, but NaN stays NaN
  }
};

template <typename T>
using OptimizerList = TypeList<Sgd<T>, Momentum<T>, Nesterov<T>, Adam<T>, AmsGrad<T>, Adamax<T>, Nadam<T>,
                               RmsProp<T>, RmsPropMomentum<T>, RmsPropCentered<T>, RmsPropCenteredMomentum<T>,
                               Adagrad<T>, Adadelta<T>, Lion<T>>;

}  // namespace
}  // namespace initcore::INITCORE_ISA
