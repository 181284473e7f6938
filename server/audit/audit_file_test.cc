#include "server/audit/audit_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace grove::audit {
namespace {

// Nothing waits so long; only a bug does.
constexpr absl::Duration kPatience = absl::Seconds(20);

std::string Content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class AuditFileTest : public testing::Test {
 protected:
  AuditFileTest() : folder_(testing::TempDir() + "audit_file_XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    options_.path = folder_ + "/audit.log";
    options_.retry_after = absl::Milliseconds(1);
  }
  ~AuditFileTest() override { std::filesystem::remove_all(folder_); }
  std::unique_ptr<AuditFile> Open() {
    auto file = AuditFile::Open(options_);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  // As yield to the thread as it takes.
  template <typename F>
  static bool Eventually(F probe) {
    const absl::Time end = absl::Now() + kPatience;
    while (!probe() && absl::Now() < end) usleep(100);
    return probe();
  }
  std::string folder_;
  AuditFileOptions options_;
};

TEST_F(AuditFileTest, KeepsTheOrderAndWhatWasThere) {
  std::ofstream(options_.path) << "old\n";
  auto file = Open();
  std::string all = "old\n";
  for (int i = 0; i < 1000; ++i) {
    if (i == 500) file->Start();
    file->Append(absl::StrCat(i, "\n"));
    all += absl::StrCat(i, "\n");
  }
  file->Stop(kPatience);
  EXPECT_EQ(Content(options_.path), all);
  EXPECT_EQ(file->stats().lines, 1000);
  EXPECT_EQ(file->stats().bytes_waiting, 0);
}

TEST_F(AuditFileTest, IsReadByItsGroupAlone) {
  const mode_t before = umask(0);
  Open();
  umask(before);
  struct stat info;
  ASSERT_EQ(stat(options_.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640);
}

TEST_F(AuditFileTest, SaysWhyItCannotBeOpened) {
  options_.path = folder_ + "/none/audit.log";
  EXPECT_EQ(AuditFile::Open(options_).status().message(),
            absl::StrCat("open ", options_.path, ": No such file or directory"));
}

TEST_F(AuditFileTest, ADiskThatIsFullLosesNoLine) {
  ASSERT_EQ(symlink("/dev/full", options_.path.c_str()), 0);
  options_.waiting_bytes_max = 10;
  auto file = Open();
  file->Start();
  file->Append("first\n");
  EXPECT_TRUE(Eventually([&] { return file->stats().failing.load(); }));
  EXPECT_TRUE(file->HasRoom());
  file->Append("second\n");
  EXPECT_FALSE(file->HasRoom());
  ASSERT_EQ(unlink(options_.path.c_str()), 0);
  EXPECT_TRUE(Eventually([&] { return file->stats().bytes_waiting == 0; }));
  EXPECT_TRUE(file->HasRoom());
  EXPECT_FALSE(file->stats().failing);
  EXPECT_EQ(Content(options_.path), "first\nsecond\n");
}

TEST_F(AuditFileTest, RotatesAndKeepsSoMany) {
  options_.bytes_max = 1;
  options_.files_max = 2;
  auto file = Open();
  file->Start();
  for (int i = 1; i <= 4; ++i) {
    file->Append(absl::StrCat(i, "\n"));
    // Each is rotated away once it is written.
    EXPECT_TRUE(Eventually([&] {
      return Content(options_.path + ".1") == absl::StrCat(i, "\n") &&
             Content(options_.path).empty();
    }));
  }
  EXPECT_EQ(Content(options_.path + ".2"), "3\n");
  EXPECT_FALSE(std::filesystem::exists(options_.path + ".3"));
}

TEST_F(AuditFileTest, FollowsARename) {
  auto file = Open();
  file->Start();
  file->Append("a\n");
  EXPECT_TRUE(Eventually([&] { return file->stats().lines == 1; }));
  std::filesystem::rename(options_.path, folder_ + "/moved");
  file->Append("b\n");
  file->Stop(kPatience);
  EXPECT_EQ(Content(folder_ + "/moved"), "a\n");
  EXPECT_EQ(Content(options_.path), "b\n");
}

TEST_F(AuditFileTest, WhatTwoWriteToOnePathIsAllThere) {
  options_.bytes_max = 2'000;
  options_.files_max = 100;
  auto one = Open();
  auto other = Open();
  one->Start();
  other->Start();
  for (int i = 0; i < 2'000; ++i) {
    (i % 2 == 0 ? one : other)->Append(absl::StrCat(i, "\n"));
    if (i % 100 == 0) {
      EXPECT_TRUE(AppendAuditLine(options_.path, "third\n").ok());
    }
  }
  one->Stop(kPatience);
  other->Stop(kPatience);
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    all += Content(entry.path());
  }
  std::vector<std::string> lines = absl::StrSplit(all, '\n', absl::SkipEmpty());
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "third"), 20);
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(std::unique(lines.begin(), lines.end()) - lines.begin(), 2'001);
}

TEST_F(AuditFileTest, WithoutPatienceItEndsAllTheSame) {
  ASSERT_EQ(symlink("/dev/full", options_.path.c_str()), 0);
  options_.retry_after = absl::Hours(1);
  auto file = Open();
  file->Start();
  file->Append("lost\n");
  EXPECT_TRUE(Eventually([&] { return file->stats().failing.load(); }));
  file->Stop(absl::ZeroDuration());
}

TEST_F(AuditFileTest, ASingleLineSaysWhatStandsAgainstIt) {
  EXPECT_EQ(AppendAuditLine("/dev/full", "x\n").message(),
            "write /dev/full: No space left on device");
}

}  // namespace
}  // namespace grove::audit
