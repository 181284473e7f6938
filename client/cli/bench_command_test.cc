#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "client/cli/app_fixture.h"
#include "client/fake_streams.h"

namespace grove::client::cli {
namespace {

class BenchCommand : public AppTest {
 protected:
  nlohmann::json Json() const { return nlohmann::json::parse(out_, nullptr, false); }
};

TEST_F(BenchCommand, CountsWhatWasAcceptedAndHowSoon) {
  EXPECT_EQ(Run({"bench", "--count=20", "--concurrency=3", "-o", "json"}), 0);
  EXPECT_EQ(Json()["accepted"], 20);
  EXPECT_EQ(Json()["refused"], 0);
  EXPECT_EQ(Json()["durability"], "DURABLE");
  EXPECT_GT(Json()["accepted_per_s"], 0);
  EXPECT_GT(Json()["accepted_ms"]["p50"], 0);
  EXPECT_GE(Json()["accepted_ms"]["max"], Json()["accepted_ms"]["p99"]);
  EXPECT_FALSE(Json().contains("done"));
}

TEST_F(BenchCommand, WaitsForTheEndsOfBatches) {
  EXPECT_EQ(Run({"bench", "--count=25", "--batch=10", "--wait", "--volatile", "-o", "json"}), 0);
  EXPECT_EQ(Json()["accepted"], 25);
  EXPECT_EQ(Json()["done"], 25);
  EXPECT_EQ(Json()["failed"], 0);
  EXPECT_EQ(Json()["durability"], "VOLATILE");
  EXPECT_GE(Json()["done_ms"]["p50"], Json()["accepted_ms"]["p50"]);
}

TEST_F(BenchCommand, Streams) {
  EXPECT_EQ(Run({"bench", "--count=100", "--batch=10", "--stream", "--wait", "-o", "json"}), 0);
  EXPECT_EQ(Json()["accepted"], 100);
  EXPECT_EQ(Json()["done"], 100);
  EXPECT_EQ(Json()["stream"], true);
  EXPECT_GE(server_.streams().messages(), 10);
}

TEST_F(BenchCommand, SaysWhyTasksWereRefusedOrFailed) {
  EXPECT_EQ(Run({"bench", "--function=foo", "--count=3", "-o", "json"}), 0);
  EXPECT_EQ(Json()["refused"], 3);
  EXPECT_EQ(Json()["reasons"]["UNKNOWN_FUNCTION"], 3);
  EXPECT_EQ(Run({"bench", "--function=fail", "--count=2", "--wait"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "failed    2\n  FUNCTION_FAILED 2\n")) << out_;
}

TEST_F(BenchCommand, KeepsToARateAndATime) {
  EXPECT_EQ(Run({"bench", "--rate=100", "--duration=0.2", "-o", "json"}), 0);
  // Due at 0, 10, … 190 ms.
  EXPECT_GT(Json()["accepted"], 0);
  EXPECT_LE(Json()["accepted"], 20);
}

TEST_F(BenchCommand, ADaemonThatIsNotThereEndsIt) {
  variables_["GROVE_ADDRESS"] = "127.0.0.1:1";
  EXPECT_EQ(Run({"bench", "--count=1000000", "--concurrency=2"}), 1);
  EXPECT_EQ(Run({"bench", "--count=1000000", "--stream"}), 1);
}

TEST_F(BenchCommand, AnInterruptEndsItWithTheResultsSoFar) {
  server_.streams().HoldSpawns();
  std::thread interrupt([this] {
    while (server_.streams().messages() == 0) {
    }
    raise(SIGINT);
  });
  EXPECT_EQ(Run({"bench", "--stream", "--duration=600", "-o", "json"}), 0);
  interrupt.join();
  server_.streams().LetGo();
  EXPECT_EQ(Json()["accepted"], 0);
  EXPECT_EQ(Json()["refused"], 0);
}

TEST_F(BenchCommand, RefusesWhatCannotBe) {
  for (const char* flag : {"--rate=0", "--rate=many", "--concurrency=257", "--batch=10001",
                           "--count=0", "--duration=x"}) {
    EXPECT_EQ(Run({"bench", flag}), 2) << flag;
  }
  EXPECT_EQ(Run({"bench", "--volatile", "--durable"}), 2);
}

}  // namespace
}  // namespace grove::client::cli
