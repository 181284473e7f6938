// MiddlewareFixture: one middleware around one handler, without a connection; for tests.
#ifndef GROVE_SERVER_HTTP_MIDDLEWARE_MIDDLEWARE_FIXTURE_H_
#define GROVE_SERVER_HTTP_MIDDLEWARE_MIDDLEWARE_FIXTURE_H_

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/http/handler/middleware.h"

namespace grove::http {

// What was answered.
struct Answered {
  absl::Status result;
  int status = 0;  // 0: nothing was
  std::vector<std::pair<std::string, std::string>> fields;
  std::optional<size_t> length;
  std::vector<std::string> pieces;
  bool finished = false;

  std::string Field(std::string_view name) const {
    std::string joined;
    for (const auto& [key, value] : fields) {
      if (!EqualsIgnoreCase(key, name)) continue;
      if (!joined.empty()) joined += " | ";
      joined += value;
    }
    return joined;
  }
  std::string Body() const {
    std::string body;
    for (const std::string& piece : pieces) body += piece;
    return body;
  }
};

class KeepingSink final : public ResponseSink {
 public:
  explicit KeepingSink(Answered& kept) : kept_(kept) {}
  absl::Status Begin(int status, FieldSpan fields, std::optional<size_t> body_bytes) override {
    EXPECT_EQ(kept_.status, 0) << "begun twice";
    kept_.status = status;
    for (const Field& field : fields) kept_.fields.emplace_back(field.name, field.value);
    kept_.length = body_bytes;
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view bytes) override {
    kept_.pieces.emplace_back(bytes);
    return absl::OkStatus();
  }
  absl::Status Finish(FieldSpan) override {
    kept_.finished = true;
    return absl::OkStatus();
  }

 private:
  Answered& kept_;
};

class TextBody final : public BodySource {
 public:
  explicit TextBody(std::string_view text) : left_(text) {}
  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    const size_t piece = std::min(buffer.size(), left_.size());
    std::memcpy(buffer.data(), left_.data(), piece);
    left_.remove_prefix(piece);
    return piece;
  }

 private:
  std::string_view left_;
};

class MiddlewareFixture : public testing::Test {
 protected:
  Answered Ask(const Middleware& middleware, const Handler& handler) {
    Answered answered;
    KeepingSink sink(answered);
    TextBody body(body_);
    Request request{.method = method_, .path = path_, .host = host_, .fields = fields_};
    request.body = &body;
    request.context.client = client_;
    request.context.route_path = path_;
    request.context.token = token_;
    request.context.tenant = tenant_;
    Response response(sink);
    answered.result = middleware(request, response, handler);
    EXPECT_EQ(request.body, &body) << "the body was not put back";
    if (answered.result.ok()) answered.result = response.Finish();
    return answered;
  }
  // Of a handler that answers with 200 "ok".
  Answered Ask(const Middleware& middleware) {
    return Ask(middleware, [this](Request&, Response& response) {
      ++handled_;
      return response.Send(200, "text/plain", "ok");
    });
  }

  std::string method_ = "GET";
  std::string path_ = "/";
  std::string host_ = "h";
  std::string client_ = "192.0.2.1";
  std::string token_;
  std::string tenant_;
  std::string body_;
  std::vector<Field> fields_;
  int handled_ = 0;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MIDDLEWARE_MIDDLEWARE_FIXTURE_H_
