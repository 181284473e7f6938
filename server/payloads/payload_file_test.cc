#include "server/payloads/payload_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/payloads/payload_folder.h"
#include "server/refusal.h"

namespace grove::payloads {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Of "abc" (FIPS 180-2).
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class PayloadFileTest : public ::testing::Test {
 protected:
  PayloadFileTest() : folder_(MakePath()) { EXPECT_TRUE(folder_.Create().ok()); }
  ~PayloadFileTest() override { std::filesystem::remove_all(root_); }

  std::string MakePath() {
    std::string pattern = testing::TempDir() + "/payloads-XXXXXX";
    root_ = mkdtemp(pattern.data());
    return PayloadFolderOf(root_);
  }
  std::unique_ptr<PayloadWriter> Begin(const std::string& id, const WriteBounds& bounds = {}) {
    auto writer = PayloadWriter::Create(folder_.path(), id, bounds);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
  std::unique_ptr<PayloadWriter> Finish(const std::string& id, std::string_view data) {
    auto writer = Begin(id);
    EXPECT_TRUE(writer->Write(data).ok());
    v1::Payload head;
    head.set_name("tenants/acme/payloads/" + id);
    EXPECT_TRUE(writer->Finish(head).ok());
    writer->Keep();
    return writer;
  }
  std::vector<std::string> Files() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  std::vector<std::string> Listed() {
    std::vector<std::string> ids;
    EXPECT_TRUE(
        folder_
            .ForEach([&ids](std::string_view id, const v1::Payload&) { ids.emplace_back(id); },
                     damaged_)
            .ok());
    return ids;
  }

  std::string root_;
  const PayloadFolder folder_;
  std::vector<std::string> damaged_;
};

TEST_F(PayloadFileTest, WhatWasWrittenIsRead) {
  Finish("A", "abc");
  const auto head = folder_.Adopt("A");
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->size_bytes(), 3);
  EXPECT_EQ(head->sha256(), kAbc);
  EXPECT_EQ(head->name(), "tenants/acme/payloads/A");
  const auto reader = PayloadReader::Open(folder_.PathOf("A"));
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(*(*reader)->ReadAt(0, 10), "abc");
  EXPECT_EQ(*(*reader)->ReadAt(1, 1), "b");
  EXPECT_EQ(*(*reader)->ReadAt(3, 10), "");
  EXPECT_EQ(*(*reader)->ReadAt(4, 10), "");
}

TEST_F(PayloadFileTest, FilesAndFolderAreClosedToOthers) {
  const auto writer = Begin("A");
  struct stat found = {};
  ASSERT_EQ(stat(folder_.path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700u);
  ASSERT_EQ(stat((folder_.path() + "/A.part").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST_F(PayloadFileTest, WhatIsNotFinishedIsRemoved) {
  { const auto writer = Begin("A"); }
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(PayloadFileTest, WhatADeadWriterLeavesIsSweptAndNothingElse) {
  const auto alive = Begin("B");
  auto dead = Begin("A");
  dead->Keep();
  EXPECT_EQ(*folder_.Sweep(), 0);
  dead.reset();
  EXPECT_EQ(*folder_.Sweep({"A.part"}), 0) << "spared";
  EXPECT_EQ(*folder_.Sweep(), 1);
  EXPECT_THAT(Files(), ElementsAre("B.part"));
}

TEST_F(PayloadFileTest, AnAdoptedOneIsThereAgainAndNotSwept) {
  auto writer = Finish("A", "abc");
  ASSERT_TRUE(folder_.Adopt("A").ok());
  ASSERT_TRUE(folder_.Adopt("A").ok()) << "by the next control";
  writer.reset();
  EXPECT_EQ(*folder_.Sweep(), 0);
  EXPECT_THAT(Listed(), ElementsAre("A"));
  EXPECT_TRUE(folder_.Remove("A").ok());
  EXPECT_TRUE(folder_.Remove("A").ok()) << "again";
  EXPECT_EQ(folder_.Adopt("A").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(RefusalReason(folder_.Adopt("A").status()), "PAYLOAD_LOST");
}

TEST_F(PayloadFileTest, OneThatWasCutOrIsNoPayloadIsDamagedAndStays) {
  Finish("A", "abc");
  ASSERT_TRUE(folder_.Adopt("A").ok());
  ASSERT_EQ(truncate(folder_.PathOf("A").c_str(), kHeadBytes + 2), 0);
  std::ofstream(folder_.PathOf("B")) << "no head";
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_THAT(damaged_, ::testing::UnorderedElementsAre("A.payload", "B.payload"));
  EXPECT_EQ(Files().size(), 2u);
}

TEST_F(PayloadFileTest, OneThatIsCutWhileItIsReadIsLost) {
  Finish("A", "abc");
  ASSERT_TRUE(folder_.Adopt("A").ok());
  const auto reader = PayloadReader::Open(folder_.PathOf("A"));
  ASSERT_TRUE(reader.ok());
  ASSERT_EQ(truncate(folder_.PathOf("A").c_str(), kHeadBytes + 2), 0);
  EXPECT_EQ(RefusalReason((*reader)->ReadAt(0, 10).status()), "PAYLOAD_LOST");
}

TEST_F(PayloadFileTest, MoreThanTheBoundIsRefused) {
  const auto writer = Begin("A", {.bytes_max = 3});
  EXPECT_TRUE(writer->Write("abc").ok());
  EXPECT_EQ(RefusalReason(writer->Write("d")), "PAYLOAD_TOO_LARGE");
}

TEST_F(PayloadFileTest, TheReserveOfTheVolumeIsKeptFree) {
  // Never more than a tenth of it is kept.
  EXPECT_EQ(RefusalReason(CheckVolume(folder_.path(), 0, INT64_MAX / 2)), "STORE_FULL");
  EXPECT_TRUE(CheckVolume(folder_.path(), 0, 0).ok());
}

TEST_F(PayloadFileTest, AHeadThatDoesNotFitIsRefused) {
  const auto writer = Begin("A");
  v1::Payload head;
  head.set_content_type(std::string(kHeadBytes, 'x'));
  EXPECT_EQ(writer->Finish(head).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PayloadFileTest, IdsAreUlids) {
  const std::string id = NewPayloadId(1);
  EXPECT_EQ(id.size(), 26u);
  EXPECT_EQ(id.substr(0, 10), "0000000001");
  EXPECT_EQ(NewPayloadId(32).substr(0, 10), "0000000010");
  EXPECT_NE(id, NewPayloadId(1));
  EXPECT_EQ(id.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), std::string::npos);
}

}  // namespace
}  // namespace grove::payloads
