#include "runtime/hub/fiber_local.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

using FiberLocalTest = HubTest;

TEST_F(FiberLocalTest, EachFiberHasItsOwnValue) {
  FiberLocal<int> local([] { return 7; });
  Run([&] {
    local.Set(1);
    auto child = *Spawn("child", [&] {
      EXPECT_EQ(local.Find(), nullptr);
      EXPECT_EQ(local.Get(), 7);
      local.Get() = 2;
      Yield();
      EXPECT_EQ(local.Get(), 2);
    });
    Yield();
    EXPECT_EQ(local.Get(), 1);
    EXPECT_TRUE(child.Join().ok());
  });
}

TEST_F(FiberLocalTest, AnInheritedValueIsACopyAsOfTheSpawn) {
  FiberLocal<std::string, Inheritance::kCopied> inherited;
  FiberLocal<std::string> own;
  Run([&] {
    inherited.Set("at the spawn");
    own.Set("mine");
    auto child = *Spawn("child", [&] {
      EXPECT_EQ(inherited.Get(), "at the spawn");
      EXPECT_EQ(own.Find(), nullptr);
      inherited.Set("the child's");
      auto grandchild = *Spawn("grandchild", [&] { EXPECT_EQ(inherited.Get(), "the child's"); });
      EXPECT_TRUE(grandchild.Join().ok());
    });
    inherited.Set("after the spawn");
    EXPECT_TRUE(child.Join().ok());
    EXPECT_EQ(inherited.Get(), "after the spawn");
  });
}

TEST_F(FiberLocalTest, ValuesDieWithTheirFiberAfterItsClosureTheLastMadeFirst) {
  std::vector<std::string> ends;
  struct Noting {
    Noting(std::vector<std::string>* e, std::string w) : ends(e), what(std::move(w)) {}
    std::vector<std::string>* ends;
    std::string what;
    ~Noting() { ends->push_back(what); }
  };
  FiberLocal<std::unique_ptr<Noting>> first;
  FiberLocal<std::unique_ptr<Noting>> second;
  Run([&] {
    auto closure = std::make_unique<Noting>(&ends, "closure");
    auto child = *Spawn("child", [&, closure = std::move(closure)] {
      first.Get() = std::make_unique<Noting>(&ends, "first");
      second.Get() = std::make_unique<Noting>(&ends, "second");
    });
    EXPECT_TRUE(child.Join().ok());
    EXPECT_EQ(ends, (std::vector<std::string>{"closure", "second", "first"}));
  });
}

TEST_F(FiberLocalTest, InheritedValuesOfAFiberThatNeverStartsDieToo) {
  FiberLocal<std::shared_ptr<int>, Inheritance::kCopied> local;
  auto value = std::make_shared<int>(1);
  Run([&] {
    local.Set(value);
    auto child = *Spawn("child", [] {});
    EXPECT_EQ(value.use_count(), 3);
    child.Cancel();
    EXPECT_TRUE(absl::IsCancelled(child.Join()));
    EXPECT_EQ(value.use_count(), 2);
    local.Clear();
    EXPECT_EQ(value.use_count(), 1);
    EXPECT_EQ(local.Find(), nullptr);
  });
}

TEST_F(FiberLocalTest, ADestructorMayUseAnotherOne) {
  int seen = 0;
  FiberLocal<int> other;
  struct Using {
    FiberLocal<int>* other = nullptr;
    int* seen = nullptr;
    ~Using() {
      if (other != nullptr) *seen = ++other->Get();
    }
  };
  FiberLocal<std::unique_ptr<Using>> local;
  Run([&] {
    local.Set(std::make_unique<Using>());
    local.Get()->other = &other;
    local.Get()->seen = &seen;
  });
  EXPECT_EQ(seen, 1);
}

TEST_F(FiberLocalTest, ValuesOfOneThatDiedAreNobodyElses) {
  Run([] {
    auto old = std::make_unique<FiberLocal<std::string>>();
    old->Set("old");
    old = nullptr;
    FiberLocal<int> young;
    EXPECT_EQ(young.Find(), nullptr);
  });
}

TEST_F(FiberLocalTest, OutsideAFiberItIsAProgrammingError) {
  FiberLocal<int> local;
  EXPECT_DEATH((void)local.Get(), "outside a fiber");
}

}  // namespace
}  // namespace grove
