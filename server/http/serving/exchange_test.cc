// What a handler can ask of its exchange beyond a plain answer, through a real server.
#include <fcntl.h>
#include <unistd.h>

#include <stdexcept>

#include "gmock/gmock.h"
#include "server/http/handler/retry_delay.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string BodyOf(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

// An open file of `bytes` bytes without a name.
class TestFile {
 public:
  explicit TestFile(size_t bytes) : content(bytes, '\0') {
    for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>('a' + i * 7 % 23);
    std::string name = testing::TempDir() + "exchange_XXXXXX";
    fd_ = mkstemp(name.data());
    unlink(name.c_str());
    EXPECT_EQ(pwrite(fd_, content.data(), bytes, 0), bytes);
  }
  ~TestFile() { close(fd_); }
  int fd() const { return fd_; }
  std::string content;

 private:
  int fd_;
};

class ExchangeTest : public ServerFixture {
 protected:
  void HandleGet(Handler handler) { Handle("GET", "/", std::move(handler)); }
  // Notes the outcome as "200 5 whole".
  PostHook Note() {
    return [this](const ResponseOutcome& outcome) {
      outcomes_.push_back(std::to_string(outcome.status) + " " +
                          std::to_string(outcome.body_bytes) +
                          (outcome.complete ? " whole" : " cut"));
    };
  }
  std::vector<std::string> outcomes_;
};

TEST_F(ExchangeTest, APostHookSeesWhatWasSent) {
  HandleGet([&](Request&, Response& response) {
    response.AddPostHook(Note());
    return response.Send(201, "", "hello");
  });
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask(kGet), EndsWith("hello"));
    EXPECT_THAT(outcomes_, ElementsAre("201 5 whole"));
    client.Ask(kGet);
    EXPECT_THAT(outcomes_, ElementsAre("201 5 whole", "201 5 whole"));
  });
}

TEST_F(ExchangeTest, PostHooksRunAfterAFailureBeforeAndAmidTheBody) {
  HandleGet([&](Request& request, Response& response) -> absl::Status {
    response.AddPostHook(Note());
    if (request.query == "late") response.Write("abc").IgnoreError();
    return absl::InternalError("no");
  });
  Run([&] {
    EXPECT_THAT(Connect().Ask(kGet), StartsWith("HTTP/1.1 500 "));
    Client late = Connect();
    late.Send("GET /?late HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(late.ReadAll(), EndsWith("3\r\nabc\r\n"));
    EXPECT_THAT(outcomes_, ElementsAre("500 23 whole", "200 3 cut"));
  });
}

TEST_F(ExchangeTest, AThrowingPostHookStopsNeitherTheOthersNorTheConnection) {
  std::vector<std::string> failures;
  options_.on_failure = [&](const Request&, const absl::Status& status) {
    failures.emplace_back(status.message());
  };
  HandleGet([&](Request&, Response& response) {
    response.AddPostHook([](const ResponseOutcome&) { throw std::runtime_error("hook"); });
    response.AddPostHook(Note());
    return response.Send(200, "", "hello");
  });
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask(kGet), EndsWith("hello"));
    EXPECT_THAT(client.Ask(kGet), EndsWith("hello"));
    EXPECT_EQ(outcomes_.size(), 2);
    EXPECT_THAT(failures, ElementsAre("exception: hook", "exception: hook"));
  });
}

TEST_F(ExchangeTest, AHandlerThatAskedIsCancelledWhenItsClientLeaves) {
  Event started;
  Event never;
  absl::Status seen;
  HandleGet([&](Request& request, Response& response) {
    response.AddPostHook(Note());
    request.CancelOnDisconnect();
    started.Set();
    seen = never.Wait();
    return seen;
  });
  Run([&] {
    {
      Client client = Connect();
      // Bytes behind the request are no reason to miss its leaving.
      client.Send(std::string(kGet) + kGet);
      ASSERT_TRUE(started.Wait().ok());
    }
    ASSERT_TRUE(server_->AwaitIdle().ok());
    EXPECT_TRUE(absl::IsCancelled(seen)) << seen;
    EXPECT_THAT(outcomes_, ElementsAre("0 0 cut"));
    EXPECT_EQ(stats_.handler_failures, 0);
    EXPECT_EQ(stats_.requests, 1);
  });
}

TEST_F(ExchangeTest, AHandlerThatAsksTooLateIsCancelledAtOnce) {
  Event started;
  Event left;
  absl::Status seen;
  HandleGet([&](Request& request, Response&) {
    started.Set();
    EXPECT_TRUE(left.Wait().ok());
    request.CancelOnDisconnect();
    seen = Sleep(kTestTimeout);
    return seen;
  });
  Run([&] {
    {
      Client client = Connect();
      client.Send(kGet);
      ASSERT_TRUE(started.Wait().ok());
    }
    // The hub must have polled the end of the stream before the handler asks.
    ASSERT_TRUE(Sleep(absl::Milliseconds(1)).ok());
    left.Set();
    ASSERT_TRUE(server_->AwaitIdle().ok());
    EXPECT_TRUE(absl::IsCancelled(seen)) << seen;
  });
}

TEST_F(ExchangeTest, WatchingTheClientEatsNoPipelinedRequest) {
  Event go;
  HandleGet([&](Request& request, Response& response) -> absl::Status {
    request.CancelOnDisconnect();
    if (absl::Status waited = go.Wait(); !waited.ok()) return waited;
    return response.Send(200, "", "done!");
  });
  Run([&] {
    Client client = Connect();
    client.Send(kGet);
    Yield();
    client.Send(kGet);
    Yield();
    go.Set();
    std::string all = client.ReadUntil("done!");
    if (all.find("done!") == all.rfind("done!")) all += client.ReadUntil("done!");
    EXPECT_NE(all.find("done!"), all.rfind("done!"));
    EXPECT_EQ(stats_.requests, 2);
  });
}

TEST_F(ExchangeTest, AHandlerThatDidNotAskIsLeftAlone) {
  Event started;
  Event go;
  absl::Status seen = absl::UnknownError("did not run");
  HandleGet([&](Request&, Response& response) {
    started.Set();
    seen = go.Wait();
    return response.Send(200, "", "");
  });
  Run([&] {
    {
      Client client = Connect();
      client.Send(kGet);
      ASSERT_TRUE(started.Wait().ok());
    }
    ASSERT_TRUE(Sleep(absl::Milliseconds(1)).ok());
    go.Set();
    ASSERT_TRUE(server_->AwaitIdle().ok());
    EXPECT_TRUE(seen.ok()) << seen;
  });
}

TEST_F(ExchangeTest, SendsALargeFileWithItsHead) {
  const TestFile file(10 << 20);
  HandleGet([&](Request&, Response& response) {
    response.AddPostHook(Note());
    return response.SendFile(200, "text/x", file.fd(), 3, file.content.size() - 3);
  });
  Run([&] {
    Client client = Connect();
    client.Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string all = client.ReadAll();
    EXPECT_THAT(all.substr(0, 300), HasSubstr("Content-Length: 10485757\r\n"));
    EXPECT_THAT(all.substr(0, 300), HasSubstr("Content-Type: text/x\r\n"));
    EXPECT_TRUE(BodyOf(all) == file.content.substr(3));
    EXPECT_THAT(outcomes_, ElementsAre("200 10485757 whole"));
    EXPECT_EQ(stats_.bytes_out, all.size());
  });
}

TEST_F(ExchangeTest, JoinsSmallFilesOfABatch) {
  const TestFile file(100);
  HandleGet(
      [&](Request&, Response& response) { return response.SendFile(200, "", file.fd(), 0, 100); });
  Run([&] {
    const std::string both = Connect().Ask(std::string(kGet) + kGet);
    EXPECT_NE(both.find(file.content), both.rfind(file.content)) << "one read gives both";
  });
}

TEST_F(ExchangeTest, PutsFilesIntoStreamedBodies) {
  const TestFile file(40'000);
  HandleGet([&](Request&, Response& response) -> absl::Status {
    EXPECT_TRUE(response.Write("<").ok());
    EXPECT_TRUE(response.WriteFile(file.fd(), 0, 40'000).ok());
    return response.Write(">");
  });
  Run([&] {
    const std::string all = Connect().Ask(kGet);
    EXPECT_TRUE(BodyOf(all).starts_with("1\r\n<\r\n9c40\r\n" + file.content.substr(0, 9)));
    EXPECT_THAT(all.substr(all.size() - 30), EndsWith("\r\n1\r\n>\r\n0\r\n\r\n"));
  });
}

TEST_F(ExchangeTest, SendsNoFileToAHead) {
  const TestFile file(40'000);
  HandleGet([&](Request&, Response& response) {
    return response.SendFile(200, "", file.fd(), 0, 40'000);
  });
  Run([&] {
    const std::string head = Connect().Ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("Content-Length: 40000\r\n"));
    EXPECT_EQ(BodyOf(head), "");
  });
}

TEST_F(ExchangeTest, AFileThatEndsTooSoonCutsTheResponseShort) {
  for (const size_t bytes : {100, 40'000}) {
    const TestFile file(bytes);
    Router router;
    const Handler handler = [&](Request&, Response& response) {
      response.AddPostHook(Note());
      return response.SendFile(200, "", file.fd(), 0, bytes + 1);
    };
    ASSERT_TRUE(router.Add("GET", "/", handler).ok());
    router_ = std::move(router);
    Run([&] {
      Client client = Connect();
      client.Send(kGet);
      EXPECT_EQ(BodyOf(client.ReadAll()).size(), bytes);
    });
    EXPECT_THAT(outcomes_.back(), EndsWith("cut"));
  }
}

TEST_F(ExchangeTest, JoinsSmallPiecesIntoOneChunk) {
  // Over both places where the size takes a digit more.
  std::string sent;
  HandleGet([&](Request&, Response& response) -> absl::Status {
    for (const size_t bytes : {1, 14, 1, 239, 1, 3838, 2, 1}) {
      sent.append(bytes, static_cast<char>('a' + sent.size() % 26));
      EXPECT_TRUE(response.Write(std::string_view(sent).substr(sent.size() - bytes)).ok());
    }
    return absl::OkStatus();
  });
  Run([&] {
    const std::string response = Connect().Ask(kGet);
    EXPECT_EQ(BodyOf(response), "1001\r\n" + sent + "\r\n0\r\n\r\n");
  });
}

TEST_F(ExchangeTest, FlushSendsWhatIsThereWithItsHead) {
  HandleGet([](Request&, Response& response) -> absl::Status {
    EXPECT_TRUE(response.Flush().ok());
    EXPECT_TRUE(response.Write("a").ok());
    EXPECT_TRUE(response.Flush().ok());
    return response.Write("b");
  });
  Run([&] { EXPECT_EQ(BodyOf(Connect().Ask(kGet)), "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"); });
}

TEST_F(ExchangeTest, SendsEarlyHintsToThoseWhoKnowThem) {
  HandleGet([](Request&, Response& response) -> absl::Status {
    const Field link[] = {{"Link", "</a.css>; rel=preload"}};
    EXPECT_TRUE(response.SendInterim(103, link).ok());
    return response.Send(200, "", "hello");
  });
  Run([&] {
    EXPECT_THAT(Connect().Ask(kGet),
                StartsWith("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
                           "HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(Connect().Ask("GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  });
}

TEST_F(ExchangeTest, AnExplicitContinueIsTheOnlyOne) {
  Handle("POST", "/", [](Request& request, Response& response) -> absl::Status {
    EXPECT_TRUE(response.SendInterim(100, {}).ok());
    auto body = request.ReadWholeBody();
    return body.ok() ? response.Send(200, "", *body) : body.status();
  });
  Run([&] {
    Client client = Connect();
    EXPECT_EQ(client.Ask("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                         "Content-Length: 2\r\n\r\n"),
              "HTTP/1.1 100 Continue\r\n\r\n");
    const std::string response = client.Ask("ok");
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(response, Not(HasSubstr("Connection: close")));
  });
}

TEST_F(ExchangeTest, RefusesInterimResponsesThatAreNone) {
  HandleGet([](Request&, Response& response) {
    for (const int status : {99, 101, 200}) EXPECT_FALSE(response.SendInterim(status, {}).ok());
    const Field bad[] = {{"Content-Length", "1"}};
    EXPECT_FALSE(response.SendInterim(103, bad).ok());
    return response.Send(200, "", "hello");
  });
  Run([&] { EXPECT_THAT(Connect().Ask(kGet), StartsWith("HTTP/1.1 200 OK\r\n")); });
}

TEST_F(ExchangeTest, SaysWhenToComeAgain) {
  HandleGet([](Request& request, Response&) {
    if (request.query == "limit") return absl::ResourceExhaustedError("slow down");
    return WithRetryDelay(absl::UnavailableError("busy"), absl::Milliseconds(1001));
  });
  Run([&] {
    EXPECT_THAT(Connect().Ask(kGet), HasSubstr("\r\nRetry-After: 2\r\n"));
    EXPECT_THAT(Connect().Ask("GET /?limit HTTP/1.1\r\nHost: a\r\n\r\n"),
                Not(HasSubstr("Retry-After")));
  });
}

TEST_F(ExchangeTest, TheLastRequestOfAConnectionIsToldSo) {
  options_.requests_per_connection_max = 2;
  HandleGet([](Request&, Response& response) { return response.Send(200, "", "hello"); });
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask(kGet), Not(HasSubstr("Connection: close")));
    client.Send(std::string(kGet) + kGet);
    const std::string last = client.ReadAll();
    EXPECT_THAT(last, HasSubstr("Connection: close\r\n"));
    EXPECT_EQ(last.find("hello"), last.rfind("hello"));
    EXPECT_EQ(stats_.requests, 2);
  });
}

TEST_F(ExchangeTest, ABodyThatDripsIsCutOff) {
  options_.io_timeout = absl::Milliseconds(20);
  options_.body_rate_min_bytes_per_s = 1 << 30;
  Handle("POST", "/", [](Request& request, Response&) { return request.ReadWholeBody().status(); });
  Run([&] {
    Client client = Connect();
    client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    auto dripping = Spawn("drip", [&] {
      // No silence ever lasts as long as io_timeout.
      while (Sleep(absl::Milliseconds(1)).ok() && client.socket().Write("x").ok()) {
      }
    });
    EXPECT_THAT(client.ReadOnce(), StartsWith("HTTP/1.1 408 "));
    dripping->Cancel();
    EXPECT_TRUE(dripping->Join().ok());
  });
}

}  // namespace
}  // namespace grove::http
