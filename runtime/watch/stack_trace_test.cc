#include "runtime/watch/stack_trace.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_format.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class StackTraceTest : public HubTest {};

[[gnu::noinline]] void InnerWait(Event& event) {
  event.Wait().IgnoreError();
  asm volatile("");  // no tail call: the frame stays
}

[[gnu::noinline]] void OuterWait(Event& event) {
  InnerWait(event);
  asm volatile("");
}

TEST_F(StackTraceTest, OfAParkedFiberNamesItsFunctionsInOrderDownToTheEntry) {
  StackTrace trace;
  Run([&] {
    Event event;
    auto fiber = *Spawn("waiting", [&] { OuterWait(event); });
    Yield();
    trace = TraceFiber(*fiber);
    event.Set();
  });
  EXPECT_EQ(trace.end, StackTrace::End::kEntry);
  const std::string text = FormatStackTrace(trace);
  EXPECT_THAT(text, StartsWith("#0 0x"));
  const size_t inner = text.find("InnerWait()+0x");
  const size_t outer = text.find("OuterWait()+0x");
  const size_t last = text.rfind('#');
  EXPECT_LT(inner, outer) << text;
  EXPECT_LT(outer, last) << text;
  // What jumped to the entry is there only where the compiler made a call of it.
  EXPECT_THAT(text.substr(last), AnyOf(HasSubstr(" grove::Fiber::Main()+0x"),
                                       HasSubstr(" grove::Context::Start()+0x")));
}

TEST_F(StackTraceTest, FramesHaveNamesAndNoAddresses) {
  StackTrace trace;
  Run([&] {
    Event event;
    auto fiber = *Spawn("waiting", [&] { OuterWait(event); });
    Yield();
    trace = TraceFiber(*fiber);
    event.Set();
  });
  const std::vector<std::string> frames = FormatFrames(trace);
  EXPECT_EQ(frames.size(), trace.size);
  EXPECT_THAT(frames, testing::Contains(HasSubstr("InnerWait()+0x")));
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_THAT(frames[i], testing::Not(HasSubstr(absl::StrFormat("%x", trace.pcs[i]))));
  }
  trace.end = StackTrace::End::kFull;
  EXPECT_EQ(FormatFrames(trace).back(), "(more frames follow)");
  EXPECT_TRUE(FormatFrames(StackTrace()).empty());
}

TEST_F(StackTraceTest, OfAFiberThatHasNotRunIsItsEntryAlone) {
  StackTrace trace;
  Run([&] {
    auto fiber = *Spawn("new", [] {});
    trace = TraceFiber(*fiber);
  });
  EXPECT_EQ(trace.size, 1u);
  EXPECT_EQ(trace.end, StackTrace::End::kEntry);
  EXPECT_THAT(FormatStackTrace(trace), HasSubstr("grove::Context::Start()+0x0\n"));
}

TEST_F(StackTraceTest, OfTheRunningFiberIsEmpty) {
  StackTrace trace;
  Run([&] { trace = TraceFiber(*Hub::Current()->running()); });
  EXPECT_EQ(trace.size, 0u);
  EXPECT_EQ(FormatStackTrace(trace), "");
}

// libc is built without frame pointers: qsort's frames are found by its tables alone.
TEST_F(StackTraceTest, GoesThroughLibrariesWithoutFramePointers) {
  StackTrace trace;
  Run([&] {
    static Event* gate;
    Event event;
    gate = &event;
    auto fiber = *Spawn("sorting", [] {
      int numbers[] = {2, 1};
      qsort(numbers, 2, sizeof(int), [](const void*, const void*) {
        InnerWait(*gate);
        return 0;
      });
    });
    Yield();
    trace = TraceFiber(*fiber);
    event.Set();
  });
  EXPECT_EQ(trace.end, StackTrace::End::kEntry);
  EXPECT_THAT(FormatStackTrace(trace), HasSubstr("grove::Fiber::Main()"));
}

[[gnu::noinline]] int Descend(int depth, Event& event) {
  if (depth == 0) {
    event.Wait().IgnoreError();
    return 0;
  }
  const int below = Descend(depth - 1, event);
  asm volatile("");
  return below + depth;
}

TEST_F(StackTraceTest, IsCutAtItsLimitAndSaysSo) {
  StackTrace trace;
  Run([&] {
    Event event;
    auto fiber = *Spawn("deep", [&] { Descend(100, event); });
    Yield();
    trace = TraceFiber(*fiber);
    event.Set();
  });
  EXPECT_EQ(trace.size, StackTrace::kFramesMax);
  EXPECT_THAT(FormatStackTrace(trace), HasSubstr("(more frames follow)\n"));
}

// --- A stack made by hand: what a walk does with one that was overwritten ------------------------

struct FakeStack {
  alignas(16) uintptr_t words[64] = {};

  uintptr_t at(int word) const { return reinterpret_cast<uintptr_t>(&words[word]); }
  StackBounds bounds() const { return {.low = at(0), .high = at(0) + sizeof(words)}; }
  StackTrace Walk(uintptr_t pc, uintptr_t rbp) const {
    FrameRegisters frame;
    frame.values[FrameRegisters::kReturnAddress] = pc;
    frame.values[FrameRegisters::kRsp] = at(0);
    frame.values[FrameRegisters::kRbp] = rbp;
    return TraceFrom(frame, PcKind::kAfterCall, bounds());
  }
};

constexpr uintptr_t kNoCode = 0x1000;  // in no module: no table knows it

TEST(TraceFrom, FollowsFramePointersWhereNoTableHelps) {
  FakeStack stack;
  stack.words[4] = stack.at(8);
  stack.words[5] = kNoCode + 1;
  stack.words[9] = 0;  // the caller's return address: the end
  const StackTrace trace = stack.Walk(kNoCode, stack.at(4));
  EXPECT_EQ(trace.size, 2u);
  EXPECT_EQ(trace.pcs[1], kNoCode + 1);
  EXPECT_EQ(trace.end, StackTrace::End::kEntry);
}

TEST(TraceFrom, StopsAtAFramePointerOutsideTheStack) {
  FakeStack stack;
  for (const uintptr_t wild : {uintptr_t{0}, uintptr_t{8}, stack.at(0) - 8, stack.at(63),
                               stack.at(64), stack.at(3) + 1, ~uintptr_t{0}, ~uintptr_t{7}}) {
    const StackTrace trace = stack.Walk(kNoCode, wild);
    EXPECT_EQ(trace.size, 1u) << wild;
    EXPECT_EQ(trace.end, StackTrace::End::kUnknown) << wild;
  }
}

TEST(TraceFrom, StopsAtAChainThatTurnsBack) {
  FakeStack stack;
  stack.words[8] = stack.at(4);
  stack.words[9] = kNoCode;
  stack.words[4] = stack.at(8);
  stack.words[5] = kNoCode;
  EXPECT_EQ(stack.Walk(kNoCode, stack.at(8)).size, 2u);
}

TEST(TraceFrom, SurvivesAStackOfRubbishUnderRealCode) {
  FakeStack stack;
  const uintptr_t code = reinterpret_cast<uintptr_t>(&FormatStackTrace) + 40;
  for (const uintptr_t fill :
       {uintptr_t{0}, ~uintptr_t{0}, uintptr_t{0x4141414141414141}, stack.at(0), code}) {
    for (uintptr_t& word : stack.words) word = fill;
    for (const uintptr_t rbp : {uintptr_t{0}, stack.at(2), stack.at(63), ~uintptr_t{0}}) {
      EXPECT_LE(stack.Walk(code, rbp).size, StackTrace::kFramesMax);
    }
  }
}

}  // namespace
}  // namespace grove
