#include "runtime/offload/offload_pools.h"

#include <gmock/gmock.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

using OffloadPoolsTest = HubTest;
using ::testing::HasSubstr;

TEST_F(OffloadPoolsTest, OnePoolsFullQueueIsNoneOfTheOthers) {
  Run([] {
    OffloadPools pools;
    EXPECT_TRUE(pools.Add({.threads = 1, .queue_max = 0, .name = "disk"}).ok());
    EXPECT_TRUE(pools.Add({.threads = 1, .queue_max = 1, .name = "images"}).ok());
    EXPECT_TRUE(absl::IsResourceExhausted(pools.Run("disk", [] { ADD_FAILURE(); })));
    bool ran = false;
    EXPECT_TRUE(pools.Run("images", [&] { ran = true; }).ok());
    EXPECT_TRUE(ran);
    const OffloadPools::Stats stats = pools.stats();
    ASSERT_EQ(stats.size(), 2u);
    EXPECT_EQ(stats[0].first, "disk");
    EXPECT_EQ(stats[0].second.rejected, 1u);
    EXPECT_EQ(stats[1].first, "images");
    EXPECT_EQ(stats[1].second.completed, 1u);
  });
}

TEST_F(OffloadPoolsTest, NamesAreUniqueAndAWrongOneIsToldWhichThereAre) {
  Run([] {
    OffloadPools pools;
    EXPECT_TRUE(pools.Add({.name = "disk"}).ok());
    EXPECT_TRUE(pools.Add({.name = "images"}).ok());
    EXPECT_TRUE(absl::IsAlreadyExists(pools.Add({.name = "disk"})));
    EXPECT_TRUE(absl::IsInvalidArgument(pools.Add({.name = ""})));
    EXPECT_TRUE(absl::IsInvalidArgument(pools.Add({.threads = 0, .name = "none"})));
    const absl::Status missing = pools.Run("disc", [] { ADD_FAILURE(); });
    EXPECT_TRUE(absl::IsNotFound(missing));
    EXPECT_THAT(missing.message(), HasSubstr("disk, images"));
    EXPECT_EQ(*pools.Find("disk"), *pools.Find("disk"));
  });
}

TEST_F(OffloadPoolsTest, StopEndsThemAll) {
  Run([] {
    OffloadPools pools;
    EXPECT_TRUE(pools.Add({.name = "disk"}).ok());
    EXPECT_TRUE(pools.Run("disk", [] {}).ok());
    std::thread([&] { pools.Stop(); }).join();
    EXPECT_TRUE(absl::IsCancelled(pools.Run("disk", [] { ADD_FAILURE(); })));
    EXPECT_EQ(pools.stats()[0].second.threads, 0);
  });
}

}  // namespace
}  // namespace grove
