#include "database/redis/error_reply.h"

#include <optional>

#include "absl/strings/cord.h"
#include "runtime/switch/abseil_text.h"

namespace grove::redis {
namespace {

constexpr const char* kWordUrl = "grove.redis/error";

struct Row {
  std::string_view word;
  absl::StatusCode code;
};

constexpr Row kCodes[] = {
    {"ASK", absl::StatusCode::kFailedPrecondition},
    {"BUSY", absl::StatusCode::kUnavailable},
    {"BUSYGROUP", absl::StatusCode::kAlreadyExists},
    {"BUSYKEY", absl::StatusCode::kAlreadyExists},
    {"CLUSTERDOWN", absl::StatusCode::kUnavailable},
    {"CROSSSLOT", absl::StatusCode::kInvalidArgument},
    {"EXECABORT", absl::StatusCode::kAborted},
    {"LOADING", absl::StatusCode::kUnavailable},
    {"MASTERDOWN", absl::StatusCode::kUnavailable},
    {"MISCONF", absl::StatusCode::kFailedPrecondition},
    {"MOVED", absl::StatusCode::kFailedPrecondition},
    {"NOAUTH", absl::StatusCode::kUnauthenticated},
    {"NOGROUP", absl::StatusCode::kNotFound},
    {"NOPERM", absl::StatusCode::kPermissionDenied},
    {"NOREPLICAS", absl::StatusCode::kFailedPrecondition},
    {"NOSCRIPT", absl::StatusCode::kNotFound},
    {"OOM", absl::StatusCode::kResourceExhausted},
    {"READONLY", absl::StatusCode::kFailedPrecondition},
    {"TRYAGAIN", absl::StatusCode::kUnavailable},
    {"UNKILLABLE", absl::StatusCode::kFailedPrecondition},
    {"WRONGPASS", absl::StatusCode::kUnauthenticated},
    {"WRONGTYPE", absl::StatusCode::kFailedPrecondition},
};

}  // namespace

absl::Status ErrorReplyStatus(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(' '));
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  for (const Row& row : kCodes) {
    if (row.word == word) code = row.code;
  }
  absl::Status status(code, StrCat("redis: ", text));
  status.SetPayload(kWordUrl, absl::Cord(Abseil(word)));
  return status;
}

std::string ErrorWord(const absl::Status& status) {
  const auto word = status.GetPayload(kWordUrl);
  return word.has_value() ? std::string(*word) : "";
}

}  // namespace grove::redis
