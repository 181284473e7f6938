// ZmqStatus: what libzmq's error numbers mean as a status. They are errnos, and some of its own.
#ifndef GROVE_ZEROMQ_ZMQ_ERROR_H_
#define GROVE_ZEROMQ_ZMQ_ERROR_H_

#include <string_view>

#include "absl/status/status.h"

namespace grove::zeromq {

// `call`: what was tried: "bind tcp://*:80".
absl::Status ZmqStatus(int error, std::string_view call);

}  // namespace grove::zeromq

#endif  // GROVE_ZEROMQ_ZMQ_ERROR_H_
