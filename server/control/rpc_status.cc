#include "server/control/rpc_status.h"

#include <string>
#include <string_view>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

// Keeps what programs switch on.
std::string CutErrorInfo(const std::string& bytes) {
  google::rpc::ErrorInfo info, cut;
  if (!info.ParseFromString(bytes)) return "";
  cut.set_reason(tasks::Cut(info.reason()));
  cut.set_domain(tasks::Cut(info.domain()));
  return cut.SerializeAsString();
}

// Of a status that has none.
void AddErrorInfo(const absl::Status& status, google::rpc::Status& rpc) {
  google::rpc::ErrorInfo info;
  info.set_reason(absl::StatusCodeToString(status.code()));
  info.set_domain(std::string(tasks::kRefusalDomain));
  rpc.add_details()->PackFrom(info);
}

}  // namespace

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status rpc;
  rpc.set_code(static_cast<int>(status.code()));
  rpc.set_message(tasks::CutMiddle(Std(status.message())));
  if (status.ok()) return rpc;
  size_t left = kDetailBytesMax;
  const auto add = [&](std::string_view type_url, std::string value) {
    const size_t size = type_url.size() + value.size();
    if (size > left) return;
    left -= size;
    google::protobuf::Any* detail = rpc.add_details();
    detail->set_type_url(std::string(type_url));
    detail->set_value(std::move(value));
  };
  // First, so that it has its place.
  if (const auto info = status.GetPayload(Abseil(tasks::kErrorInfoType))) {
    std::string bytes(*info);
    add(tasks::kErrorInfoType, bytes.size() <= kDetailBytesMax / 2 ? bytes : CutErrorInfo(bytes));
  } else {
    AddErrorInfo(status, rpc);
  }
  status.ForEachPayload([&](auto type_url, const absl::Cord& payload) {
    if (Std(type_url) != tasks::kErrorInfoType) add(Std(type_url), std::string(payload));
  });
  return rpc;
}

absl::Status FromRpcStatus(const google::rpc::Status& rpc) {
  absl::Status status(static_cast<absl::StatusCode>(rpc.code()), Abseil(rpc.message()));
  for (const google::protobuf::Any& detail : rpc.details()) {
    status.SetPayload(Abseil(detail.type_url()), absl::Cord(Abseil(detail.value())));
  }
  return status;
}

}  // namespace grove::control
