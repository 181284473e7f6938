#include "server/process/child_channel.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "runtime/io/socket.h"
#include "server/link/session.h"
#include "server/log.h"
#include "server/process/command_channel.h"
#include "server/process/log_setup.h"

namespace grove::process {
namespace {

using internal::v1::ChildMessage;
using internal::v1::SupervisorMessage;

}  // namespace

absl::Status ChildChannel::Run(int fd) {
  absl::StatusOr<Socket> socket = Socket::Adopt(fd);
  if (!socket.ok()) return socket.status();
  link::Session session(*std::move(socket));
  open_ = true;
  absl::Status end = session.Run([this](std::string_view bytes) { return Take(bytes); },
                                 [this] { return Next(); });
  open_ = false;
  if (absl::IsCancelled(end)) return end;
  const bool by_supervisor = absl::IsOutOfRange(end) || absl::IsUnavailable(end);
  Log(by_supervisor ? LogLevel::kDebug : LogLevel::kError, "command channel ended",
      {{"why", end.message()}});
  if (handlers_.ended) handlers_.ended();
  return absl::OkStatus();
}

absl::Status ChildChannel::Take(std::string_view bytes) {
  SupervisorMessage message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("a message that is no SupervisorMessage");
  }
  const auto pass_on = [](auto& handler, auto* content) {
    if (handler) handler(std::move(*content));
  };
  switch (message.kind_case()) {
    case SupervisorMessage::kReply:
      pass_on(handlers_.reply, message.mutable_reply());
      break;
    case SupervisorMessage::kOperations:
      pass_on(handlers_.operations, message.mutable_operations());
      break;
    case SupervisorMessage::kApplyConfig:
      pass_on(handlers_.apply_config, message.mutable_apply_config());
      break;
    case SupervisorMessage::kSetLogLevel:
      SetLevel(message.set_log_level());
      break;
    // Of a supervisor of a newer build.
    case SupervisorMessage::KIND_NOT_SET:
      Log(LogLevel::kDebug, "the supervisor says what this build does not know");
      break;
  }
  return absl::OkStatus();
}

void ChildChannel::SetLevel(const internal::v1::SetLogLevel& wanted) {
  SetLogLevel(LogLevelOf(wanted.level()));
  ChildMessage message;
  message.mutable_log_level_set()->set_id(wanted.id());
  // Whoever asked has gone meanwhile: nothing is lost.
  Send(message).IgnoreError();
}

absl::Status ChildChannel::Send(const ChildMessage& message) {
  if (!open_) return absl::UnavailableError("the supervisor is not at the other end any more");
  const size_t bytes = message.ByteSizeLong();
  if (bytes > kChildMessageBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a message of ", bytes, " bytes; at most ",
                                                   kChildMessageBytesMax, " go to the supervisor"));
  }
  if (bytes_to_send_ + bytes > kChildBacklogBytesMax) {
    return absl::ResourceExhaustedError("the supervisor does not read what it is told");
  }
  bytes_to_send_ += bytes;
  to_send_.push_back(message.SerializeAsString());
  filled_.Set();
  return absl::OkStatus();
}

absl::StatusOr<std::string> ChildChannel::Next() {
  while (to_send_.empty()) {
    filled_.Reset();
    if (absl::Status waited = filled_.Wait(); !waited.ok()) return waited;
  }
  std::string bytes = std::move(to_send_.front());
  to_send_.pop_front();
  bytes_to_send_ -= bytes.size();
  return bytes;
}

}  // namespace grove::process
