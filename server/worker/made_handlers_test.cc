#include "server/worker/made_handlers.h"

#include <stdexcept>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/offload/offload.h"
#include "server/functions/fetch.h"

namespace grove::worker {
namespace {

using ::testing::ElementsAre;

absl::Status Answer(http::Request&, http::Response&) {
  return absl::OkStatus();
}

class MadeHandlersTest : public testing::Test {
 protected:
  MadeHandlersTest() {
    application_.AddHandlerFactory("plain", [this](WorkerServices&) -> http::Handler {
      made_.push_back("plain");
      return &Answer;
    });
    application_.AddFolderHandlerFactory(
        "file", [this](WorkerServices&, const Application::RouteSettings& route) -> http::Handler {
          made_.push_back(route.path + " of " + route.folder);
          return &Answer;
        });
    application_.AddWebSocketFactory("socket", [this](WorkerServices&) -> http::WebSocketFunction {
      made_.push_back("socket");
      return [](http::WebSocket&, const http::Request&) { return absl::OkStatus(); };
    });
  }

  Application application_{"test"};
  std::vector<std::string> made_;
  std::unique_ptr<functions::FetchClient> fetch_ =
      *functions::FetchClient::Create(functions::FetchPolicy{});
  OffloadPool offload_{{}};
  WorkerServices services_{.worker = 0, .fetch = *fetch_, .offload = offload_};
  uint64_t over_budget_ = 0;
  http::websocket::MessageBudget budget_{1000, over_budget_};
  MadeHandlers handlers_{application_, services_, budget_};
};

TEST_F(MadeHandlersTest, AFactoryRunsOnceHoweverOftenRoutesAreBuilt) {
  for (int reload = 0; reload < 3; ++reload) {
    const HandlerSource source = handlers_.Source();
    EXPECT_NE(source.handler("plain", {}), nullptr);
    EXPECT_NE(source.websocket("socket", {}), nullptr);
  }
  EXPECT_THAT(made_, ElementsAre("plain", "socket"));
}

TEST_F(MadeHandlersTest, EachFolderHasAHandlerOfItsOwn) {
  const HandlerSource source = handlers_.Source();
  for (const char* folder : {"/a", "/b", "/a"}) {
    EXPECT_NE(source.handler("file", {.path = "/x", .folder = folder}), nullptr);
  }
  EXPECT_THAT(made_, ElementsAre("/x of /a", "/x of /b"));
}

TEST_F(MadeHandlersTest, AFactoryThatThrowsIsNamedAndAskedAgain) {
  bool broken = true;
  application_.AddHandlerFactory("throws", [&](WorkerServices&) -> http::Handler {
    if (broken) throw std::runtime_error("no disk");
    return &Answer;
  });
  application_.AddHandlerFactory("nothing", [](WorkerServices&) { return nullptr; });
  const HandlerSource source = handlers_.Source();
  source.handler("throws", {});
  EXPECT_EQ(handlers_.TakeFailure(),
            absl::InternalError("the factory of handler \"throws\": threw: no disk"));
  source.handler("nothing", {});
  EXPECT_EQ(handlers_.TakeFailure().message(),
            "the factory of handler \"nothing\": returned nothing");
  broken = false;
  EXPECT_NE(source.handler("throws", {}), nullptr);
  EXPECT_TRUE(handlers_.TakeFailure().ok());
}

TEST_F(MadeHandlersTest, MiddlewareIsMadeOfItsEntrysOptions) {
  SettingsSchema options;
  const auto text = options.Text("text", {.description = "d", .default_value = "none"});
  application_.AddMiddleware(
      "mark",
      [&, text](WorkerServices&, const Settings& given) -> absl::StatusOr<http::Middleware> {
        made_.push_back(given[text]);
        if (given[text] == "bad") return absl::InvalidArgumentError("bad text");
        if (given[text] == "worse") throw std::runtime_error("no idea");
        return [](http::Request& request, http::Response& response, const http::Handler& next) {
          return next(request, response);
        };
      },
      options);
  const HandlerSource source = handlers_.Source();
  const auto make = [&](const std::string& said) {
    config::v1::OwnMiddleware entry;
    entry.set_name("mark");
    if (!said.empty()) {
      config::v1::Setting& option = *entry.add_options();
      option.set_name("text");
      option.add_values(said);
    }
    return source.middleware("http.middleware[0].own", entry).status();
  };
  EXPECT_TRUE(make("").ok());
  EXPECT_TRUE(make("loud").ok());
  EXPECT_EQ(make("bad"), absl::InvalidArgumentError("http.middleware[0].own: bad text"));
  EXPECT_EQ(make("worse").message(),
            "http.middleware[0].own: the factory of middleware \"mark\": threw: no idea");
  EXPECT_THAT(made_, ElementsAre("none", "loud", "bad", "worse"));
}

}  // namespace
}  // namespace grove::worker
