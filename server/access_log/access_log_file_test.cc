// Lines of requests through a real server, also of those that no handler saw.
#include "server/access_log/access_log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "runtime/switch/abseil_text.h"
#include "server/http/serving/server_fixture.h"

namespace grove::access_log {
namespace {

using http::Client;
using http::Request;
using http::Response;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class AccessLogFileTest : public http::ServerFixture {
 protected:
  AccessLogFileTest() : path_(testing::TempDir() + "access_log_XXXXXX") {
    close(mkstemp(path_.data()));
    Open(R"(%(method)s %(path)s %(status_code)s %(body_length)s %(complete)s "%(request_line)s")");
    Handle("GET", "/",
           [](Request&, Response& response) { return response.Send(200, "", "hello"); });
  }
  void Open(const std::string& format) {
    auto opened =
        AccessLogFile::Open({.file = path_, .format = format, .queue_bytes_max = 1 << 16});
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
    options_.access_log = log_.get();
  }
  std::vector<std::string> Lines() {
    log_->writer().Stop(http::kTestTimeout);
    std::vector<std::string> lines;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  // What is logged of a connection that sends `bytes` and then nothing more.
  std::vector<std::string> LinesOf(std::string_view bytes) {
    Run([&] {
      Client client = Connect();
      client.Send(bytes);
      shutdown(client.socket().fd(), SHUT_WR);
      client.ReadAll();
    });
    return Lines();
  }

  std::string path_;
  std::string expected_;
  std::unique_ptr<AccessLogFile> log_;
};

TEST_F(AccessLogFileTest, EachRequestHasItsLineInOrder) {
  EXPECT_THAT(
      LinesOf("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /x?y HTTP/1.0\r\nHost: a\r\n\r\n"),
      ElementsAre(R"(GET / 200 5 1 "GET / HTTP/1.1")", R"(GET /x 404 11 1 "GET /x?y HTTP/1.0")"));
}

TEST_F(AccessLogFileTest, WhatTheParserRefusesIsThere) {
  EXPECT_THAT(LinesOf("GET /\x01 HTTP/1.1\r\n\r\n"),
              ElementsAre(HasSubstr(R"(400 37 1 "GET /\x01 HTTP/1.1")")));
}

TEST_F(AccessLogFileTest, SoAreTooLongLinesAndFields) {
  const std::string path(9000, 'a');
  EXPECT_THAT(LinesOf(StrCat("GET /", path, " HTTP/1.1\r\n\r\n")),
              ElementsAre(StartsWith("GET /aaa")));
  EXPECT_EQ(stats_.ResponsesWith(414), 1);
}

TEST_F(AccessLogFileTest, SoIsAHeadWithTooMuchInIt) {
  const std::string field = StrCat("X: ", std::string(9000, 'a'), "\r\n");
  EXPECT_THAT(LinesOf(StrCat("GET /p?q HTTP/1.1\r\nHost: a\r\n", field)),
              ElementsAre(AllOf(StartsWith("GET /p 431 "), HasSubstr(R"("GET /p?q HTTP/1.1")"))));
}

TEST_F(AccessLogFileTest, SoAreRequestsForAProxyAndTooLongBodies) {
  EXPECT_THAT(LinesOf("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
              ElementsAre(StartsWith("CONNECT ")));
  EXPECT_EQ(stats_.ResponsesWith(501), 1);
}

TEST_F(AccessLogFileTest, SoIsAClientThatIsTooSlow) {
  options_.header_timeout = absl::Milliseconds(1);
  Run([&] {
    Client client = Connect();
    client.Send("GET /slow HTTP");
    EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 408 "));
  });
  EXPECT_THAT(Lines(), ElementsAre(StartsWith("GET /slow 408 ")));
  EXPECT_EQ(stats_.TimeoutsOf(http::TimedOut::kHead), 1);
}

TEST_F(AccessLogFileTest, SoIsAClientThatLeavesAmidItsHead) {
  EXPECT_THAT(LinesOf("GET /half HTTP/1.1\r\nHo"),
              ElementsAre(R"(GET /half 499 0 0 "GET /half HTTP/1.1")"));
  EXPECT_EQ(stats_.clients_gone, 1);
}

TEST_F(AccessLogFileTest, ALineEndTooManyIsNoRequest) {
  EXPECT_THAT(LinesOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n"),
              ElementsAre(StartsWith("GET / 200 ")));
  EXPECT_EQ(stats_.clients_gone, 0);
}

TEST_F(AccessLogFileTest, SoIsAClientThatLeavesItsHandlerAlone) {
  Handle("GET", "/wait", [](Request& request, Response&) {
    request.CancelOnDisconnect();
    return Event().Wait();
  });
  EXPECT_THAT(LinesOf("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"),
              ElementsAre(R"(GET /wait 499 0 0 "GET /wait HTTP/1.1")"));
  EXPECT_EQ(stats_.clients_gone, 1);
}

TEST_F(AccessLogFileTest, AResponseThatIsCutSaysSo) {
  Handle("GET", "/cut", [](Request&, Response& response) -> absl::Status {
    response.Write("abc").IgnoreError();
    return absl::InternalError("no");
  });
  EXPECT_THAT(LinesOf("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n"),
              ElementsAre(R"(GET /cut 200 3 0 "GET /cut HTTP/1.1")"));
  EXPECT_EQ(stats_.clients_gone, 0);
}

TEST_F(AccessLogFileTest, ASwitchedConnectionHasItsLineAtItsEnd) {
  Open("%(status_code)s %(route)s %(request_bytes)s %(response_bytes)s");
  Handle("GET", "/ws/{name}", [](Request&, Response& response) -> absl::Status {
    auto transport = response.SwitchProtocols("echo");
    if (!transport.ok()) return transport.status();
    while ((*transport)->Fill(1).value_or(0) > 0) {
      (*transport)->Consume((*transport)->unread().size());
    }
    return (*transport)->Write("", "bye");
  });
  Run([&] {
    Client client = Connect();
    const std::string request = "GET /ws/x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n";
    const std::string head = client.Ask(request);
    client.Send("abc");
    shutdown(client.socket().fd(), SHUT_WR);
    const std::string rest = client.ReadAll();
    EXPECT_EQ(rest, "bye");
    expected_ = StrCat("101 /ws/{name} ", request.size() + 3, " ", head.size() + 3);
  });
  EXPECT_THAT(Lines(), ElementsAre(expected_));
}

TEST_F(AccessLogFileTest, BytesAreThoseOfTheWire) {
  Open("%(request_bytes)s %(response_bytes)s");
  Handle("POST", "/", [](Request& request, Response& response) -> absl::Status {
    const auto body = request.ReadWholeBody();
    if (!body.ok()) return body.status();
    if (absl::Status written = response.Write(*body); !written.ok()) return written;
    return response.Write(std::string(100'000, 'x'));
  });
  Run([&] {
    Client client = Connect();
    const std::string request =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    client.Send(request);
    const std::string response = client.ReadUntil("0\r\n\r\n");
    expected_ = StrCat(request.size(), " ", response.size());
  });
  EXPECT_THAT(Lines(), ElementsAre(expected_));
}

TEST_F(AccessLogFileTest, ATargetThatTakesNothingHoldsNoRequest) {
  unlink(path_.c_str());
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  const int reader = open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  Open(std::string(1000, 'x') + "%(method)s");
  Run([&] {
    Client client = Connect();
    // More than the pipe and the queue take.
    for (int i = 0; i < 300; ++i) {
      EXPECT_THAT(client.Ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
    }
  });
  EXPECT_GT(log_->writer().stats().dropped, 0);
  log_->writer().Stop(absl::ZeroDuration());
  close(reader);
}

TEST_F(AccessLogFileTest, RequestsAreCountedByMethodAndDuration) {
  Handle("GET", "/late", [](Request&, Response& response) {
    Sleep(absl::Milliseconds(2)).IgnoreError();
    return response.Send(200, "", "");
  });
  LinesOf("GET /late HTTP/1.1\r\nHost: a\r\n\r\nBREW / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(stats_.methods, (std::array<uint64_t, 8>{1, 0, 0, 0, 0, 0, 0, 1}));
  uint64_t observed = 0;
  for (const uint64_t count : stats_.durations) observed += count;
  EXPECT_EQ(observed, 2);
  EXPECT_EQ(stats_.duration_nanos, 2'000'000);
}

TEST(AccessLogOptions, FormatAndJsonExcludeEachOther) {
  EXPECT_TRUE(AccessFormatOf({.json = true}).ok());
  EXPECT_EQ(AccessFormatOf({.format = "%(method)s", .json = true}).status().message(),
            "format: stands beside json: true; want one of them");
}

TEST(AccessLogOptions, WithoutAFileThereIsNone) {
  EXPECT_EQ(*AccessLogFile::Open({}), nullptr);
}

TEST(AccessLogOptions, AFileThatCannotBeMadeIsNamed) {
  EXPECT_THAT(std::string(AccessLogFile::Open({.file = "/nowhere/log"}).status().message()),
              StartsWith("file: "));
}

}  // namespace
}  // namespace grove::access_log
