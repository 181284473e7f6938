// BoundsTest: an EngineTest whose tenants get quotas and limits.
#ifndef GROVE_SERVER_TASKS_BOUNDS_FIXTURE_H_
#define GROVE_SERVER_TASKS_BOUNDS_FIXTURE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/tasks/engine_fixture.h"
#include "server/tenancy/quotas.h"

namespace grove::tasks {

class BoundsTest : public EngineTest {
 protected:
  // As text of grove.config.v1.Quotas and Limit; "pattern: 'a' running_max: 1".
  void SetQuotas(const std::string& text, const std::string& tenant = "default") {
    config::v1::Quotas said;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &said)) << text;
    const auto wrong = tenancy::CheckBounds(said);
    ASSERT_FALSE(wrong) << wrong->problem;
    const size_t index = *directory_->FindTenant(tenant);
    directory_->SetQuotas(index, tenancy::QuotasOf(said));
    engine_->Rebound(index, now_);
  }
  void SetLimit(const std::string& text, const std::string& tenant = "default") {
    config::v1::Limit said;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &said)) << text;
    ASSERT_EQ(tenancy::CheckPattern(said.pattern()), "");
    const size_t index = *directory_->FindTenant(tenant);
    tenancy::Limit limit{tenancy::BoundsOf(said), said.pattern(), /*from_config=*/false};
    directory_->SetLimit(index, std::move(limit));
    engine_->Rebound(index, now_);
  }
  void DropLimit(const std::string& pattern, const std::string& tenant = "default") {
    const size_t index = *directory_->FindTenant(tenant);
    directory_->DropLimit(index, pattern);
    engine_->Rebound(index, now_);
  }

  // Spawns one with these keys, "a" or "a/b".
  std::string Of(const std::string& key, const std::string& more = "") {
    return Spawn(Keys(key) + more);
  }
  static std::string Keys(const std::string& key) {
    if (key.empty()) return "";
    const size_t slash = key.find('/');
    std::string text = "limit_keys: '" + key.substr(0, slash) + "' ";
    if (slash != key.npos) text += "limit_keys: '" + key.substr(slash + 1) + "' ";
    return text;
  }
  // What is started now, by name, with the attempts.
  std::vector<std::string> Started() {
    Tick();
    std::vector<std::string> names;
    for (const auto& start : TakeStarts()) {
      names.push_back(start.task());
      attempts_[start.task()] = start.attempt();
    }
    return names;
  }
  // The attempt of a task that Started() has told.
  void EndOf(const std::string& name) { End(attempts_.at(name)); }
  v1::WaitExplanation WaitOf(const std::string& name) { return Get(name).wait(); }

  std::vector<v1::LimitUsage> Usage(const std::string& prefix = "",
                                    const std::string& tenant = "default") {
    return engine_->ListKeys(*directory_->FindTenant(tenant), prefix, "", 1000);
  }
  TenantLoad Load(const std::string& tenant = "default") {
    return engine_->LoadOf(*directory_->FindTenant(tenant));
  }

  std::map<std::string, uint64_t> attempts_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_BOUNDS_FIXTURE_H_
