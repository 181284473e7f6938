#include "server/control/audience.h"

#include <string>

#include "absl/strings/cord.h"
#include "gtest/gtest.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

absl::Status MemoryFull() {
  absl::Status status = tasks::Refusal(absl::StatusCode::kResourceExhausted, "TASK_MEMORY_FULL",
                                       "4711 of 4712 bytes", {{"held_bytes", "4711"}});
  status = tasks::WithQuotaFailure(std::move(status), "tasks", "4711 of 4712 bytes");
  return tasks::WithRetryAfter(std::move(status), 1000);
}

// Message and details.
std::string AllOf(const absl::Status& status) {
  std::string all(status.message());
  status.ForEachPayload([&](auto, const absl::Cord& payload) { all += std::string(payload); });
  return all;
}

TEST(Audience, OperatorsAreToldAll) {
  EXPECT_EQ(ForAudience(*tenancy::LocalPrincipal(), MemoryFull()), MemoryFull());
}

TEST(Audience, TenantsAreToldNoNumbersOfTheDaemons) {
  tenancy::Principal tenant;
  tenant.tenant = "acme";
  const absl::Status said = ForAudience(tenant, MemoryFull());
  EXPECT_EQ(said.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(tasks::RefusalReason(said), "TASK_MEMORY_FULL");
  EXPECT_EQ(AllOf(said).find("471"), std::string::npos) << AllOf(said);
  for (const std::string_view kept : {tasks::kRetryInfoType, tasks::kQuotaFailureType}) {
    EXPECT_TRUE(said.GetPayload(Abseil(kept)).has_value()) << kept;
  }
}

TEST(Audience, WhatIsTheTenantsOwnStaysAsItIs) {
  tenancy::Principal tenant;
  tenant.tenant = "acme";
  const absl::Status full =
      tasks::Refusal(absl::StatusCode::kResourceExhausted, "QUEUE_FULL", "10 of 10 tasks wait");
  EXPECT_EQ(ForAudience(tenant, full), full);
  EXPECT_TRUE(ForAudience(tenant, absl::OkStatus()).ok());
}

}  // namespace
}  // namespace grove::control
