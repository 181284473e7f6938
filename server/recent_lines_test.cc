#include "server/recent_lines.h"

#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/log.h"

namespace grove {
namespace {

class RecentLinesTest : public testing::Test {
 protected:
  static std::vector<std::string> Texts(const std::vector<RecentLine>& lines) {
    std::vector<std::string> texts;
    for (const RecentLine& line : lines) texts.push_back(line.text);
    return texts;
  }

  // As new shared memory is.
  std::unique_ptr<RecentLog> ring_ = std::make_unique<RecentLog>();
};

TEST_F(RecentLinesTest, ComeBackAsTheyWereOldestFirst) {
  EXPECT_TRUE(ring_->Read().empty());
  ring_->Append(7, 1, "first");
  ring_->Append(8, 2, "");
  ring_->Append(9, 3, "12345678");
  const std::vector<RecentLine> lines = ring_->Read();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(Texts(lines), (std::vector<std::string>{"first", "", "12345678"}));
  EXPECT_EQ(lines[0].time_us, 7);
  EXPECT_EQ(lines[2].level, 3u);
  EXPECT_EQ(Texts(ring_->Read(1)), (std::vector<std::string>{"12345678"}));
}

TEST_F(RecentLinesTest, TheOldestMakeRoom) {
  for (int i = 0; i < 10'000; ++i) ring_->Append(i, 0, absl::StrCat("line ", i));
  const std::vector<RecentLine> lines = ring_->Read();
  ASSERT_GT(lines.size(), 500u);
  ASSERT_LT(lines.size(), 1'000u);
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].text, absl::StrCat("line ", 10'000 - lines.size() + i));
  }
}

TEST_F(RecentLinesTest, ALongLineIsCut) {
  ring_->Append(0, 0, std::string(10'000, 'x'));
  EXPECT_EQ(ring_->Read()[0].text, std::string(RecentLog::kLineBytesMax, 'x'));
}

TEST_F(RecentLinesTest, AreWholeWhileSomebodyWrites) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int64_t i = 0; !stop; ++i) ring_->Append(i, 0, absl::StrCat(i, std::string(i % 300, '.')));
  });
  for (int round = 0; round < 300; ++round) {
    int64_t last = -1;
    for (const RecentLine& line : ring_->Read()) {
      ASSERT_EQ(line.text, absl::StrCat(line.time_us, std::string(line.time_us % 300, '.')));
      ASSERT_TRUE(last < 0 || line.time_us == last + 1) << last << " " << line.time_us;
      last = line.time_us;
    }
  }
  stop = true;
  writer.join();
}

TEST_F(RecentLinesTest, HoldWhatTheLogSays) {
  {
    const KeptRecentLog kept(*ring_);
    Log(LogLevel::kWarning, "kept", {{"n", 1}});
    Log(LogLevel::kDebug, "below the level", {});
  }
  Log(LogLevel::kWarning, "not kept", {});
  const std::vector<RecentLine> lines = ring_->Read();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].level, static_cast<uint32_t>(LogLevel::kWarning));
  EXPECT_NE(lines[0].text.find("\"kept\" n=1"), std::string::npos) << lines[0].text;
  EXPECT_NE(lines[0].text.back(), '\n');
}

}  // namespace
}  // namespace grove
