#include "server/http/handler/response.h"

#include "absl/strings/str_cat.h"
#include "http/message/field.h"
#include "http/message/scan.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

bool IsFramingField(std::string_view name) {
  return EqualsIgnoreCase(name, "transfer-encoding") || EqualsIgnoreCase(name, "keep-alive") ||
         EqualsIgnoreCase(name, "trailer");
}

bool MayAdd(std::string_view name, std::string_view value) {
  const bool connection = EqualsIgnoreCase(name, "connection");
  return IsToken(name) && IsValue(value) && !IsFramingField(name) &&
         (!connection || EqualsIgnoreCase(value, "close"));
}

}  // namespace

void Response::Add(std::string_view name, std::string_view value) {
  if (!MayAdd(name, value)) {
    malformed_ = true;
    return;
  }
  fields_.Add(name, value);
}

void Response::AddAlways(std::string_view name, std::string_view value) {
  if (!MayAdd(name, value)) {
    malformed_ = true;
    return;
  }
  fields_.Insert(always_++, name, value);
}

void Response::AddTrailer(std::string_view name, std::string_view value) {
  if (!IsToken(name) || !IsValue(value) || IsFramingField(name)) {
    malformed_ = true;
    return;
  }
  trailers_.Add(name, value);
}

absl::Status Response::Check() const {
  if (begun_) return absl::FailedPreconditionError("the response has begun already");
  if (malformed_) return absl::InternalError("the handler added a malformed response field");
  if (status_ < 200 || status_ > 599) {
    return absl::InternalError(absl::StrCat("the handler set response status ", status_));
  }
  return absl::OkStatus();
}

absl::Status Response::Begin(std::optional<size_t> body_bytes) {
  if (absl::Status status = Check(); !status.ok()) return status;
  absl::Status begun = sink_->Begin(status_, fields_.span(), body_bytes);
  begun_ = begun.ok();
  return begun;
}

absl::Status Response::Write(std::string_view bytes) {
  if (finished_) return absl::FailedPreconditionError("the response is finished already");
  if (!begun_) {
    if (absl::Status begun = Begin(std::nullopt); !begun.ok()) return begun;
  }
  if (bytes.empty()) return absl::OkStatus();
  body_bytes_ += bytes.size();
  return sink_->Write(bytes);
}

absl::Status Response::Send(int status, std::string_view content_type, std::string_view body) {
  status_ = status;
  if (!IsValue(content_type)) malformed_ = true;
  if (absl::Status checked = Check(); !checked.ok()) return checked;
  begun_ = true;
  finished_ = true;
  body_bytes_ = body.size();
  return sink_->Send(status, fields_.span(), content_type, body);
}

absl::Status Response::SendNotModified(std::string_view content_type, uint64_t body_bytes) {
  sink_->Describe(content_type, body_bytes);
  return Send(304, "", "");
}

absl::StatusOr<Transport*> Response::SwitchProtocols(std::string_view protocol) {
  if (!IsToken(protocol)) malformed_ = true;
  if (absl::Status checked = Check(); !checked.ok()) return checked;
  absl::StatusOr<Transport*> transport = sink_->Switch(protocol, fields_.span());
  if (!transport.ok()) return transport;
  status_ = 101;
  begun_ = true;
  finished_ = true;
  return transport;
}

absl::Status Response::Flush() {
  if (!begun_) {
    if (absl::Status begun = Begin(std::nullopt); !begun.ok()) return begun;
  }
  return sink_->Flush();
}

absl::Status Response::SendInterim(int status, FieldSpan fields) {
  if (begun_) return absl::FailedPreconditionError("the response has begun already");
  // 101 ends HTTP on the connection: no handler's to send.
  if (status < 100 || status > 199 || status == 101) {
    return absl::InternalError(absl::StrCat(status, " is no status of an interim response"));
  }
  for (const auto& [name, value] : fields) {
    if (!IsToken(name) || !IsValue(value) || IsFramingField(name) ||
        EqualsIgnoreCase(name, "connection") || EqualsIgnoreCase(name, "content-length")) {
      return absl::InternalError(StrCat("an interim response has no field ", name));
    }
  }
  return sink_->SendInterim(status, fields);
}

absl::Status Response::Finish() {
  if (finished_) return absl::OkStatus();
  if (!begun_) {
    if (absl::Status begun = Begin(0); !begun.ok()) return begun;
  }
  if (malformed_) return absl::InternalError("the handler added a malformed trailer");
  finished_ = true;
  return sink_->Finish(trailers_.span());
}

absl::Status Response::WriteFile(int file, uint64_t offset, uint64_t length) {
  if (finished_) return absl::FailedPreconditionError("the response is finished already");
  if (!begun_) {
    if (absl::Status begun = Begin(std::nullopt); !begun.ok()) return begun;
  }
  if (length == 0) return absl::OkStatus();
  body_bytes_ += length;
  return sink_->WriteFile(file, offset, length);
}

absl::Status Response::SendFile(int status, std::string_view content_type, int file,
                                uint64_t offset, uint64_t length) {
  status_ = status;
  if (!content_type.empty()) Add("Content-Type", content_type);
  if (absl::Status begun = Begin(length); !begun.ok()) return begun;
  if (absl::Status written = WriteFile(file, offset, length); !written.ok()) return written;
  return Finish();
}

}  // namespace grove::http
