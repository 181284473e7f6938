// LuaMatcher: Lua's patterns (reference manual 6.4.1), matched in steps that are counted.
//
// Lua's own matcher goes back and forth for as long as it takes: here each step is charged to the
// session, which lets other fibers run meanwhile and ends a line that takes too many. Raises Lua
// errors, so nothing with a destructor may be alive around it; it has none itself. Hub thread only.
#ifndef GROVE_SERVER_BACKDOOR_LUA_MATCHER_H_
#define GROVE_SERVER_BACKDOOR_LUA_MATCHER_H_

#include <cstddef>
#include <lua.hpp>
#include <string_view>

namespace grove::backdoor {

class LuaMatcher {
 public:
  // Both texts must stay on Lua's stack. `pattern`: without the '^' of an anchored one.
  LuaMatcher(lua_State* lua, std::string_view subject, std::string_view pattern)
      : lua_(lua),
        begin_(subject.data()),
        end_(subject.data() + subject.size()),
        pattern_(pattern.data()),
        pattern_end_(pattern.data() + pattern.size()) {}

  const char* begin() const { return begin_; }
  const char* end() const { return end_; }

  // The end of the match that begins at `at`; null: there is none. **Parks.**
  const char* MatchAt(const char* at);
  // Of the match from `first` to `last`: pushes its captures, or all of it if the pattern has none.
  int PushCaptures(const char* first, const char* last);
  // The captures alone.
  int PushCapturesOnly();
  // The `index`th of them, from 0 on.
  void PushCapture(int index, const char* first, const char* last);
  // For work around matches, in steps. **Parks.**
  void Charge(size_t steps) {
    steps_ += steps;
    if (steps_ >= kStepsPerCharge) Pay();
  }

 private:
  static constexpr size_t kStepsPerCharge = 1000;
  static constexpr int kCapturesMax = 32;
  // Each takes a frame of the fiber's stack. As Lua's own.
  static constexpr int kDepthMax = 200;
  static constexpr ptrdiff_t kOpen = -1;
  static constexpr ptrdiff_t kPosition = -2;

  struct Capture {
    const char* first;
    ptrdiff_t length;  // or kOpen, kPosition
  };

  void Pay();
  // Of the rest of the pattern, from `p` on.
  const char* Match(const char* s, const char* p);
  const char* Walk(const char* s, const char* p);
  // An item that stands for no single character; true if `p` is at one. Then both are behind it;
  // `s` null: it does not match.
  bool TakeSpecial(const char*& s, const char*& p);
  const char* MatchLongest(const char* s, const char* p, const char* after);
  const char* MatchShortest(const char* s, const char* p, const char* after);
  const char* OpenCapture(const char* s, const char* p, ptrdiff_t kind);
  const char* CloseCapture(const char* s, const char* p);
  const char* MatchBalanced(const char* s, const char* p);
  bool IsFrontier(const char* s, const char* set, const char* after);
  const char* MatchCaptured(const char* s, char digit);
  // Behind the single-character item at `p`.
  const char* ItemEnd(const char* p);
  bool IsMatch(const char* s, const char* p, const char* after);
  bool IsInSet(unsigned char c, const char* set, const char* closing);

  lua_State* const lua_;
  const char* const begin_;
  const char* const end_;
  const char* const pattern_;
  const char* const pattern_end_;
  size_t steps_ = 0;
  int depth_ = 0;
  int level_ = 0;  // so many captures
  Capture captures_[kCapturesMax];
};

}  // namespace grove::backdoor

#endif  // GROVE_SERVER_BACKDOOR_LUA_MATCHER_H_
