#include "server/http/serving/connection.h"

#include <stdexcept>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/http/serving/server_fixture.h"

namespace grove::http {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr char kHello[] =
    "HTTP/1.1 200 OK\r\nServer: grove\r\nContent-Type: text/plain\r\nContent-Length: "
    "5\r\n\r\nhello";

class ConnectionTest : public ServerFixture {
 protected:
  ConnectionTest() {
    Handle("GET", "/",
           [](Request&, Response& response) { return response.Send(200, "text/plain", "hello"); });
    Handle("POST", "/echo", [](Request& request, Response& response) -> absl::Status {
      auto body = request.ReadWholeBody();
      if (!body.ok()) return body.status();
      std::string answer = *body;
      for (const Field& trailer : request.trailers) {
        answer.append("|").append(trailer.name).append("=").append(trailer.value);
      }
      return response.Send(200, "", answer);
    });
    Handle("GET", "/stream", [](Request&, Response& response) -> absl::Status {
      response.AddTrailer("X-Sum", "3");
      for (const char* piece : {"a", "bb", "ccc"}) {
        if (absl::Status written = response.Write(piece); !written.ok()) return written;
      }
      return absl::OkStatus();
    });
  }
};

std::string Post(std::string_view fields, std::string_view body) {
  return std::string("POST /echo HTTP/1.1\r\nHost: a\r\n")
      .append(fields)
      .append("\r\n")
      .append(body);
}

TEST_F(ConnectionTest, KeepsAliveByDefaultAndDatesItsResponses) {
  Run([&] {
    Client client = Connect();
    const std::string first = client.Ask(kGet);
    EXPECT_THAT(first, HasSubstr("\r\nDate: "));
    EXPECT_EQ(WithoutDate(first), kHello);
    EXPECT_EQ(WithoutDate(client.Ask(kGet)), kHello);
    EXPECT_EQ(stats_.ResponsesWith(200), 2);
    EXPECT_EQ(stats_.connections, 1);
  });
}

TEST_F(ConnectionTest, ClosesWhereTheClientWantsIt) {
  Run([&] {
    Client client = Connect();
    client.Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string response = client.ReadAll();
    EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(response, EndsWith("hello"));
  });
}

TEST_F(ConnectionTest, KeepsAnOldClientsConnectionOnDemandOnly) {
  Run([&] {
    Client keeping = Connect();
    const std::string response = keeping.Ask("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    EXPECT_THAT(response, HasSubstr("\r\nConnection: keep-alive\r\n"));
    EXPECT_THAT(keeping.Ask(kGet), EndsWith("hello"));
    Client closing = Connect();
    closing.Send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_THAT(closing.ReadAll(), HasSubstr("\r\nConnection: close\r\n"));
  });
}

TEST_F(ConnectionTest, NamesUpgradeAmongTheConnectionsOptions) {
  Handle("GET", "/new", [](Request&, Response& response) {
    response.Add("Upgrade", "websocket");
    return response.Send(426, "text/plain", "");
  });
  Run([&] {
    Client client = Connect();
    const std::string going_on = client.Ask("GET /new HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(going_on, HasSubstr("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"));
    client.Send("GET /new HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(client.ReadAll(), HasSubstr("\r\nConnection: close, Upgrade\r\n"));
    Client old = Connect();
    old.Send("GET /new HTTP/1.0\r\n\r\n");
    EXPECT_THAT(old.ReadAll(), HasSubstr("\r\nConnection: close\r\n")) << "it knows none";
  });
}

TEST_F(ConnectionTest, AnswersAFailureWithTheFieldsThatStandAlways) {
  Handle("GET", "/fail", [](Request&, Response& response) {
    response.Add("X-Own", "1");
    response.AddAlways("X-Always", "2");
    return absl::NotFoundError("nothing");
  });
  Run([&] {
    Client client = Connect();
    const std::string response = client.Ask("GET /fail HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(StatusOf(response), "HTTP/1.1 404 Not Found");
    EXPECT_THAT(response, HasSubstr("X-Always: 2\r\n"));
    EXPECT_THAT(response, Not(HasSubstr("X-Own")));
  });
}

TEST_F(ConnectionTest, TakesThePeerForTheClient) {
  Handle("GET", "/client", [](Request& request, Response& response) {
    return response.Send(
        200, "", std::string(request.context.client).append(" ").append(request.context.scheme));
  });
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask("GET /client HTTP/1.1\r\nHost: a\r\n\r\n"), EndsWith("\nunix: http"));
  });
}

TEST_F(ConnectionTest, AnswersABatchInOrderWithOneWrite) {
  Run([&] {
    Client client = Connect();
    std::string batch;
    for (int i = 0; i < 10; ++i) batch += kGet;
    batch += "GET /none HTTP/1.1\r\nHost: a\r\n\r\n";
    // A read of a stream socket joins writes, so it is the write that must be caught: the client
    // reads as soon as there is anything.
    const std::string all = WithoutDate(client.Ask(batch));
    std::string expected;
    for (int i = 0; i < 10; ++i) expected += kHello;
    EXPECT_THAT(all, StartsWith(expected));
    EXPECT_THAT(all, EndsWith("Not Found\r\n"));
  });
}

TEST_F(ConnectionTest, SendsWhatIsReadyWhileALaterHandlerWaits) {
  Event go;
  Handle("GET", "/wait", [&](Request&, Response& response) -> absl::Status {
    if (absl::Status waited = go.Wait(); !waited.ok()) return waited;
    return response.Send(200, "", "late");
  });
  Run([&] {
    Client client = Connect();
    const std::string first =
        client.Ask(std::string(kGet) + "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(WithoutDate(first), kHello);
    go.Set();
    EXPECT_THAT(client.ReadOnce(), EndsWith("late"));
  });
}

TEST_F(ConnectionTest, ReadsARequestInPieces) {
  Run([&] {
    Client client = Connect();
    for (const char c : Post("Content-Length: 3\r\n", "abc")) {
      client.Send(std::string_view(&c, 1));
      Yield();
    }
    EXPECT_THAT(client.ReadOnce(), EndsWith("\r\n\r\nabc"));
  });
}

TEST_F(ConnectionTest, ReadsBodiesOfBothKindsAndGoesOn) {
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask(Post("Content-Length: 3\r\n", "abc")), EndsWith("\r\n\r\nabc"));
    EXPECT_THAT(client.Ask(Post("Transfer-Encoding: chunked\r\n",
                                "2\r\nab\r\n1;x=y\r\nc\r\n0\r\nX-T: u\r\n\r\n")),
                EndsWith("\r\n\r\nabc|X-T=u"));
    EXPECT_EQ(WithoutDate(client.Ask(kGet)), kHello);
  });
}

TEST_F(ConnectionTest, EchoesABodyMuchLargerThanItsBuffers) {
  std::string body(3 << 20, 'x');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  body += "#end#";
  Run([&] {
    Client client = Connect();
    auto sender = Spawn("sender", [&] {
      client.Send(Post("Content-Length: " + std::to_string(body.size()) + "\r\n", body));
    });
    const std::string response = client.ReadUntil("#end#");
    EXPECT_TRUE(sender->Join().ok());
    EXPECT_EQ(response.substr(response.find("\r\n\r\n") + 4), body);
  });
}

TEST_F(ConnectionTest, StreamsInChunksGatheredWithTrailers) {
  Run([&] {
    Client client = Connect();
    EXPECT_EQ(WithoutDate(client.Ask("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")),
              "HTTP/1.1 200 OK\r\nServer: grove\r\nTransfer-Encoding: chunked\r\n\r\n"
              "6\r\nabbccc\r\n0\r\nX-Sum: 3\r\n\r\n");
    Client old = Connect();
    old.Send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(WithoutDate(old.ReadAll()),
              "HTTP/1.1 200 OK\r\nServer: grove\r\nConnection: close\r\n\r\nabbccc");
  });
}

TEST_F(ConnectionTest, SendsAStreamedPieceWhileTheHandlerWaits) {
  Event go;
  Handle("GET", "/slow", [&](Request&, Response& response) -> absl::Status {
    if (absl::Status written = response.Write("first"); !written.ok()) return written;
    if (absl::Status waited = go.Wait(); !waited.ok()) return waited;
    return response.Write("second");
  });
  Run([&] {
    Client client = Connect();
    EXPECT_THAT(client.Ask("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"), EndsWith("5\r\nfirst\r\n"));
    go.Set();
    EXPECT_EQ(client.ReadOnce(), "6\r\nsecond\r\n0\r\n\r\n");
  });
}

TEST_F(ConnectionTest, SendsHeadsWithoutBodiesToHead) {
  Run([&] {
    Client client = Connect();
    EXPECT_EQ(WithoutDate(client.Ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")),
              std::string(kHello).substr(0, sizeof(kHello) - 6));
    EXPECT_THAT(client.Ask("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n"),
                EndsWith("Transfer-Encoding: chunked\r\n\r\n"));
    EXPECT_EQ(WithoutDate(client.Ask(kGet)), kHello);
  });
}

TEST_F(ConnectionTest, SendsNoBodyAndNoLengthWith204And304) {
  for (const int status : {204, 304}) {
    Handle("GET", "/" + std::to_string(status), [status](Request&, Response& response) {
      return response.Send(status, "", "must not be seen");
    });
  }
  Run([&] {
    Client client = Connect();
    EXPECT_EQ(WithoutDate(client.Ask("GET /204 HTTP/1.1\r\nHost: a\r\n\r\n")),
              "HTTP/1.1 204 No Content\r\nServer: grove\r\n\r\n");
    EXPECT_EQ(WithoutDate(client.Ask("GET /304 HTTP/1.1\r\nHost: a\r\n\r\n")),
              "HTTP/1.1 304 Not Modified\r\nServer: grove\r\n\r\n");
  });
}

TEST_F(ConnectionTest, SendsNoBodyWith205) {
  Handle("GET", "/sent",
         [](Request&, Response& response) { return response.Send(205, "", "must not be seen"); });
  Handle("GET", "/written", [](Request&, Response& response) {
    response.set_status(205);
    return response.Write("must not be seen");
  });
  Run([&] {
    Client client = Connect();
    for (const char* path : {"/sent", "/written"}) {
      EXPECT_EQ(WithoutDate(client.Ask(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: a\r\n\r\n"))),
                "HTTP/1.1 205 Reset Content\r\nServer: grove\r\nContent-Length: 0\r\n\r\n");
    }
  });
}

TEST_F(ConnectionTest, InvitesTheBodyAtTheFirstRead) {
  Run([&] {
    Client client = Connect();
    EXPECT_EQ(client.Ask(Post("Content-Length: 3\r\nExpect: 100-continue\r\n", "")),
              "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_THAT(client.Ask("abc"), EndsWith("\r\n\r\nabc"));
    EXPECT_THAT(client.Ask(Post("Content-Length: 3\r\nExpect: 100-continue\r\n", "abc")),
                StartsWith("HTTP/1.1 200 OK"));
  });
}

TEST_F(ConnectionTest, ClosesIfTheBodyWasNeverInvited) {
  Handle("POST", "/no", [](Request&, Response& response) { return response.Send(403, "", ""); });
  Run([&] {
    Client client = Connect();
    client.Send(
        "POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    const std::string response = client.ReadAll();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 403 Forbidden"));
    EXPECT_THAT(response, HasSubstr("Connection: close"));
    EXPECT_THAT(response, Not(HasSubstr("100 Continue")));
  });
}

TEST_F(ConnectionTest, ReadsAShortUnreadBodyAwayAndGoesOn) {
  Handle("POST", "/no", [](Request&, Response& response) { return response.Send(403, "", ""); });
  Run([&] {
    Client client = Connect();
    client.Send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
    EXPECT_THAT(client.ReadOnce(), StartsWith("HTTP/1.1 403"));
    client.Send(std::string(60000, 'x'));
    EXPECT_EQ(WithoutDate(client.Ask(kGet)), kHello);
  });
}

TEST_F(ConnectionTest, ClosesOverALongUnreadBodyAndLetsTheClientSeeWhy) {
  Handle("POST", "/no", [](Request&, Response& response) { return response.Send(403, "", ""); });
  Run([&] {
    Client client = Connect();
    client.Send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    client.Send(std::string(50000, 'x'));
    EXPECT_THAT(client.ReadAll(), HasSubstr("Connection: close"));
  });
}

TEST_F(ConnectionTest, RefusesAndClosesInTheParsersWords) {
  using enum RefusalKind;
  const struct {
    std::string stream;
    int status;
    RefusalKind kind;
  } rows[] = {
      {"GET /" + std::string(9000, 'x'), 414, kTooLarge},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'x'), 431, kTooLarge},
      {Post("Content-Length: 999999999999\r\n", ""), 413, kTooLarge},
      {"GET\r\n\r\n", 400, kRequestLine},
      {"GET noslash HTTP/1.1\r\nHost: a\r\n\r\n", 400, kTarget},
      {"GET / HTTP/2.0\r\n\r\n", 505, kVersion},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, kField},
      {"GET / HTTP/1.1\r\n\r\n", 400, kHost},
      {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501, kUnserved},
      {"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 421, kUnserved},
      {Post("Transfer-Encoding: gzip\r\n", ""), 501, kFraming},
      {Post("Transfer-Encoding: chunked\r\n", "no chunk\r\n"), 400, kFraming},
      {Post("Expect: tea\r\n", ""), 417, kExpectation},
  };
  Run([&] {
    for (const auto& [stream, status, kind] : rows) {
      const uint64_t before = stats_.RefusalsOf(kind);
      Client client = Connect();
      client.Send(std::string(kGet) + stream + kGet);
      EXPECT_EQ(WithoutDate(client.ReadUntil("hello")).find(kHello), 0);
      const std::string refusal = client.ReadAll();
      EXPECT_THAT(refusal, Not(HasSubstr("200 OK")));
      EXPECT_EQ(stats_.RefusalsOf(kind), before + 1) << stream;
      EXPECT_GT(stats_.ResponsesWith(status), 0) << stream;
    }
    EXPECT_EQ(stats_.refused, std::size(rows));
  });
}

TEST_F(ConnectionTest, RefusesAHeadWithoutABody) {
  Run([&] {
    for (const char* request :
         {"HEAD / HTTP/1.1\r\n\r\n", "\r\nHEAD / HTTP/2.0\r\n",
          "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n"}) {
      Client client = Connect();
      client.Send(request);
      EXPECT_THAT(client.ReadAll(), AllOf(HasSubstr("Content-Length: "), EndsWith("\r\n\r\n")));
    }
  });
}

TEST_F(ConnectionTest, RefusesABodyOverItsLimitHoweverItComes) {
  options_.body_max_bytes = 10;
  Run([&] {
    for (const auto& request :
         {Post("Content-Length: 11\r\n", "12345678901"),
          Post("Transfer-Encoding: chunked\r\n", "b\r\n12345678901\r\n0\r\n\r\n")}) {
      Client client = Connect();
      client.Send(request);
      const std::string response = client.ReadAll();
      EXPECT_THAT(response, StartsWith("HTTP/1.1 413 Content Too Large\r\n"));
      EXPECT_THAT(response, HasSubstr("Connection: close"));
    }
    Client client = Connect();
    EXPECT_THAT(client.Ask(Post("Content-Length: 10\r\n", "1234567890")), EndsWith("1234567890"));
  });
}

TEST_F(ConnectionTest, AnswersAMalformedChunkWith400) {
  Run([&] {
    Client client = Connect();
    client.Send(Post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n-1\r\n\r\n"));
    EXPECT_EQ(StatusOf(client.ReadAll()), "HTTP/1.1 400 Bad Request");
  });
}

TEST_F(ConnectionTest, RefusesAMalformedChunkThatIsThereBeforeAnybodyAnswers) {
  Handle("POST", "/", [](Request&, Response& response) { return response.Send(200, "", "hello"); });
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  Run([&] {
    for (const char* body : {"zz\r\n", "1\r\nab\r\n", "0\r\nHost: b\r\n\r\n"}) {
      Client client = Connect();
      client.Send(head + body + kGet);
      EXPECT_EQ(StatusOf(client.ReadAll()), "HTTP/1.1 400 Bad Request");
    }
    for (const char* body : {"", "1", "1\r\na", "1\r\na\r\n0\r\n"}) {
      Client client = Connect();
      EXPECT_THAT(client.Ask(head + body), EndsWith("hello"));
    }
    // A later one, found amid the bytes that nobody wanted: no request stands behind it.
    Client client = Connect();
    EXPECT_THAT(client.Ask(head), EndsWith("hello"));
    client.Send(std::string("zz\r\n") + kGet);
    EXPECT_EQ(client.ReadAll(), "");
  });
}

TEST_F(ConnectionTest, TellsASlowClientThatItsHeadOrBodyCameTooLate) {
  options_.header_timeout = absl::Milliseconds(1);
  options_.io_timeout = absl::Milliseconds(1);
  Run([&] {
    Client head = Connect();
    head.Send("GET / HT");
    EXPECT_EQ(StatusOf(head.ReadAll()), "HTTP/1.1 408 Request Timeout");
    Client body = Connect();
    body.Send(Post("Content-Length: 3\r\n", "a"));
    EXPECT_EQ(StatusOf(body.ReadAll()), "HTTP/1.1 408 Request Timeout");
  });
}

TEST_F(ConnectionTest, ClosesAnIdleConnectionWithoutAWord) {
  options_.idle_timeout = absl::Milliseconds(1);
  Run([&] { EXPECT_EQ(Connect().ReadAll(), ""); });
}

TEST_F(ConnectionTest, AnswersForAHandlerThatFailsOrThrows) {
  int reported = 0;
  options_.on_failure = [&](const Request&, const absl::Status&) { ++reported; };
  Handle("GET", "/throw",
         [](Request&, Response&) -> absl::Status { throw std::runtime_error("secret"); });
  Handle("GET", "/fail", [](Request&, Response&) { return absl::NotFoundError("no such feed"); });
  Handle("GET", "/split", [](Request&, Response& response) {
    response.Add("X", "a\r\nSet-Cookie: b");
    return response.Send(200, "", "");
  });
  Run([&] {
    Client client = Connect();
    const std::string thrown = client.Ask("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(thrown, StartsWith("HTTP/1.1 500 Internal Server Error"));
    EXPECT_THAT(thrown, Not(HasSubstr("secret")));
    const std::string failed = client.Ask("GET /fail HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(failed, StartsWith("HTTP/1.1 404 Not Found"));
    EXPECT_THAT(failed, EndsWith("\r\n\r\nno such feed\r\n"));
    EXPECT_EQ(StatusOf(client.Ask("GET /split HTTP/1.1\r\nHost: a\r\n\r\n")),
              "HTTP/1.1 500 Internal Server Error");
    EXPECT_EQ(WithoutDate(client.Ask(kGet)), kHello);
    EXPECT_EQ(reported, 3);
  });
}

TEST_F(ConnectionTest, CutsAResponseShortIfItsHandlerFailsAmidIt) {
  Handle("GET", "/cut", [](Request&, Response& response) -> absl::Status {
    if (absl::Status written = response.Write("part"); !written.ok()) return written;
    return absl::InternalError("amid");
  });
  Handle("GET", "/short", [](Request&, Response& response) -> absl::Status {
    response.Add("Content-Length", "10");
    return response.Write("part");
  });
  Run([&] {
    for (const char* path : {"/cut", "/short"}) {
      Client client = Connect();
      client.Send(std::string("GET ") + path + " HTTP/1.1\r\nHost: a\r\n\r\n" + kGet);
      const std::string all = client.ReadAll();
      EXPECT_THAT(all, HasSubstr("part"));
      EXPECT_THAT(all, Not(HasSubstr("0\r\n\r\n\r\n")));
      EXPECT_THAT(all, Not(HasSubstr("hello")));
    }
  });
}

TEST_F(ConnectionTest, TakesADeclaredLengthForAStreamedBody) {
  Handle("GET", "/sized", [](Request&, Response& response) -> absl::Status {
    response.Add("Content-Length", "4");
    if (absl::Status written = response.Write("ab"); !written.ok()) return written;
    return response.Write("cd");
  });
  Run([&] {
    Client client = Connect();
    EXPECT_EQ(WithoutDate(client.Ask("GET /sized HTTP/1.1\r\nHost: a\r\n\r\n")),
              "HTTP/1.1 200 OK\r\nServer: grove\r\nContent-Length: 4\r\n\r\nabcd");
  });
}

TEST_F(ConnectionTest, SurvivesAClientThatLeavesAmidEverything) {
  Run([&] {
    for (const auto& part : {std::string("GET / HT"), Post("Content-Length: 9\r\n", "abc"),
                             std::string(kGet), Post("Transfer-Encoding: chunked\r\n", "5\r\na")}) {
      Client client = Connect();
      client.Send(part);
      Yield();
      client.socket().Close();
      Yield();
    }
  });
}

TEST_F(ConnectionTest, ServesAClientThatHasSentItsEnd) {
  Run([&] {
    Client client = Connect();
    client.Send(std::string(kGet) + kGet);
    ASSERT_TRUE(client.socket().ShutdownWrite().ok());
    EXPECT_EQ(WithoutDate(client.ReadAll()), std::string(kHello) + kHello);
  });
}

TEST_F(ConnectionTest, ShowsTheHandlerTheRequestAsItCame) {
  std::string seen;
  Handle("GET", "/see", [&](Request& request, Response& response) {
    for (std::string_view part : {request.method, request.target, request.path, request.query,
                                  request.host, request.peer, *request.Get("x-a")}) {
      seen.append(part).append(" ");
    }
    return response.Send(200, "", "");
  });
  Run([&] {
    Client client = Connect();
    client.Ask("GET http://h:1/see?q=1 HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n");
    EXPECT_EQ(seen, "GET http://h:1/see?q=1 /see q=1 h:1 unix: b ");
  });
}

TEST_F(ConnectionTest, KeepsTheHeadInPlaceWhileALargeBodyIsRead) {
  Handle("POST", "/keep", [](Request& request, Response& response) -> absl::Status {
    auto body = request.ReadWholeBody();
    if (!body.ok()) return body.status();
    return response.Send(200, "", *request.Get("X-Mark"));
  });
  Run([&] {
    Client client = Connect();
    std::string chunks;
    for (int i = 0; i < 200; ++i) chunks += "64\r\n" + std::string(100, '!') + "\r\n";
    auto sender = Spawn("sender", [&] {
      client.Send(
          "POST /keep HTTP/1.1\r\nHost: a\r\nX-Mark: still here\r\n"
          "Transfer-Encoding: chunked\r\n\r\n" +
          chunks + "0\r\n\r\n" + kGet);
    });
    const std::string all = client.ReadUntil("hello");
    EXPECT_THAT(all, HasSubstr("\r\n\r\nstill here"));
    EXPECT_TRUE(sender->Join().ok());
  });
}

}  // namespace
}  // namespace grove::http
