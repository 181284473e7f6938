#include "server/http/handler.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/http/scan.h"

namespace grove::http {
namespace {

// A streamed body is read in pieces of this size.
constexpr size_t kReadBytes = 16 * 1024;

bool IsFramingField(std::string_view name) {
  return EqualsIgnoreCase(name, "transfer-encoding") || EqualsIgnoreCase(name, "keep-alive") ||
         EqualsIgnoreCase(name, "trailer");
}

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (absl::ascii_tolower(a[i]) != absl::ascii_tolower(b[i])) return false;
  }
  return true;
}

absl::Status ResponseSink::Send(int status, Fields fields, std::string_view content_type,
                                std::string_view body) {
  std::vector<std::pair<std::string, std::string>> all(fields.begin(), fields.end());
  if (!content_type.empty()) all.emplace_back("Content-Type", content_type);
  absl::Status sent = Begin(status, all, body.size());
  if (sent.ok() && !body.empty()) sent = Write(body);
  return sent.ok() ? Finish({}) : sent;
}

absl::StatusOr<Transport*> ResponseSink::Switch(std::string_view protocol, Fields) {
  return absl::UnimplementedError(
      absl::StrCat("no switch to ", std::string(protocol), " on this connection"));
}

std::optional<std::string_view> Request::Get(std::string_view name) const {
  for (const Field& field : fields) {
    if (EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::Param(std::string_view name) const {
  for (const PathParam& param : params) {
    if (param.name == name) return param.value;
  }
  return std::nullopt;
}

void Request::AddParam(std::string_view name, std::string_view value) {
  if (!storage) storage = std::make_unique<Storage>();
  storage->params.push_back({name, value});
  params = storage->params;
}

std::string_view Request::Keep(std::string text) {
  if (!storage) storage = std::make_unique<Storage>();
  return storage->texts.emplace_front(std::move(text));
}

absl::StatusOr<std::string> Request::ReadWholeBody(size_t bytes_max) {
  std::string whole;
  while (true) {
    const size_t before = whole.size();
    whole.resize(before + std::max(before, kReadBytes));
    absl::StatusOr<size_t> got = ReadBody(std::span(whole).subspan(before));
    if (!got.ok()) return got.status();
    whole.resize(before + *got);
    if (whole.size() > bytes_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the request's body is longer than ", bytes_max, " bytes"));
    }
    if (*got == 0) return whole;
  }
}

void Response::Add(std::string_view name, std::string_view value) {
  const bool connection = EqualsIgnoreCase(name, "connection");
  if (!IsToken(name) || !IsValue(value) || IsFramingField(name) ||
      (connection && !EqualsIgnoreCase(value, "close"))) {
    malformed_ = true;
    return;
  }
  fields_.emplace_back(name, value);
}

void Response::AddAlways(std::string_view name, std::string_view value) {
  const size_t before = fields_.size();
  Add(name, value);
  if (fields_.size() == before) return;
  std::rotate(fields_.begin() + always_, fields_.end() - 1, fields_.end());
  ++always_;
}

void Response::AddTrailer(std::string_view name, std::string_view value) {
  if (!IsToken(name) || !IsValue(value) || IsFramingField(name)) {
    malformed_ = true;
    return;
  }
  trailers_.emplace_back(name, value);
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
  absl::Status begun = sink_->Begin(status_, fields_, body_bytes);
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
  return sink_->Send(status, fields_, content_type, body);
}

absl::StatusOr<Transport*> Response::SwitchProtocols(std::string_view protocol) {
  if (!IsToken(protocol)) malformed_ = true;
  if (absl::Status checked = Check(); !checked.ok()) return checked;
  absl::StatusOr<Transport*> transport = sink_->Switch(protocol, fields_);
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

absl::Status Response::SendInterim(int status, Fields fields) {
  if (begun_) return absl::FailedPreconditionError("the response has begun already");
  // 101 ends HTTP on the connection: no handler's to send.
  if (status < 100 || status > 199 || status == 101) {
    return absl::InternalError(absl::StrCat(status, " is no status of an interim response"));
  }
  for (const auto& [name, value] : fields) {
    if (!IsToken(name) || !IsValue(value) || IsFramingField(name) ||
        EqualsIgnoreCase(name, "connection") || EqualsIgnoreCase(name, "content-length")) {
      return absl::InternalError(absl::StrCat("an interim response has no field ", name));
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
  return sink_->Finish(trailers_);
}

int StatusToHttp(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kFailedPrecondition:
      return 400;
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
      return 409;
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kCancelled:
      return 503;  // by a shutdown; a client that went away hears nothing
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

}  // namespace grove::http
