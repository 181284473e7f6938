#include "server/http/middleware/body_limit.h"

#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace grove::http {
namespace {

class LimitedBody final : public BodySource {
 public:
  LimitedBody(BodySource& body, uint64_t bytes_max) : body_(body), left_(bytes_max) {}

  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    if (exceeded_) return TooLong();
    absl::StatusOr<size_t> got = body_.Read(buffer);
    if (!got.ok()) return got;
    exceeded_ = *got > left_;
    if (exceeded_) return TooLong();
    left_ -= *got;
    return got;
  }
  bool exceeded() const { return exceeded_; }

 private:
  static absl::Status TooLong() {
    return absl::ResourceExhaustedError("the request's body is too long for this route");
  }

  BodySource& body_;
  uint64_t left_;
  bool exceeded_ = false;
};

absl::Status Refuse(Response& response) {
  return response.Send(413, "text/plain", "Content Too Large\r\n");
}

}  // namespace

Middleware BodyLimit(uint64_t bytes_max) {
  return [bytes_max](Request& request, Response& response, const Handler& next) {
    uint64_t length = 0;
    const std::string_view declared = request.Get("content-length").value_or("");
    if (absl::SimpleAtoi({declared.data(), declared.size()}, &length) && length > bytes_max) {
      return Refuse(response);
    }
    BodySource* const whole = request.body;
    LimitedBody limited(*whole, bytes_max);
    request.body = &limited;
    const auto restore = absl::MakeCleanup([&] { request.body = whole; });
    absl::Status result = next(request, response);
    // Whatever the handler made of it: the client's body was too long.
    return limited.exceeded() && !response.begun() ? Refuse(response) : result;
  };
}

}  // namespace grove::http
