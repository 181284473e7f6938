#include "server/handlers/folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::handlers {
namespace {

namespace fs = std::filesystem;

// root/{a.txt, sub/b.txt, fifo, in -> sub/b.txt, out -> ../secret, abs -> /…/secret}, secret
class FolderTest : public testing::TestWithParam<Folder::Lookup> {
 protected:
  FolderTest() {
    std::string name = testing::TempDir() + "folder_XXXXXX";
    top_ = mkdtemp(name.data());
    fs::create_directories(top_ / "root/sub");
    Write("root/a.txt");
    Write("root/sub/b.txt");
    Write("secret");
    fs::create_symlink("sub/b.txt", top_ / "root/in");
    fs::create_symlink("../secret", top_ / "root/out");
    fs::create_symlink(top_ / "secret", top_ / "root/abs");
    fs::create_symlink("..", top_ / "root/up");
    EXPECT_EQ(mkfifo((top_ / "root/fifo").c_str(), 0600), 0);
  }
  ~FolderTest() override { fs::remove_all(top_); }
  void Write(const std::string& name) { std::ofstream(top_ / name) << name; }
  // "file", "folder", "other", or the code of the failure.
  std::string Open(std::string_view name) {
    std::string found;
    auto hub = Hub::Create();
    RunOn(**hub, [&] {
      const auto file = Folder((top_ / "root").string(), offload_, GetParam()).Open(name);
      if (!file.ok()) {
        found = absl::StatusCodeToString(file.status().code());
      } else {
        found = file->regular() ? "file" : file->directory() ? "folder" : "other";
      }
    });
    return found;
  }

  fs::path top_;
  OffloadPool offload_{{.threads = 1}};
};

INSTANTIATE_TEST_SUITE_P(Lookups, FolderTest,
                         testing::Values(Folder::Lookup::kBeneath, Folder::Lookup::kWalk));

TEST_P(FolderTest, OpensWhatLiesInIt) {
  EXPECT_EQ(Open("a.txt"), "file");
  EXPECT_EQ(Open("sub/b.txt"), "file");
  EXPECT_EQ(Open("sub"), "folder");
  EXPECT_EQ(Open(""), "folder");
}

TEST_P(FolderTest, FindsNothingElse) {
  for (const char* name : {"none", "a.txt/x", "sub/none", "none/a.txt", "sub/b.txt/"}) {
    EXPECT_EQ(Open(name), "NOT_FOUND") << name;
  }
  EXPECT_EQ(Open(std::string(300, 'x')), "NOT_FOUND");
}

TEST_P(FolderTest, NoLinkLeadsOutOfIt) {
  for (const char* name : {"out", "abs", "up/secret", "up"}) {
    EXPECT_EQ(Open(name), "NOT_FOUND") << name;
  }
  EXPECT_EQ(Open("in"), GetParam() == Folder::Lookup::kBeneath ? "file" : "NOT_FOUND");
}

TEST_P(FolderTest, WaitsForNoFifo) {
  EXPECT_EQ(Open("fifo"), "other");
}

TEST_P(FolderTest, IsLookedUpAnewEachTime) {
  EXPECT_EQ(Open("new.txt"), "NOT_FOUND");
  fs::rename(top_ / "root", top_ / "old");
  fs::create_directories(top_ / "root");
  Write("root/new.txt");
  EXPECT_EQ(Open("new.txt"), "file");
  fs::remove_all(top_ / "root");
  EXPECT_EQ(Open("new.txt"), "NOT_FOUND");
}

}  // namespace
}  // namespace grove::handlers
