#include "server/control/rpc_status.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"

namespace grove::control {
namespace {

// Keeps what programs switch on.
std::string CutErrorInfo(const std::string& bytes) {
  google::rpc::ErrorInfo info, cut;
  if (!info.ParseFromString(bytes)) return "";
  cut.set_reason(Cut(info.reason()));
  cut.set_domain(Cut(info.domain()));
  return cut.SerializeAsString();
}

// The first violations, as far as they fit; empty if none does.
std::string CutBadRequest(const std::string& bytes, size_t bytes_max) {
  google::rpc::BadRequest request;
  if (!request.ParseFromString(bytes)) return "";
  auto& violations = *request.mutable_field_violations();
  while (!violations.empty() && request.ByteSizeLong() > bytes_max) violations.RemoveLast();
  return request.SerializeAsString();
}

// Of a status that has none.
void AddErrorInfo(const absl::Status& status, google::rpc::Status& rpc) {
  google::rpc::ErrorInfo info;
  info.set_reason(absl::StatusCodeToString(status.code()));
  info.set_domain(std::string(kRefusalDomain));
  rpc.add_details()->PackFrom(info);
}

// As gRPC sends it: the message with "%0A" for what is no printable ASCII, and all of it in base64.
size_t TrailerBytes(const google::rpc::Status& rpc) {
  size_t message = 0;
  for (const char c : rpc.message()) message += c >= ' ' && c <= '~' && c != '%' ? 1 : 3;
  return message + (rpc.ByteSizeLong() + 2) / 3 * 4;
}

}  // namespace

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status rpc;
  rpc.set_code(static_cast<int>(status.code()));
  rpc.set_message(CutMiddle(Std(status.message())));
  if (status.ok()) return rpc;
  size_t left = kDetailBytesMax;
  const auto add = [&](std::string_view type_url, std::string value) {
    if (type_url == kBadRequestType && type_url.size() < left) {
      value = CutBadRequest(value, left - type_url.size());
      if (value.empty()) return;
    }
    const size_t size = type_url.size() + value.size();
    if (size > left) return;
    left -= size;
    google::protobuf::Any* detail = rpc.add_details();
    detail->set_type_url(std::string(type_url));
    detail->set_value(std::move(value));
  };
  // First, so that it has its place.
  if (const auto info = status.GetPayload(Abseil(kErrorInfoType))) {
    std::string bytes(*info);
    add(kErrorInfoType, bytes.size() <= kDetailBytesMax / 2 ? bytes : CutErrorInfo(bytes));
  } else {
    AddErrorInfo(status, rpc);
  }
  status.ForEachPayload([&](auto type_url, const absl::Cord& payload) {
    if (Std(type_url) != kErrorInfoType) add(Std(type_url), std::string(payload));
  });
  return rpc;
}

google::rpc::Status ToTrailerStatus(const absl::Status& status, size_t bytes_max) {
  google::rpc::Status whole = DescribeStatus(status);
  if (status.ok()) return whole;
  if (!status.GetPayload(Abseil(kErrorInfoType))) AddErrorInfo(status, whole);
  // First, as above.
  auto& details = *whole.mutable_details();
  const auto info = std::find_if(details.begin(), details.end(), [](const auto& detail) {
    return detail.type_url() == kErrorInfoType;
  });
  std::iter_swap(details.begin(), info);
  return TrailerBytes(whole) <= std::min(bytes_max, kTrailerBytesMax) ? whole : ToRpcStatus(status);
}

}  // namespace grove::control
