// FakeError: what a fake server refuses with, in the form of the real one.
#ifndef GROVE_CLIENT_FAKE_ERROR_H_
#define GROVE_CLIENT_FAKE_ERROR_H_

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace grove::client {

inline google::rpc::Status FakeError(int code, const std::string& message,
                                     const std::string& reason) {
  google::rpc::Status error;
  error.set_code(code);
  error.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("grove");
  error.add_details()->PackFrom(info);
  return error;
}

}  // namespace grove::client

#endif  // GROVE_CLIENT_FAKE_ERROR_H_
