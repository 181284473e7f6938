#include "database/postgres/pipeline.h"

#include <memory>
#include <string>
#include <vector>

#include "database/postgres/server_fixture.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/timeout.h"

namespace grove::postgres {
namespace {

class PipelineTest : public PostgresTest {
 protected:
  static PipelineOptions Options(int connections = 1, int64_t depth_max = 128) {
    PipelineOptions options;
    options.connection = server_->Options();
    options.connections = connections;
    options.depth_max = depth_max;
    return options;
  }
  template <typename F>
  void WithPipeline(const PipelineOptions& options, F&& body) {
    Run([&] {
      absl::StatusOr<std::unique_ptr<Pipeline>> pipeline = Pipeline::Create(options);
      ASSERT_TRUE(pipeline.ok()) << pipeline.status();
      body(**pipeline);
      EXPECT_EQ((*pipeline)->stats().under_way, 0);
      pipeline->reset();
      Yield();  // its fibers hear of it
      Yield();
    });
  }
};

TEST_F(PipelineTest, ManyFibersShareAConnection) {
  WithPipeline(Options(), [](Pipeline& pipeline) {
    FiberGroup group;
    for (int i = 0; i < 1000; ++i) {
      (void)group.Spawn("asks", [&pipeline, i]() -> absl::Status {
        absl::StatusOr<Result> answer = pipeline.Query("SELECT $1 + 1", {i});
        if (!answer.ok()) return answer.status();
        EXPECT_EQ(*answer->Value<int>(), i + 1);
        return absl::OkStatus();
      });
    }
    const absl::Status all = group.Join();
    EXPECT_TRUE(all.ok()) << all;
    EXPECT_EQ(pipeline.connector_stats().connects, 1u);
    EXPECT_EQ(pipeline.connector_stats().prepared, 1u);
    EXPECT_EQ(pipeline.stats().statements, 1000u);
    EXPECT_LT(pipeline.stats().reads, 1000u);
  });
}

TEST_F(PipelineTest, EachStatementIsATransactionOfItsOwn) {
  WithPipeline(Options(), [](Pipeline& pipeline) {
    ASSERT_TRUE(pipeline.Execute("CREATE TEMP TABLE t (a int PRIMARY KEY)").ok());
    std::vector<absl::Status> ends(6);
    FiberGroup group;
    for (int i = 0; i < 6; ++i) {
      (void)group.Spawn("asks", [&, i] {
        ends[i] = pipeline.Execute("INSERT INTO t VALUES ($1)", {i / 2}).status();
      });
    }
    EXPECT_TRUE(group.Join().ok());
    for (int i = 0; i < 6; ++i) EXPECT_EQ(ends[i].ok(), i % 2 == 0) << ends[i];
    EXPECT_EQ(*pipeline.Query("SELECT count(*) FROM t")->Value<int64_t>(), 3);
    EXPECT_TRUE(absl::IsInvalidArgument(pipeline.Query("SELEKT").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(pipeline.Query("SELEKT").status()));
  });
}

TEST_F(PipelineTest, AFiberThatLeavesDoesNotDisturbTheOthers) {
  WithPipeline(Options(), [](Pipeline& pipeline) {
    auto connector = *Connector::Create();
    auto holder = *connector->Connect(server_->Options());
    ASSERT_TRUE(holder->Query("SELECT pg_advisory_lock(5)").ok());
    auto slow =
        *Spawn("slow", [&] { return pipeline.Query("SELECT pg_advisory_xact_lock(5)").status(); });
    while (pipeline.stats().under_way < 1) (void)Sleep(absl::Milliseconds(1));
    auto behind =
        *Spawn("behind", [&] { return pipeline.Query("SELECT 7")->Value<int>().status(); });
    while (pipeline.stats().under_way < 2) (void)Sleep(absl::Milliseconds(1));
    slow.Cancel();
    EXPECT_TRUE(absl::IsCancelled(slow.Join()));
    ASSERT_TRUE(holder->Query("SELECT pg_advisory_unlock(5)").ok());
    EXPECT_TRUE(behind.Join().ok());
    EXPECT_EQ(pipeline.stats().left, 1u);
    EXPECT_EQ(pipeline.connector_stats().connects, 1u);
  });
}

TEST_F(PipelineTest, TheDepthIsBounded) {
  WithPipeline(Options(1, 2), [](Pipeline& pipeline) {
    FiberGroup group;
    for (int i = 0; i < 5; ++i) {
      (void)group.Spawn("asks", [&] { return pipeline.Query("SELECT pg_sleep(0.01)").status(); });
    }
    while (pipeline.stats().waiting < 3) Yield();
    EXPECT_LE(pipeline.stats().under_way, 2);
    EXPECT_TRUE(group.Join().ok());
  });
}

TEST_F(PipelineTest, LargeParametersAndResultsGoBothWaysAtOnce) {
  WithPipeline(Options(), [](Pipeline& pipeline) {
    FiberGroup group;
    const std::string large(1'000'000, 'x');
    for (int i = 0; i < 20; ++i) {
      (void)group.Spawn("asks", [&]() -> absl::Status {
        absl::StatusOr<Result> back = pipeline.Query("SELECT $1::text", {large});
        if (!back.ok()) return back.status();
        EXPECT_EQ(back->Value<std::string_view>()->size(), large.size());
        return absl::OkStatus();
      });
    }
    const absl::Status all = group.Join();
    EXPECT_TRUE(all.ok()) << all;
  });
}

TEST_F(PipelineTest, AServerThatIsKilledIsToldToAllAndConnectedToAgain) {
  WithPipeline(Options(2), [](Pipeline& pipeline) {
    std::vector<absl::Status> ends(6);
    FiberGroup group;
    for (int i = 0; i < 6; ++i) {
      (void)group.Spawn("asks",
                        [&, i] { ends[i] = pipeline.Query("SELECT pg_sleep(60)").status(); });
    }
    while (pipeline.stats().under_way < 6) (void)Sleep(absl::Milliseconds(1));
    server_->Kill();
    EXPECT_TRUE(group.Join().ok());
    for (const absl::Status& end : ends) EXPECT_TRUE(absl::IsUnavailable(end)) << end;
    EXPECT_TRUE(absl::IsUnavailable(pipeline.Query("SELECT 1").status()));
    server_->Start();
    EXPECT_EQ(pipeline.Query("SELECT 1").status(), absl::OkStatus());
    // One that ends while it is idle is found before it is used.
    server_->Kill();
    server_->Start();
    (void)Sleep(absl::Milliseconds(1));
    EXPECT_EQ(pipeline.Query("SELECT 1").status(), absl::OkStatus());
    EXPECT_EQ(pipeline.Query("SELECT 1").status(), absl::OkStatus());
  });
}

TEST_F(PipelineTest, OneThatDiesTellsWhoWaits) {
  Run([&] {
    auto pipeline = *Pipeline::Create(Options());
    auto fiber = *Spawn("asks", [&] { return pipeline->Query("SELECT pg_sleep(60)").status(); });
    while (pipeline->stats().under_way < 1) (void)Sleep(absl::Milliseconds(1));
    fiber.Cancel();
    EXPECT_TRUE(absl::IsCancelled(fiber.Join()));
    pipeline.reset();
    (void)Sleep(absl::Milliseconds(1));
  });
}

TEST_F(PipelineTest, OptionsThatCannotBeAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(Pipeline::Create({}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Pipeline::Create(Options(0)).status()));
}

}  // namespace
}  // namespace grove::postgres
