#include "server/control/live_payloads.h"

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "server/metrics/scoreboard.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using internal::v1::AttemptEnded;
using metrics::PayloadCell;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr int64_t kSecond = 1'000'000;
constexpr tasks::TaskId kTask = {7, 7};
// Of "abc" (FIPS 180-2).
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class LivePayloadsTest : public ::testing::Test {
 protected:
  LivePayloadsTest() {
    std::string pattern = testing::TempDir() + "/live-XXXXXX";
    config_.set_state_dir(mkdtemp(pattern.data()));
    config_.mutable_tasks()->set_payload_max_bytes(100);
    config_.mutable_tasks()->set_payloads_max_bytes(200);
    config_.mutable_tasks()->set_payload_retention_ms(60'000);
    config_.mutable_tasks()->set_input_max_bytes(10);
    config::v1::Tenant* tenant = config_.add_tenants();
    tenant->set_name("small");
    tenant->mutable_quotas()->set_payload_bytes_max(50);
    directory_ = std::make_unique<tenancy::Directory>(*tenancy::Directory::Create(config_));
  }
  ~LivePayloadsTest() override { std::filesystem::remove_all(config_.state_dir()); }

  // Runs `body` on a fiber of a control that has just started.
  void Run(const std::function<void(LivePayloads&)>& body) {
    LivePayloads payloads(config_, *directory_, board_.series(), [this] { return now_us_; });
    ASSERT_TRUE(payloads.Load().ok());
    auto hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] { body(payloads); });
  }
  // Its name.
  static std::string Put(LivePayloads& payloads, std::string_view data,
                         const std::string& parent = "tenants/default") {
    const auto payload = TryPut(payloads, data, parent);
    EXPECT_TRUE(payload.ok()) << payload.status();
    return payload.ok() ? payload->name() : "";
  }
  static absl::StatusOr<v1::Payload> TryPut(LivePayloads& payloads, std::string_view data,
                                            const std::string& parent = "tenants/default",
                                            const std::string& wanted = "") {
    v1::Payload said;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(wanted, &said));
    auto upload = payloads.Begin(parent, said);
    if (!upload.ok()) return upload.status();
    if (absl::Status written = (*upload)->Write(data); !written.ok()) return written;
    return (*upload)->Finish();
  }
  std::vector<std::string> Files() {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(payloads::PayloadFolderOf(config_.state_dir()))) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  static std::string FileOf(const std::string& name) {
    return payloads::PayloadFolder::FileOf(name.substr(name.rfind('/') + 1));
  }
  // What a worker has written, which keeps it until it dies.
  std::unique_ptr<payloads::PayloadWriter> Written(const std::string& id, size_t bytes,
                                                   const std::string& tenant = "default") {
    auto writer =
        *payloads::PayloadWriter::Create(payloads::PayloadFolderOf(config_.state_dir()), id, {});
    EXPECT_TRUE(writer->Write(std::string(bytes, 'x')).ok());
    v1::Payload head;
    head.set_name("tenants/" + tenant + "/payloads/" + id);
    head.set_state(v1::Payload::STATE_USED);
    EXPECT_TRUE(writer->Finish(head).ok());
    writer->Keep();
    return writer;
  }
  static internal::v1::WorkerFrame Ended(const std::string& id) {
    internal::v1::WorkerFrame frame;
    AttemptEnded& ended = *frame.add_ended();
    ended.set_outcome(AttemptEnded::OUTCOME_SUCCEEDED);
    ended.mutable_output_payload()->set_file(id);
    return frame;
  }

  uint64_t Counted(const std::string& tenant, size_t cell) {
    metrics::SeriesIndex tenants(board_.series().payloads.directory());
    return board_.series().payload_cells.of[tenants.Find(tenant)][cell];
  }

  metrics::Scoreboard board_ = *metrics::Scoreboard::Create(1);
  config::v1::Config config_;
  std::unique_ptr<tenancy::Directory> directory_;
  WallMicros now_us_ = 1'700'000'000 * kSecond;
  const std::string id_ = tasks::TaskId{1, 1}.ToString();
};

TEST_F(LivePayloadsTest, OneThatNoTaskNamesExpires) {
  Run([this](LivePayloads& payloads) {
    const std::string name = Put(payloads, "abc");
    EXPECT_EQ(payloads.Get(name)->sha256(), kAbc);
    now_us_ += 60 * kSecond - 1;
    payloads.Look();
    EXPECT_TRUE(payloads.Get(name).ok());
    now_us_ += 1;
    payloads.Look();
    EXPECT_EQ(tasks::RefusalReason(payloads.Get(name).status()), "PAYLOAD_NOT_FOUND");
    EXPECT_THAT(Files(), IsEmpty());
  });
}

TEST_F(LivePayloadsTest, OneThatATaskNamesDoesNotAndOutlastsARestart) {
  std::string name;
  Run([&](LivePayloads& payloads) { name = Put(payloads, "abc"); });
  now_us_ += 3600 * kSecond;
  Run([&](LivePayloads& payloads) {
    payloads.ledger().Hold(name, kTask);
    payloads.ledger().EndRecovery(now_us_);
    payloads.Look();
    const auto reader = payloads.Open(name);
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ(*payloads.ReadAt(**reader, 1, 10), "bc");
    payloads.ledger().ReleaseAll(kTask, 0);
    payloads.Look();
    EXPECT_THAT(Files(), IsEmpty());
  });
}

TEST_F(LivePayloadsTest, OneThatIsNotWhatWasSaidIsNotThere) {
  Run([this](LivePayloads& payloads) {
    for (const char* wanted :
         {"size_bytes: 2", "size_bytes: 4", "sha256: 'abc'",
          "sha256: '0000000000000000000000000000000000000000000000000000000000000000'"}) {
      EXPECT_EQ(tasks::RefusalReason(TryPut(payloads, "abc", "tenants/default", wanted).status()),
                "PAYLOAD_MISMATCH")
          << wanted;
    }
    payloads.Look();
    EXPECT_THAT(Files(), IsEmpty());
    EXPECT_EQ(payloads.ledger().size(), 0u);
  });
}

TEST_F(LivePayloadsTest, OneThatIsGivenUpIsSweptAndGivesItsRoomBack) {
  Run([this](LivePayloads& payloads) {
    {
      auto upload = payloads.Begin("tenants/default", {});
      ASSERT_TRUE(upload.ok());
      ASSERT_TRUE((*upload)->Write(std::string(100, 'x')).ok());
      payloads.Look();
      EXPECT_EQ(Files().size(), 1u);
    }
    payloads.Look();
    EXPECT_THAT(Files(), IsEmpty());
    Put(payloads, std::string(100, 'x'));
    Put(payloads, std::string(100, 'x'));
  });
}

TEST_F(LivePayloadsTest, WhatIsBeyondABoundIsRefused) {
  Run([](LivePayloads& payloads) {
    const std::string much(60, 'x');
    EXPECT_EQ(tasks::RefusalReason(TryPut(payloads, std::string(101, 'x')).status()),
              "PAYLOAD_TOO_LARGE");
    EXPECT_EQ(tasks::RefusalReason(TryPut(payloads, much, "tenants/small").status()),
              "QUOTA_PAYLOAD_BYTES");
    EXPECT_EQ(
        tasks::RefusalReason(TryPut(payloads, "", "tenants/default", "size_bytes: 101").status()),
        "PAYLOAD_TOO_LARGE");
    for (int i = 0; i < 3; ++i) Put(payloads, much);
    EXPECT_EQ(tasks::RefusalReason(TryPut(payloads, much).status()), "PAYLOADS_FULL");
    EXPECT_EQ(tasks::RefusalReason(TryPut(payloads, "", "tenants/never").status()),
              "TENANT_NOT_FOUND");
  });
}

TEST_F(LivePayloadsTest, AnOutputThatATaskTakesStays) {
  Run([this](LivePayloads& payloads) {
    auto writer = Written(id_, 5);
    internal::v1::WorkerFrame frame = Ended(id_);
    const std::vector<std::string> outputs = payloads.TakeOutputs(frame);
    ASSERT_THAT(outputs, ElementsAre("tenants/default/payloads/" + id_));
    EXPECT_EQ(frame.ended(0).outcome(), AttemptEnded::OUTCOME_SUCCEEDED);
    payloads.ledger().Hold(outputs[0], kTask);
    payloads.DropUntaken(outputs);
    EXPECT_THAT(payloads.TakeOutputs(frame), ElementsAre(outputs[0])) << "told again";
    writer.reset();
    payloads.Look();
    EXPECT_THAT(Files(), ElementsAre(FileOf(outputs[0])));
  });
}

TEST_F(LivePayloadsTest, AnOutputThatNoTaskTakesGoes) {
  Run([this](LivePayloads& payloads) {
    const auto writer = Written(id_, 5);
    internal::v1::WorkerFrame frame = Ended(id_);
    payloads.DropUntaken(payloads.TakeOutputs(frame));
    payloads.Look();
    EXPECT_THAT(Files(), IsEmpty());
  });
}

TEST_F(LivePayloadsTest, AnEndWhoseOutputHasDiedWithItsWorkerIsAnInterruption) {
  Run([this](LivePayloads& payloads) {
    internal::v1::WorkerFrame frame = Ended(id_);
    EXPECT_THAT(payloads.TakeOutputs(frame), IsEmpty());
    EXPECT_EQ(frame.ended(0).outcome(), AttemptEnded::OUTCOME_INTERRUPTED);
    EXPECT_FALSE(frame.ended(0).has_output_payload());
  });
}

TEST_F(LivePayloadsTest, AnOutputBeyondTheTenantsQuotaFailsItsTaskForGood) {
  Run([this](LivePayloads& payloads) {
    const auto writer = Written(id_, 51, "small");
    internal::v1::WorkerFrame frame = Ended(id_);
    EXPECT_THAT(payloads.TakeOutputs(frame), IsEmpty());
    EXPECT_EQ(frame.ended(0).outcome(), AttemptEnded::OUTCOME_FAILED);
    EXPECT_TRUE(frame.ended(0).never_again());
    EXPECT_EQ(tasks::RefusalReason(StatusFrom(frame.ended(0).error())), "QUOTA_PAYLOAD_BYTES");
    payloads.Look();
    EXPECT_THAT(Files(), IsEmpty());
  });
}

TEST_F(LivePayloadsTest, AnOutputThatWasTakenBeforeControlDiedIsThereForTheNext) {
  std::unique_ptr<payloads::PayloadWriter> writer;
  internal::v1::WorkerFrame frame = Ended(id_);
  Run([&](LivePayloads& payloads) {
    writer = Written(id_, 5);
    EXPECT_EQ(payloads.TakeOutputs(frame).size(), 1u);
  });
  Run([&](LivePayloads& payloads) {
    payloads.ledger().EndRecovery(now_us_);
    payloads.Look();
    EXPECT_THAT(payloads.TakeOutputs(frame), ElementsAre("tenants/default/payloads/" + id_));
  });
}

TEST_F(LivePayloadsTest, WhatBecomesOfThemIsCountedByTenant) {
  Run([this](LivePayloads& payloads) {
    const std::string name = Put(payloads, "abc", "tenants/small");
    Put(payloads, "abcd", "tenants/small");
    Put(payloads, "a");
    // Broken off, beyond the quota, and larger than any may be.
    (*payloads.Begin("tenants/small", {}))->Write("12").IgnoreError();
    EXPECT_FALSE(TryPut(payloads, std::string(51, 'x'), "tenants/small").ok());
    EXPECT_FALSE(TryPut(payloads, "", "tenants/small", "size_bytes: 101").ok());
    EXPECT_EQ(Counted("small", PayloadCell::kUploads), 2u);
    EXPECT_EQ(Counted("small", PayloadCell::kReceivedBytes), 9u);
    EXPECT_EQ(Counted("small", PayloadCell::kRefused), 2u);
    EXPECT_EQ(Counted("default", PayloadCell::kUploads), 1u);
    EXPECT_EQ(Counted("default", PayloadCell::kRefused), 0u);
    const auto reader = payloads.Open(name);
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_TRUE(payloads.ReadAt(**reader, 1, 10).ok());
    EXPECT_EQ(Counted("small", PayloadCell::kDownloads), 1u);
    EXPECT_EQ(Counted("small", PayloadCell::kSentBytes), 2u);
    const auto writer = Written(id_, 5);
    internal::v1::WorkerFrame frame = Ended(id_);
    EXPECT_EQ(payloads.TakeOutputs(frame).size(), 1u);
    EXPECT_EQ(payloads.TakeOutputs(frame).size(), 1u) << "told again";
    EXPECT_EQ(Counted("default", PayloadCell::kOutputs), 1u);
    std::map<std::string, std::pair<int64_t, int64_t>> held;
    for (const auto& of : payloads.Held()) held[of.tenant] = {of.files, of.bytes};
    EXPECT_THAT(held, ElementsAre(Pair("default", Pair(2, 6)), Pair("small", Pair(2, 7))));
    EXPECT_TRUE(payloads.Remove(name).ok());
    payloads.Look();
    EXPECT_EQ(board_.series().payloads_removed, 2u) << "it, and the output, which is nobody's";
    EXPECT_EQ(board_.series().payloads_swept, 2u) << "what was given up";
  });
}

TEST_F(LivePayloadsTest, ThoseOfATenantThatIsGoneGo) {
  Run([this](LivePayloads& payloads) {
    Put(payloads, "abc", "tenants/small");
    const std::string other = Put(payloads, "abc");
    payloads.RemoveAllOf("small");
    payloads.Look();
    EXPECT_THAT(Files(), UnorderedElementsAre(FileOf(other)));
  });
}

TEST_F(LivePayloadsTest, WithoutAStateDirectoryThereAreNone) {
  const std::string state_dir = std::exchange(*config_.mutable_state_dir(), "");
  Run([](LivePayloads& payloads) {
    EXPECT_EQ(tasks::RefusalReason(TryPut(payloads, "abc").status()), "STORE_UNAVAILABLE");
    payloads.Look();
  });
  config_.set_state_dir(state_dir);
}

}  // namespace
}  // namespace grove::control
