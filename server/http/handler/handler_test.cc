#include "server/http/handler/handler.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "server/http/handler/status.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;

TEST(StatusToHttp, MapsEveryCanonicalCode) {
  using enum absl::StatusCode;
  const std::pair<absl::StatusCode, int> table[] = {
      {kOk, 200},
      {kCancelled, 503},
      {kUnknown, 500},
      {kInvalidArgument, 400},
      {kDeadlineExceeded, 504},
      {kNotFound, 404},
      {kAlreadyExists, 409},
      {kPermissionDenied, 403},
      {kResourceExhausted, 429},
      {kFailedPrecondition, 400},
      {kAborted, 409},
      {kOutOfRange, 400},
      {kUnimplemented, 501},
      {kInternal, 500},
      {kUnavailable, 503},
      {kDataLoss, 500},
      {kUnauthenticated, 401},
  };
  for (const auto& [code, http] : table) {
    EXPECT_EQ(StatusToHttp(code), http) << absl::StatusCodeToString(code);
    EXPECT_NE(ReasonPhrase(http), "") << http;
  }
}

TEST(ReasonPhrase, IsEmptyForAnUnknownStatus) {
  EXPECT_EQ(ReasonPhrase(299), "");
}

class FakeSink : public ResponseSink {
 public:
  absl::Status Begin(int status, FieldSpan fields, std::optional<size_t> body_bytes) override {
    log.push_back("begin " + std::to_string(status) + " fields=" + std::to_string(fields.size()) +
                  (body_bytes ? " bytes=" + std::to_string(*body_bytes) : ""));
    return absl::OkStatus();
  }
  absl::Status Write(std::string_view bytes) override {
    log.push_back("write " + std::string(bytes));
    return absl::OkStatus();
  }
  absl::Status Finish(FieldSpan trailers) override {
    log.push_back("finish " + std::to_string(trailers.size()));
    return absl::OkStatus();
  }
  std::vector<std::string> log;
};

TEST(Response, BeginsWithTheFirstWrite) {
  FakeSink sink;
  Response response(sink);
  response.set_status(202);
  response.Add("X", "y");
  EXPECT_TRUE(response.Write("a").ok());
  EXPECT_TRUE(response.Write("b").ok());
  response.AddTrailer("T", "u");
  EXPECT_TRUE(response.Finish().ok());
  EXPECT_THAT(sink.log, ElementsAre("begin 202 fields=1", "write a", "write b", "finish 1"));
  EXPECT_EQ(response.body_bytes(), 2);
}

TEST(Response, SendsAllAtOnce) {
  FakeSink sink;
  Response response(sink);
  EXPECT_TRUE(response.Send(200, "text/plain", "abc").ok());
  EXPECT_THAT(sink.log, ElementsAre("begin 200 fields=1 bytes=3", "write abc", "finish 0"));
  EXPECT_TRUE(response.finished());
  EXPECT_EQ(response.Send(200, "", "").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(response.Write("x").code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Response, FinishesAnEmptyOneWithLengthZero) {
  FakeSink sink;
  Response response(sink);
  EXPECT_TRUE(response.Finish().ok());
  EXPECT_TRUE(response.Finish().ok());
  EXPECT_THAT(sink.log, ElementsAre("begin 200 fields=0 bytes=0", "finish 0"));
}

TEST(Response, KeepsTheFieldsThatStandOnFailuresTooInFront) {
  FakeSink sink;
  Response response(sink);
  response.Add("A", "1");
  response.AddAlways("B", "2");
  response.AddAlways("C", "3");
  response.AddAlways("D", "\n");
  ASSERT_EQ(response.always().size(), 2);
  EXPECT_EQ(response.always()[0].name, "B");
  EXPECT_EQ(response.always()[1].name, "C");
}

TEST(Response, GoesThroughAFilter) {
  FakeSink sink;
  FakeSink filter;
  Response response(sink);
  EXPECT_EQ(&response.sink(), &sink);
  response.set_sink(filter);
  EXPECT_TRUE(response.Write("a").ok());
  EXPECT_THAT(filter.log, ElementsAre("begin 200 fields=0", "write a"));
  EXPECT_TRUE(sink.log.empty());
}

TEST(Response, RefusesWhatWouldSplitOrReframeIt) {
  const std::pair<const char*, const char*> wrong[] = {
      {"X", "a\r\nY: b"},
      {"X", "a\nb"},
      {"X: a", "b"},
      {"", "b"},
      {"X", "\x7f"},
      {"Transfer-Encoding", "chunked"},
      {"Connection", "upgrade"},
      {"Keep-Alive", "1"},
  };
  for (const auto& [name, value] : wrong) {
    FakeSink sink;
    Response response(sink);
    response.Add(name, value);
    EXPECT_EQ(response.Send(200, "", "").code(), absl::StatusCode::kInternal) << name << value;
    EXPECT_TRUE(sink.log.empty());
  }
}

TEST(Response, RefusesAStatusThatIsNoFinalOne) {
  for (const int status : {-1, 0, 100, 199, 600}) {
    FakeSink sink;
    Response response(sink);
    EXPECT_EQ(response.Send(status, "", "").code(), absl::StatusCode::kInternal) << status;
  }
}

class FakeBody : public BodySource {
 public:
  explicit FakeBody(size_t bytes) : left(bytes) {}
  absl::StatusOr<size_t> Read(std::span<char> buffer) override {
    const size_t piece = std::min({buffer.size(), left, size_t{1000}});
    std::fill_n(buffer.data(), piece, 'x');
    left -= piece;
    return piece;
  }
  size_t left;
};

TEST(Request, ReadsAWholeBodyUpToALimit) {
  FakeBody body(100'000);
  Request request{.body = &body};
  EXPECT_EQ(request.ReadWholeBody(100'000)->size(), 100'000);
  FakeBody longer(100'001);
  request.body = &longer;
  EXPECT_EQ(request.ReadWholeBody(100'000).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Request, KeepsTextsForItsViews) {
  Request request;
  const std::string_view first = request.Keep("first");
  for (int i = 0; i < 100; ++i) request.Keep(std::string(50, 'x'));
  EXPECT_EQ(first, "first");
  request.AddParam("id", "7");
  EXPECT_EQ(request.Param("id"), "7");
  EXPECT_EQ(request.Param("x"), std::nullopt);
}

TEST(Request, FindsTheFirstFieldOfANameWithoutCase) {
  const Field fields[] = {{"a", "1"}, {"X-Name", "2"}, {"x-name", "3"}};
  const Request request{.fields = fields};
  EXPECT_EQ(request.Get("x-NAME"), "2");
  EXPECT_EQ(request.Get("b"), std::nullopt);
}

}  // namespace
}  // namespace grove::http
