// By what requests are counted: kDurationBounds and kCountedMethods.
#ifndef GROVE_SERVER_HTTP_SERVING_COUNTING_H_
#define GROVE_SERVER_HTTP_SERVING_COUNTING_H_

#include <array>
#include <string_view>

namespace grove::http {

// How long requests took: upper bounds in seconds, those that Prometheus' clients start with and
// one below, as an answer out of memory takes well under a millisecond.
inline constexpr std::array<double, 13> kDurationBounds = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};

// Methods that are counted one by one; the last stands for all others.
inline constexpr std::array<std::string_view, 8> kCountedMethods = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_COUNTING_H_
