#include "server/worker/made_handlers.h"

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

}  // namespace
}  // namespace grove::worker
