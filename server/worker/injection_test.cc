#include "server/worker/injection.h"

#include <string>
#include <string_view>
#include <vector>

#include "runtime/sync/event.h"
#include "server/http/serving/server_fixture.h"
#include "server/refusal.h"

namespace grove::worker {
namespace {

using Answer = v1::InjectHttpRequestResponse;

class InjectionTest : public http::ServerFixture {
 protected:
  // As control fills it in.
  static v1::InjectHttpRequestRequest Ask(std::string_view method, std::string_view target,
                                          std::string_view body = "") {
    v1::InjectHttpRequestRequest request;
    request.set_method(std::string(method));
    request.set_target(std::string(target));
    request.set_body(std::string(body));
    request.add_headers()->set_name("Host");
    request.mutable_headers(0)->set_value("localhost");
    request.set_body_bytes_max(1 << 10);
    request.mutable_timeout()->set_seconds(5);
    return request;
  }
  absl::StatusOr<Answer> Inject(const v1::InjectHttpRequestRequest& request) {
    return InjectHttpRequest(*server_, request);
  }
  static std::string HeaderOf(const Answer& answer, std::string_view name) {
    for (const v1::HttpField& field : answer.headers()) {
      if (http::EqualsIgnoreCase(field.name(), name)) return field.value();
    }
    return "none";
  }
  // Streams `pieces` pieces of 100 bytes; each waits until the clock says so.
  void HandleStream(int pieces, absl::Duration between) {
    Handle("GET", "/stream", [=](http::Request&, http::Response& response) {
      for (int i = 0; i < pieces; ++i) {
        absl::Status written = response.Write(std::string(100, 'x'));
        if (written.ok()) written = response.Flush();
        if (written.ok()) written = Sleep(between);
        if (!written.ok()) return written;
      }
      return absl::OkStatus();
    });
  }
};

TEST_F(InjectionTest, TheRealRouterAnswers) {
  Handle("GET", "/orders/{id}", [](http::Request& request, http::Response& response) {
    response.Add("X-Host", "shop");
    return response.Send(200, "text/plain", std::string("order ") + std::string(request.target));
  });
  Run([&] {
    const auto answer = Inject(Ask("GET", "/orders/7?a=b"));
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status(), 200);
    EXPECT_EQ(answer->body(), "order /orders/7?a=b");
    EXPECT_EQ(answer->body_end(), Answer::BODY_END_COMPLETE);
    EXPECT_EQ(HeaderOf(*answer, "X-Host"), "shop");
    EXPECT_EQ(HeaderOf(*answer, "Content-Type"), "text/plain");
    EXPECT_EQ(Inject(Ask("GET", "/none"))->status(), 404);
    EXPECT_EQ(Inject(Ask("DELETE", "/orders/7"))->status(), 405);
  });
  EXPECT_EQ(stats_.requests, 3u);
}

TEST_F(InjectionTest, BodiesGoBothWays) {
  Handle("POST", "/echo", [](http::Request& request, http::Response& response) -> absl::Status {
    const absl::StatusOr<std::string> body = request.ReadWholeBody(1 << 20);
    if (!body.ok()) return body.status();
    return response.Send(201, "", *body);
  });
  Run([&] {
    auto request = Ask("POST", "/echo", std::string(300'000, 'y'));
    request.set_body_bytes_max(300'000);
    const auto answer = Inject(request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status(), 201);
    EXPECT_EQ(answer->body().size(), 300'000u);
    EXPECT_EQ(answer->body_end(), Answer::BODY_END_COMPLETE);
    EXPECT_EQ(Inject(Ask("POST", "/echo"))->body_end(), Answer::BODY_END_COMPLETE);
  });
}

TEST_F(InjectionTest, TheServersLimitsHold) {
  options_.body_max_bytes = 10;
  Handle("POST", "/echo", [](http::Request& request, http::Response& response) -> absl::Status {
    const absl::StatusOr<std::string> body = request.ReadWholeBody(1 << 20);
    if (!body.ok()) return body.status();
    return response.Send(200, "", *body);
  });
  Run([&] { EXPECT_EQ(Inject(Ask("POST", "/echo", std::string(400'000, 'y')))->status(), 413); });
}

TEST_F(InjectionTest, AnAnswerOfHeadHasNoBody) {
  Handle("GET", "/", [](http::Request&, http::Response& response) {
    return response.Send(200, "text/plain", "text");
  });
  Run([&] {
    const auto answer = Inject(Ask("HEAD", "/"));
    EXPECT_EQ(HeaderOf(*answer, "Content-Length"), "4");
    EXPECT_EQ(answer->body(), "");
    EXPECT_EQ(answer->body_end(), Answer::BODY_END_COMPLETE);
  });
}

TEST_F(InjectionTest, ALongBodyIsCutAtItsBytes) {
  HandleStream(50, absl::ZeroDuration());
  Handle("GET", "/whole", [](http::Request&, http::Response& response) {
    return response.Send(200, "", std::string(1025, 'z'));
  });
  Run([&] {
    for (const char* target : {"/stream", "/whole"}) {
      const auto answer = Inject(Ask("GET", target));
      EXPECT_EQ(answer->body().size(), 1024u) << target;
      EXPECT_EQ(answer->body_end(), Answer::BODY_END_TOO_LONG) << target;
    }
    auto request = Ask("GET", "/whole");
    request.set_body_bytes_max(1025);
    EXPECT_EQ(Inject(request)->body_end(), Answer::BODY_END_COMPLETE);
  });
}

TEST_F(InjectionTest, AStreamIsCutAtItsTime) {
  HandleStream(8, absl::Seconds(2));
  Run([&] {
    const auto answer = Inject(Ask("GET", "/stream"));
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status(), 200);
    EXPECT_EQ(answer->body().size(), 300u);
    EXPECT_EQ(answer->body_end(), Answer::BODY_END_TOO_SLOW);
    EXPECT_EQ(answer->head_duration().seconds(), 0);
    EXPECT_EQ(answer->duration().seconds(), 5);
  });
}

TEST_F(InjectionTest, AHandlerThatDoesNotBeginIsGivenUp) {
  Event never;
  Handle("GET", "/", [&](http::Request&, http::Response&) { return never.Wait(); });
  Run([&] {
    const auto answer = Inject(Ask("GET", "/"));
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(RefusalReason(answer.status()), "NO_ANSWER");
    never.Set();
  });
}

TEST_F(InjectionTest, ABodyThatIsBrokenOffSaysSo) {
  Handle("GET", "/", [](http::Request&, http::Response& response) -> absl::Status {
    response.Add("Content-Length", "10");
    if (absl::Status written = response.Write("half"); !written.ok()) return written;
    if (absl::Status flushed = response.Flush(); !flushed.ok()) return flushed;
    return absl::InternalError("no more");
  });
  Run([&] {
    const auto answer = Inject(Ask("GET", "/"));
    EXPECT_EQ(answer->body(), "half");
    EXPECT_EQ(answer->body_end(), Answer::BODY_END_BROKEN);
  });
}

TEST_F(InjectionTest, InterimAnswersArePassedOver) {
  Handle("GET", "/", [](http::Request&, http::Response& response) -> absl::Status {
    const http::Field fields[] = {{"Link", "</a>; rel=preload"}};
    if (absl::Status sent = response.SendInterim(103, fields); !sent.ok()) return sent;
    return response.Send(200, "", "after");
  });
  Run([&] {
    const auto answer = Inject(Ask("GET", "/"));
    EXPECT_EQ(answer->status(), 200);
    EXPECT_EQ(answer->body(), "after");
    EXPECT_EQ(HeaderOf(*answer, "Link"), "none");
  });
}

TEST_F(InjectionTest, AServerThatDrainsOrIsFullTakesNone) {
  options_.connections_max = 1;
  Run([&] {
    {
      http::Client other = Connect();
      EXPECT_EQ(RefusalReason(Inject(Ask("GET", "/")).status()), "TOO_MANY_INJECTED");
    }
    Yield();
    server_->Drain();
    EXPECT_EQ(RefusalReason(Inject(Ask("GET", "/")).status()), "WORKER_UNREACHABLE");
  });
}

}  // namespace
}  // namespace grove::worker
