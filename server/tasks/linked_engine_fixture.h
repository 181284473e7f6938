// LinkedEngineTest: an engine with one worker, which starts what may start.
#ifndef GROVE_SERVER_TASKS_LINKED_ENGINE_FIXTURE_H_
#define GROVE_SERVER_TASKS_LINKED_ENGINE_FIXTURE_H_

#include <cstdint>
#include <string>

#include "server/tasks/engine_fixture.h"

namespace grove::tasks {

class LinkedEngineTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    Up(0);
  }

  // The attempt of the only task that starts now, which is to be this one.
  uint64_t Start(const std::string& name) {
    Tick();
    const auto starts = TakeStarts();
    EXPECT_EQ(starts.size(), 1u);
    if (starts.size() != 1) return 0;
    EXPECT_EQ(starts[0].task(), name);
    return starts[0].attempt();
  }
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_LINKED_ENGINE_FIXTURE_H_
