#include "server/worker/attempt_streams.h"

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "server/payloads/payload_folder.h"
#include "server/refusal.h"

namespace grove::worker {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr size_t kInline = 300'000;

class AttemptStreamsTest : public ::testing::Test {
 protected:
  AttemptStreamsTest() {
    std::string pattern = testing::TempDir() + "/streams-XXXXXX";
    access_.folder = mkdtemp(pattern.data());
    access_.bounds.set_payload_max_bytes(1 << 20);
    access_.bounds.set_input_max_bytes(1000);
  }
  ~AttemptStreamsTest() override { std::filesystem::remove_all(access_.folder); }

  void Run(const std::function<void()>& body) {
    auto hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, body);
  }
  std::vector<std::string> Files() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(access_.folder)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  absl::StatusOr<Output> WriteOut(size_t bytes) {
    const auto stream = OpenOutput(access_, offload_, kInline, "acme", "text/plain");
    for (size_t left = bytes; left > 0;) {
      const size_t piece = std::min<size_t>(left, 100'000);
      absl::Status written = stream->Write(std::string(piece, 'x'));
      if (!written.ok()) return written;
      left -= piece;
    }
    return stream->Finish();
  }
  // As control would have taken it over; its id.
  std::string Taken(const Output& output) {
    internal::v1::PayloadFile file;
    dynamic_cast<const WrittenPayload&>(*output.streamed).Describe(file);
    EXPECT_TRUE(payloads::PayloadFolder(access_.folder).Adopt(file.file()).ok());
    return file.file();
  }

  PayloadAccess access_;
  OffloadPool offload_{{.threads = 2}};
};

TEST_F(AttemptStreamsTest, ASmallOutputNeedsNoFile) {
  Run([this] {
    const auto output = WriteOut(kInline);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(output->bytes.size(), kInline);
    EXPECT_EQ(output->content_type, "text/plain");
    EXPECT_EQ(output->streamed, nullptr);
    EXPECT_THAT(Files(), IsEmpty());
  });
}

TEST_F(AttemptStreamsTest, ALargeOneIsAFileThatIsRead) {
  Run([this] {
    const auto output = WriteOut(kInline + 1);
    ASSERT_TRUE(output.ok()) << output.status();
    ASSERT_NE(output->streamed, nullptr);
    EXPECT_EQ(output->bytes, "");
    const auto input = OpenPayload(access_, offload_, Taken(*output));
    ASSERT_TRUE(input.ok()) << input.status();
    EXPECT_EQ((*input)->size_bytes(), static_cast<int64_t>(kInline) + 1);
    EXPECT_THAT(*(*input)->Read(kInline), SizeIs(kInline));
    EXPECT_EQ(*(*input)->Read(), "x");
    EXPECT_EQ(*(*input)->Read(), "");
  });
}

TEST_F(AttemptStreamsTest, WhatIsNotFinishedIsSwept) {
  Run([this] {
    const payloads::PayloadFolder folder(access_.folder);
    {
      const auto stream = OpenOutput(access_, offload_, kInline, "acme", "text/plain");
      ASSERT_TRUE(stream->Write(std::string(kInline + 1, 'x')).ok());
      EXPECT_THAT(Files(), SizeIs(1));
      EXPECT_EQ(*folder.Sweep(), 0);
    }
    EXPECT_EQ(*folder.Sweep(), 1);
  });
}

TEST_F(AttemptStreamsTest, AFinishedOneIsNoLitterBeforeItIsForgotten) {
  Run([this] {
    const payloads::PayloadFolder folder(access_.folder);
    auto output = WriteOut(kInline + 1);
    ASSERT_TRUE(output.ok());
    EXPECT_EQ(*folder.Sweep(), 0);
    output->streamed.reset();
    EXPECT_EQ(*folder.Sweep(), 1);
  });
}

TEST_F(AttemptStreamsTest, MoreThanAPayloadMayHaveIsRefused) {
  Run([this] {
    EXPECT_TRUE(WriteOut(1 << 20).ok());
    EXPECT_EQ(RefusalReason(WriteOut((1 << 20) + 1).status()), "PAYLOAD_TOO_LARGE");
  });
}

TEST_F(AttemptStreamsTest, AFunctionThatTakesNoStreamGetsASmallOneWhole) {
  Run([this] {
    access_.bounds.set_input_max_bytes(kInline + 1);
    const std::string id = Taken(*WriteOut(kInline + 1));
    EXPECT_THAT(*ReadPayload(access_, offload_, id), SizeIs(kInline + 1));
    access_.bounds.set_input_max_bytes(kInline);
    EXPECT_EQ(RefusalReason(ReadPayload(access_, offload_, id).status()), "INPUT_TOO_LARGE");
  });
}

TEST_F(AttemptStreamsTest, OneThatIsNotThereIsLost) {
  Run([this] {
    EXPECT_EQ(RefusalReason(OpenPayload(access_, offload_, "NEVER").status()), "PAYLOAD_LOST");
  });
}

TEST_F(AttemptStreamsTest, WithoutAFolderAnOutputStaysInMemory) {
  Run([this] {
    const std::string folder = std::exchange(access_.folder, "");
    EXPECT_EQ(WriteOut(kInline + 1)->bytes.size(), kInline + 1);
    access_.folder = folder;
  });
}

}  // namespace
}  // namespace grove::worker
