#include "server/control/rpc_status.h"

#include <string>

#include "google/rpc/error_details.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::control {

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status rpc;
  rpc.set_code(static_cast<int>(status.code()));
  rpc.set_message(std::string(status.message()));
  if (status.ok()) return rpc;
  bool has_error_info = false;
  status.ForEachPayload([&](auto type_url, const absl::Cord& payload) {
    google::protobuf::Any* detail = rpc.add_details();
    detail->set_type_url(std::string(type_url));
    detail->set_value(std::string(payload));
    has_error_info |= Std(type_url) == tasks::kErrorInfoType;
  });
  if (!has_error_info) {
    google::rpc::ErrorInfo info;
    info.set_reason(absl::StatusCodeToString(status.code()));
    info.set_domain(std::string(tasks::kRefusalDomain));
    rpc.add_details()->PackFrom(info);
  }
  return rpc;
}

}  // namespace grove::control
