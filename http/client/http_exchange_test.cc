#include "http/client/http_exchange.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "http/client/client_fixture.h"

namespace grove::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HttpExchange, ReadsUntilTheConnectionEnds) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        ReadHead(reader);
        EXPECT_TRUE(socket.Write("HTTP/1.0 200 OK\r\n\r\nhello").ok());
        socket.Close();
      },
      [](Script& script, HttpClient& client) {
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "hello");
        EXPECT_EQ(client.Fetch({.url = script.Url()})->body, "hello");
        EXPECT_EQ(script.connections(), 2);
      });
}

TEST(HttpExchange, DoesNotRepeatWhatWasAnsweredInPart) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        ReadHead(reader);
        EXPECT_TRUE(socket.Write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart").ok());
        socket.Close();
      },
      [](Script& script, HttpClient& client) {
        const absl::Status status = client.Fetch({.url = script.Url()}).status();
        EXPECT_TRUE(absl::IsUnavailable(status));
        EXPECT_THAT(std::string(status.message()), HasSubstr("ended before the body did"));
        EXPECT_EQ(script.connections(), 1);
      });
}

TEST(HttpExchange, SendsBodies) {
  WithServer([](TestServer& server, HttpClient& client) {
    server.Answer("/", std::string(kOk));
    EXPECT_TRUE(client.Fetch({.url = server.Url("/"), .method = "PUT", .body = "payload"}).ok());
    EXPECT_THAT(server.requests()[0], HasSubstr("PUT / HTTP/1.1\r\n"));
    EXPECT_THAT(server.requests()[0], HasSubstr("\r\nContent-Length: 7\r\n"));
    EXPECT_THAT(server.requests()[0], HasSubstr("\r\n\r\npayload"));
    EXPECT_TRUE(client.Fetch({.url = server.Url("/"), .method = "POST"}).ok());
    EXPECT_THAT(server.requests()[1], HasSubstr("\r\nContent-Length: 0\r\n"));
    EXPECT_TRUE(client.Fetch({.url = server.Url("/"), .method = "DELETE"}).ok());
    EXPECT_THAT(server.requests()[2], Not(HasSubstr("Content-Length")));
  });
}

TEST(HttpExchange, SendsALargeBodyAndOneFromASource) {
  static constexpr size_t kBytes = 5'000'000;
  WithServer([](TestServer& server, HttpClient& client) {
    server.Answer("/", std::string(kOk));
    EXPECT_TRUE(
        client.Fetch({.url = server.Url("/"), .method = "POST", .body = std::string(900'000, 'x')})
            .ok());
    EXPECT_EQ(server.requests()[0].size() - server.requests()[0].find("\r\n\r\n") - 4, 900'000);
  });
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        EXPECT_THAT(ReadHead(reader), HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
        size_t bytes = 0;
        for (;;) {
          const size_t size = strtoul(reader.ReadLine()->c_str(), nullptr, 16);
          EXPECT_TRUE(reader.ReadExactly(size + 2).ok());
          if (size == 0) break;
          bytes += size;
        }
        EXPECT_EQ(bytes, kBytes);
        EXPECT_TRUE(socket.Write(kOk).ok());
        ReadHead(reader);
      },
      [](Script& script, HttpClient& client) {
        size_t left = kBytes;
        const auto source = [&left]() -> absl::StatusOr<std::string> {
          Yield();
          const size_t some = std::min<size_t>(left, 70'000);
          left -= some;
          return std::string(some, 'y');
        };
        EXPECT_TRUE(client.Fetch({.url = script.Url(), .method = "POST", .source = source}).ok());
        EXPECT_EQ(client.stats().pool.idle, 1);
      });
}

TEST(HttpExchange, TellsWhyABodyFailed) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        while (reader.ReadExactly(1).ok()) continue;
      },
      [](Script& script, HttpClient& client) {
        const auto broken = []() -> absl::StatusOr<std::string> {
          return absl::DataLossError("no more of it");
        };
        EXPECT_TRUE(absl::IsDataLoss(
            client.Fetch({.url = script.Url(), .method = "POST", .source = broken}).status()));
        const auto one = [n = 0]() mutable -> absl::StatusOr<std::string> {
          return n++ == 0 ? "x" : "";
        };
        EXPECT_TRUE(absl::IsInvalidArgument(
            client.Fetch({.url = script.Url(), .method = "POST", .source = one, .source_length = 2})
                .status()));
        EXPECT_EQ(client.stats().pool.open, 0);
      });
}

TEST(HttpExchange, TakesAnAnswerThatComesBeforeTheBodysEnd) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        ReadHead(reader);
        EXPECT_TRUE(socket.Write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").ok());
        ReadHead(reader);
      },
      [](Script& script, HttpClient& client) {
        const auto endless = []() -> absl::StatusOr<std::string> {
          return std::string(100'000, 'z');
        };
        const auto answer =
            client.Fetch({.url = script.Url(), .method = "POST", .source = endless});
        ASSERT_TRUE(answer.ok()) << answer.status();
        EXPECT_EQ(answer->status, 413);
        EXPECT_EQ(answer->body, "no");
        // Half a request is on it.
        EXPECT_EQ(client.stats().pool.open, 0);
      });
}

// The body of the first request is still being sent when the redirect makes a GET of it.
TEST(HttpExchange, EndsABodyBeforeARedirectIsFollowed) {
  WithScript(
      [](Socket& socket, int number) {
        BufferedReader reader(socket);
        const std::string head = ReadHead(reader);
        if (number == 0) {
          EXPECT_TRUE(
              socket.Write("HTTP/1.1 303 x\r\nLocation: /next\r\nContent-Length: 4\r\n\r\nskip")
                  .ok());
        } else {
          EXPECT_THAT(head, HasSubstr("GET /next HTTP/1.1\r\n"));
          EXPECT_TRUE(socket.Write(kOk).ok());
        }
        ReadHead(reader);
      },
      [](Script& script, HttpClient& client) {
        bool outlived = false;
        Event never;
        auto slow = [&, alive = std::make_shared<int>()]() -> absl::StatusOr<std::string> {
          const std::weak_ptr<int> seen = alive;
          bool& told = outlived;
          const absl::Status waited = never.Wait();
          told = told || seen.expired();  // the source must not go while it is asked
          return waited;
        };
        const auto answer =
            client.Fetch({.url = script.Url(), .method = "POST", .source = std::move(slow)});
        ASSERT_TRUE(answer.ok()) << answer.status();
        EXPECT_EQ(answer->body, "ok");
        EXPECT_FALSE(outlived);
      });
}

TEST(HttpExchange, WaitsForContinue) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        EXPECT_THAT(ReadHead(reader), HasSubstr("\r\nExpect: 100-continue\r\n"));
        EXPECT_EQ(reader.buffered(), 0);
        EXPECT_TRUE(socket.Write("HTTP/1.1 100 Continue\r\n\r\n").ok());
        EXPECT_EQ(*reader.ReadExactly(4), "body");
        EXPECT_TRUE(socket.Write(StrCat("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", kOk)).ok());
        // The next one is refused by its head.
        ReadHead(reader);
        EXPECT_TRUE(socket.Write("HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n").ok());
        EXPECT_FALSE(reader.ReadExactly(1).ok());
      },
      [](Script& script, HttpClient& client) {
        const auto ask = [&] {
          return client.Fetch(
              {.url = script.Url(), .method = "POST", .body = "body", .expect_continue = true});
        };
        EXPECT_EQ(ask()->body, "ok");
        EXPECT_EQ(ask()->status, 417);
        EXPECT_EQ(script.connections(), 1);
        EXPECT_EQ(client.stats().pool.open, 0);
      });
}

TEST(HttpExchange, UndoesTheBodysCoding) {
  // `printf hello | gzip -n`
  const std::string coded(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00"
      "\x00\x00",
      25);
  WithServer([&](TestServer& server, HttpClient& client) {
    server.Answer("/length", StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ",
                                    coded.size(), "\r\n\r\n", coded));
    server.Answer("/chunked",
                  StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked"
                         "\r\n\r\na\r\n",
                         coded.substr(0, 10), "\r\nf\r\n", coded.substr(10), "\r\n0\r\n\r\n"));
    server.Answer("/short", StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
                                   "10\r\n\r\n",
                                   coded.substr(0, 10)));
    for (const char* path : {"/length", "/chunked"}) {
      const auto answer = client.Fetch({.url = server.Url(path)});
      ASSERT_TRUE(answer.ok()) << path << answer.status();
      EXPECT_EQ(answer->body, "hello");
      EXPECT_EQ(answer->Field("content-encoding"), "");
    }
    EXPECT_EQ(client.stats().pool.made, 1);
    EXPECT_TRUE(absl::IsUnavailable(client.Fetch({.url = server.Url("/short")}).status()));
  });
  HttpClientOptions plain;
  plain.decode = false;
  WithServer(
      [&](TestServer& server, HttpClient& client) {
        server.Answer("/", StrCat("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ",
                                  coded.size(), "\r\n\r\n", coded));
        const auto answer = client.Fetch({.url = server.Url("/")});
        EXPECT_EQ(answer->body, coded);
        EXPECT_EQ(answer->Field("Content-Encoding"), "gzip");
        EXPECT_THAT(server.requests()[0], Not(HasSubstr("Accept-Encoding")));
      },
      plain);
}

TEST(HttpExchange, BoundsTheBody) {
  HttpClientOptions options;
  options.body_max_bytes = 5;
  WithServer(
      [](TestServer& server, HttpClient& client) {
        server.Answer("/5", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        server.Answer("/6", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!");
        server.Answer("/chunked",
                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n");
        EXPECT_TRUE(client.Fetch({.url = server.Url("/5")}).ok());
        for (const char* path : {"/6", "/chunked"}) {
          const absl::Status over = client.Fetch({.url = server.Url(path)}).status();
          EXPECT_TRUE(absl::IsResourceExhausted(over)) << path;
          EXPECT_THAT(std::string(over.message()), HasSubstr("larger than the 5 bytes"));
        }
        EXPECT_TRUE(absl::IsResourceExhausted(
            client.Fetch({.url = server.Url("/5"), .body_max_bytes = 4}).status()));
      },
      options);
}

TEST(HttpExchange, ReadsABodyPieceByPiece) {
  WithScript(
      [](Socket& socket, int) {
        BufferedReader reader(socket);
        while (!ReadHead(reader).empty()) {
          if (!socket.Write("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n").ok()) return;
          for (int i = 0; i < 100; ++i) {
            if (!socket.Write(std::string(100'000, 'a' + i % 26)).ok()) return;
          }
        }
      },
      [](Script& script, HttpClient& client) {
        {
          HttpExchange answer = *client.Open({.url = script.Url()});
          EXPECT_EQ(answer.status(), 200);
          size_t bytes = 0;
          for (;;) {
            const absl::StatusOr<std::string_view> piece = answer.Next();
            ASSERT_TRUE(piece.ok()) << piece.status();
            if (piece->empty()) break;
            EXPECT_LE(piece->size(), kClientReadBytes);
            EXPECT_EQ((*piece)[0], 'a' + static_cast<int>(bytes / 100'000) % 26);
            bytes += piece->size();
          }
          EXPECT_EQ(bytes, 10'000'000);
        }
        EXPECT_EQ(client.stats().pool.idle, 1);
        // One that is not read to its end takes its connection along.
        { EXPECT_TRUE(client.Open({.url = script.Url()}).ok()); }
        EXPECT_EQ(client.stats().pool.open, 0);
      });
}

}  // namespace
}  // namespace grove::http
